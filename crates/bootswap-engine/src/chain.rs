//! What an ESP-IDF bootloader makes of the files that it will boot by: partition table, otadata and
//! application, each read as it reads them.
//!
//! ```text
//!   bootloader --flash size--> partition table --slots--> otadata --names one--> application
//!   (new or old)               (new or old)               (new, or as selected for the migrator)
//! ```

use bootswap_plan::{App, Artifact, ArtifactIndex, DeviceFacts, Migration, Role, app_in};
use esp_idf_format::image::IMAGE_MAGIC;
use esp_idf_format::otadata::{BootSlot, ENTRY_LEN_BYTES, OtaData};
use esp_idf_format::partition::{BootRoles, Partition, PartitionTable};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use crate::ImageFault;

/// The two entries of otadata, each from the begin of its sector.
pub(crate) type OtaEntries = [[u8; ENTRY_LEN_BYTES]; 2];

/// What the device will boot by, as far as the migration brings it.
pub(crate) struct Chain<'c> {
    pub migration: &'c Migration<'c>,
    pub facts: &'c DeviceFacts<'c>,
    /// The artifact with the new table, and the table.
    pub table: Option<(ArtifactIndex, PartitionTable<'c>)>,
    /// The artifact with the new otadata, and its entries.
    pub otadata: Option<(ArtifactIndex, OtaEntries)>,
}

/// Where in its file the artifact has the partition table; `None` for one that goes elsewhere.
///
/// A bootloader that reaches over the table's place leaves no table there.
pub(crate) fn table_at(
    facts: &DeviceFacts<'_>,
    artifact: &Artifact<'_>,
    len_bytes: u32,
) -> Option<u32> {
    let dest = artifact.dest.filter(|_| artifact.role != Role::Bootloader)?;
    let covers = dest.prefix(len_bytes).contains(facts.table_addr);
    covers.then(|| facts.table_addr.bytes_since(dest.start()))
}

/// Reads the table of an artifact as a bootloader with that flash size in its header does; `None`
/// where the file is blank there.
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

    /// Where in its file the artifact has that sector of otadata, 0 or 1; `None` for one that goes
    /// elsewhere.
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
        // Under the blank sectors of a merged image the old entries stay.
        let kept = blank && dest.start() < otadata.start();
        let covers = dest.prefix(len_bytes).contains_region(entry);
        (covers && !kept).then(|| start.bytes_since(dest.start()))
    }

    /// Checks that an application of the migration is what the bootloader starts. `first` is the
    /// first byte of an artifact, where it is known, and `len_bytes` its length.
    pub(crate) fn check(
        &self,
        first: &dyn Fn(ArtifactIndex) -> Option<u8>,
        len_bytes: &dyn Fn(ArtifactIndex) -> Option<u32>,
    ) -> Result<(), (ArtifactIndex, ImageFault)> {
        let artifacts = self.migration.artifacts;
        let with_index = || (0..).map(ArtifactIndex).zip(artifacts);
        let of = |role| artifacts.iter().any(|artifact| artifact.role == role);
        // MCUboot has its map inside, and of another bootloader nobody knows what it goes by.
        let brings = self.table.map(|(index, _)| index).or(self.otadata.map(|(index, _)| index));
        let stays = of(Role::Application) && !of(Role::Bootloader);
        if self.migration.mcuboot.is_some() || (brings.is_none() && !stays) {
            return Ok(());
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
        let Some(started) = self.started() else {
            return Err((blamed, ImageFault::StartsOther { start: None }));
        };
        let start = started.region.start();
        let brought = with_index().find(|(index, artifact)| {
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

    /// The partition that the bootloader tries first.
    fn started(&self) -> Option<Partition> {
        let roles = BootRoles::of(self.partitions());
        if let Some((_, [first, second])) = self.otadata {
            return roles.tried(Some(&OtaData::parse(&first, &second))).next();
        }
        // As the migrator left it when it made sure that it is started again.
        match app_in(self.facts, self.facts.running) {
            // Without slots otadata means nothing.
            Some(App::Ota { index, .. }) if roles.ota_count() > 0 => {
                roles.slot(BootSlot::Ota(index))
            }
            _ => roles.tried(None).next(),
        }
    }
}
