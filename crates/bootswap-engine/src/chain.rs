//! How an ESP-IDF bootloader will read the files that it boots from: partition table, otadata and
//! application.
//!
//! ```text
//!   bootloader --flash size--> partition table --slots--> otadata --names one--> application
//!   (new or old)               (new or old)               (new, or as selected for the migrator)
//! ```

use bootswap_plan::{App, Artifact, ArtifactIndex, Content, DeviceFacts, Migration, Role, app_in};
use esp_idf_format::bootloader_desc::{
    BOOTLOADER_DESC_LEN_BYTES, BOOTLOADER_DESC_OFFSET_BYTES, BootloaderDescription,
};
use esp_idf_format::image::{EspImageHeader, IMAGE_MAGIC};
use esp_idf_format::otadata::{ENTRY_LEN_BYTES, OtaData};
use esp_idf_format::partition::{BootRoles, Partition, PartitionTable};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use crate::ImageFault;

/// The two entries of otadata, each from the start of its sector.
pub(crate) type OtaEntries = [[u8; ENTRY_LEN_BYTES]; 2];

/// How many bytes of a bootloader's image say what it goes by.
pub(crate) const HEAD_LEN_BYTES: usize =
    BOOTLOADER_DESC_OFFSET_BYTES as usize + BOOTLOADER_DESC_LEN_BYTES;

/// What a bootloader goes by, from the first bytes of its image.
#[derive(Clone, Copy)]
pub(crate) struct BootHead {
    /// Flash size in its header; 2 MiB where that is no known size, as the bootloader takes it.
    pub flash_len_bytes: u32,
    /// Whether it has the descriptor that only ESP-IDF's has.
    pub is_esp_idf: bool,
}

impl BootHead {
    /// Reads at most [`HEAD_LEN_BYTES`]; `None` for what is no image.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let header = EspImageHeader::parse(bytes).ok()?;
        let description = bytes.get(BOOTLOADER_DESC_OFFSET_BYTES as usize..).unwrap_or_default();
        let description = BootloaderDescription::parse(description);
        Some(Self {
            flash_len_bytes: header.readable_flash_size().bytes(),
            is_esp_idf: description.is_ok_and(|description| description.is_plausible()),
        })
    }
}

/// What the device will boot by, as far as the migration brings it.
pub(crate) struct Chain<'c> {
    pub migration: &'c Migration<'c>,
    pub facts: &'c DeviceFacts<'c>,
    /// The artifact with the new table, and the table.
    pub table: Option<(ArtifactIndex, PartitionTable<'c>)>,
    /// Whether the new bootloader has the descriptor that only ESP-IDF's has.
    pub is_esp_idf: bool,
    /// The artifact with the new otadata, and its entries.
    pub otadata: Option<(ArtifactIndex, OtaEntries)>,
}

/// Offset of the partition table in the artifact's file; `None` if the artifact does not cover the
/// table's address.
///
/// A bootloader that reaches over the table's address leaves no table there, whatever the role of
/// its artifact.
pub(crate) fn table_at(
    facts: &DeviceFacts<'_>,
    artifact: &Artifact<'_>,
    len_bytes: u32,
) -> Option<u32> {
    let dest = artifact.dest.filter(|_| artifact.role != Role::Bootloader)?;
    let covers = dest.prefix(len_bytes).contains(facts.table_addr);
    if let Some(Content::EspImage { image_len_bytes, .. }) = artifact.content
        && dest.start() == facts.chip.bootloader_addr()
        && dest.prefix(image_len_bytes).contains(facts.table_addr)
    {
        return None;
    }
    covers.then(|| facts.table_addr.bytes_since(dest.start()))
}

/// Reads an artifact's table as a bootloader with that flash size in its header does; `None` if the
/// file is blank there.
pub(crate) fn read_table(
    bytes: &[u8],
    table_addr: FlashAddr,
    flash_len_bytes: u32,
) -> Result<Option<PartitionTable<'_>>, ImageFault> {
    if bytes.get(..2).is_some_and(flash_region::is_blank) {
        return Ok(None);
    }
    let table = PartitionTable::parse(bytes).map_err(ImageFault::Table)?;
    table.check_fits(table_addr, flash_len_bytes).map_err(ImageFault::Table)?;
    Ok(Some(table))
}

impl<'c> Chain<'c> {
    fn partitions(&self) -> impl Iterator<Item = Partition> + Clone + use<'c> {
        let mut new = self.table.map(|(_, table)| table.iter());
        let mut old = self.facts.partitions.iter();
        core::iter::from_fn(move || match &mut new {
            Some(new) => new.next(),
            None => old.next().copied(),
        })
    }

    /// Offset of that sector of otadata, 0 or 1, in the artifact's file; `None` if the artifact
    /// does not cover it.
    pub(crate) fn otadata_at(
        &self,
        artifact: &Artifact<'_>,
        len_bytes: u32,
        sector: u32,
    ) -> Option<u32> {
        let dest = artifact.dest.filter(|_| artifact.role != Role::Bootloader)?;
        let otadata = BootRoles::of(self.partitions()).otadata()?.region;
        let start = otadata.start().saturating_add(sector * SECTOR_BYTES);
        let entry = Region::clamped(start, ENTRY_LEN_BYTES as u32);
        let blank = artifact.blanks.at(dest.start()).any(|blank| blank.contains_region(entry));
        // The old entries stay under the blank sectors of a merged image.
        let kept = blank && dest.start() < otadata.start();
        let covers = dest.prefix(len_bytes).contains_region(entry);
        (covers && !kept).then(|| start.bytes_since(dest.start()))
    }

    /// Whether the artifact would leave otadata with an entry that is no longer there: it writes to
    /// a sector of an entry and does not bring both of them.
    ///
    /// The migrator, which selects itself, and such an artifact would write over each other for
    /// ever.
    pub(crate) fn spoils_otadata(&self, artifact: &Artifact<'_>, len_bytes: u32) -> bool {
        let Some(dest) = artifact.dest.filter(|_| artifact.role != Role::Bootloader) else {
            return false;
        };
        let Some(otadata) = BootRoles::of(self.partitions()).otadata() else { return false };
        let written = dest.prefix(len_bytes);
        let blanks = || artifact.blanks.at(dest.start());
        let (mut touched, mut whole) = (false, true);
        for sector in [0, 1] {
            let start = otadata.region.start().saturating_add(sector * SECTOR_BYTES);
            let sector_of = Region::clamped(start, SECTOR_BYTES);
            // Under the blank sectors of a merged image nothing is written.
            let is_kept = dest.start() < otadata.region.start()
                && blanks().any(|blank| blank.contains_region(sector_of));
            touched |= written.overlaps(sector_of) && !is_kept;
            whole &= self.otadata_at(artifact, len_bytes, sector).is_some();
        }
        touched && !whole
    }

    /// Checks that the bootloader starts an application of the migration. `first` is the first byte
    /// of an artifact, if known, and `len_bytes` its length.
    pub(crate) fn check(
        &self,
        first: &dyn Fn(ArtifactIndex) -> Option<u8>,
        len_bytes: &dyn Fn(ArtifactIndex) -> Option<u32>,
    ) -> Result<(), (ArtifactIndex, ImageFault)> {
        let artifacts = self.migration.artifacts;
        let with_index = || (0..).map(ArtifactIndex).zip(artifacts);
        let of = |role| artifacts.iter().any(|artifact| artifact.role == role);
        // A new MCUboot has its map inside, and of another bootloader nobody knows what it goes by,
        // unless it says itself that it is ESP-IDF's.
        if self.migration.mcuboot.is_some() && !self.migration.goes_back() {
            return Ok(());
        }
        for (index, artifact) in with_index() {
            if self.spoils_otadata(artifact, len_bytes(index).unwrap_or(0)) {
                return Err((index, ImageFault::HalfOtadata));
            }
        }
        let brings = self.table.map(|(index, _)| index).or(self.otadata.map(|(index, _)| index));
        let stays = of(Role::Application) && !of(Role::Bootloader);
        if brings.is_none() && self.migration.mcuboot.is_some() {
            return Ok(());
        }
        if brings.is_none() && !stays {
            return if self.is_esp_idf { self.hands_over(first, len_bytes) } else { Ok(()) };
        }
        let app = with_index().find(|(_, artifact)| artifact.role == Role::Application);
        let blamed = brings.or(app.map(|(index, _)| index)).unwrap_or(ArtifactIndex(0));
        if self.table.is_some() {
            for (index, artifact) in with_index() {
                let Some(dest) = artifact.dest.filter(|_| artifact.role == Role::Application)
                else {
                    continue;
                };
                let needed_bytes = len_bytes(index).unwrap_or(0);
                let has_room = |p: &Partition| {
                    p.is_app()
                        && p.region.start() == dest.start()
                        && p.region.len_bytes() >= needed_bytes
                };
                if !self.partitions().any(|p| has_room(&p)) {
                    let start = dest.start();
                    return Err((blamed, ImageFault::NoSlot { start, needed_bytes }));
                }
            }
        }
        // Whether the bootloader rolls back is not known, so both have to start the same.
        for rollback in [true, false] {
            let started = self.started(rollback).map_err(|fault| (blamed, fault))?;
            let Some(started) = started.map(|p| p.region.start()) else {
                return Err((blamed, ImageFault::StartsOther { start: None }));
            };
            self.is_brought(started, blamed, first, len_bytes)?;
        }
        Ok(())
    }

    /// Checks that what the bootloader starts at `start` comes with the migration.
    fn is_brought(
        &self,
        start: FlashAddr,
        blamed: ArtifactIndex,
        first: &dyn Fn(ArtifactIndex) -> Option<u8>,
        len_bytes: &dyn Fn(ArtifactIndex) -> Option<u32>,
    ) -> Result<(), (ArtifactIndex, ImageFault)> {
        let with_index = || (0..).map(ArtifactIndex).zip(self.migration.artifacts);
        // Where there is an application, it is what has to start, and not another app beside it.
        let has_app = self.migration.artifacts.iter().any(|a| a.role == Role::Application);
        let may_start = |artifact: &Artifact<'_>| !has_app || artifact.role == Role::Application;
        let mut apps = with_index().filter(|(_, artifact)| may_start(artifact));
        let brought = apps.find(|(index, artifact)| {
            let whole = artifact.dest.unwrap_or_default();
            let written = len_bytes(*index).map_or(whole, |len_bytes| whole.prefix(len_bytes));
            written.contains(start)
        });
        match brought {
            Some((index, artifact)) => {
                let is_begin = artifact.dest.is_some_and(|dest| dest.start() == start);
                let is_image = first(index).is_none_or(|first| first == IMAGE_MAGIC);
                if is_begin && !is_image {
                    return Err((index, ImageFault::NoApp { start }));
                }
                Ok(())
            }
            None => Err((blamed, ImageFault::StartsOther { start: Some(start) })),
        }
    }

    /// Checks that an ESP-IDF bootloader which goes by the table and otadata of the device can come
    /// to the application: the migrator selects it when it is started once more.
    fn hands_over(
        &self,
        first: &dyn Fn(ArtifactIndex) -> Option<u8>,
        len_bytes: &dyn Fn(ArtifactIndex) -> Option<u32>,
    ) -> Result<(), (ArtifactIndex, ImageFault)> {
        let apps = (0..).map(ArtifactIndex).zip(self.migration.artifacts);
        for (index, app) in apps.filter(|(_, artifact)| artifact.role == Role::Application) {
            let start = app.dest.unwrap_or_default().start();
            let needed_bytes = len_bytes(index).unwrap_or(0);
            let has_room = |p: &Partition| {
                p.is_app() && p.region.start() == start && p.region.len_bytes() >= needed_bytes
            };
            if !self.facts.partitions.iter().any(has_room) {
                return Err((index, ImageFault::NoPartition { start, needed_bytes }));
            }
            if first(index).is_some_and(|first| first != IMAGE_MAGIC) {
                return Err((index, ImageFault::NoApp { start }));
            }
        }
        Ok(())
    }

    /// The partition that the bootloader tries first.
    fn started(&self, rollback: bool) -> Result<Option<Partition>, ImageFault> {
        let roles = BootRoles::of(self.partitions());
        let count = roles.ota_count();
        let selected = match (self.otadata, roles.otadata()) {
            // Without slots otadata means nothing.
            _ if count == 0 => None,
            (_, None) => None,
            (Some((_, [first, second])), _) => {
                let boot = OtaData::parse(&first, &second).boot(count, rollback);
                boot.selection.map(|selection| selection.ota_index)
            }
            // As the migrator left it when it made sure that it is started again.
            (None, Some(otadata)) => {
                let old = BootRoles::of(self.facts.partitions.iter().copied());
                let is_same = self.facts.otadata().is_some_and(|place| {
                    place.start() == otadata.region.start() && old.ota_count() == count
                });
                if self.table.is_some() && !is_same {
                    return Err(ImageFault::OtadataMoves { otadata: otadata.region });
                }
                match app_in(self.facts, self.facts.running) {
                    Some(App::Ota { index, .. }) => Some(index),
                    _ => None,
                }
            }
        };
        Ok(roles.tried_from(selected).next())
    }
}
