//! What is where on a device, what must stay, and the final region of every artifact.
//!
//! ```text
//!   0x0000   0x1000        0x8000 0x9000                                         flash end
//!   |  (*)   | bootloader  | table | partitions: data is kept, apps may be free      |
//!            '---- critical ------'
//!   (*) chips whose bootloader is at 0x1000 leave the first sector unused
//! ```
//!
//! *Critical* is what the device boots from today and what contains its settings: the bootloader's
//! area, the partition table, otadata and NVS. It is changed only in the commit.

use esp_idf_format::partition::Partition;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use heapless::Vec;
use mcuboot_format::SwapKind;

use crate::blanks::Blanks;
use crate::commit_way::CommitWay;
use crate::facts::DeviceFacts;
use crate::host::host;
use crate::migration::{Artifact, Content, McubootMap, Migration, Role};
use crate::step::{Place, Purpose};

/// Largest number of artifacts in a migration.
pub const MAX_ARTIFACTS: usize = 8;

/// The final region of an artifact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination {
    /// Region that it may fill.
    pub region: Region,
    /// The MCUboot slot that this region is, if any.
    pub slot: Option<Region>,
    /// Critical bytes from the region's start, in whole sectors, or 0.
    pub critical_len_bytes: u32,
}

impl Destination {
    /// The part that the commit writes; empty if nothing is critical.
    pub(crate) fn critical(&self) -> Region {
        self.region.prefix(self.critical_len_bytes)
    }

    /// The part that can be written before the commit.
    pub(crate) fn harmless(&self) -> Region {
        self.region.from(self.region.start().saturating_add(self.critical_len_bytes))
    }

    /// The harmless part as a place that can be written.
    pub(crate) fn place(&self) -> Place {
        let region = self.harmless();
        let erasable = region.align_out(SECTOR_BYTES).unwrap_or(region);
        Place { region, erasable, slot: self.slot, reserved: None, purpose: Purpose::Destination }
    }
}

/// What the device needs today besides the running app.
pub(crate) fn critical<'a>(facts: &DeviceFacts<'a>) -> impl Iterator<Item = Region> + use<'a> {
    let partitions = facts.partitions;
    [facts.bootloader_area(), facts.table()]
        .into_iter()
        .chain(partitions.iter().filter(|p| p.is_otadata() || p.is_nvs()).map(whole))
}

/// The slot to which the migrator writes the target application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AppSlot {
    Primary,
    Secondary,
}

impl AppSlot {
    /// The slots from which MCUboot would start the application, the preferred one first.
    ///
    /// Swap using move and swap using offset read a header in the primary slot first, and boot
    /// nothing if an ESP-IDF app is there; with them, the application must be written straight to
    /// the primary slot. The others install it from the secondary slot, or find it in the primary
    /// slot and have nothing to do.
    pub(crate) const fn choices(swap: SwapKind) -> &'static [Self] {
        match swap {
            SwapKind::Scratch | SwapKind::Overwrite => &[Self::Secondary, Self::Primary],
            SwapKind::Move | SwapKind::Offset => &[Self::Primary],
        }
    }

    /// The region of the slot.
    pub(crate) const fn of(self, map: &McubootMap<'_>) -> Region {
        match self {
            Self::Primary => map.primary,
            Self::Secondary => map.secondary,
        }
    }
}

/// The final region of an artifact; `None` if nothing defines it.
pub(crate) fn destination(
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
    artifact: &Artifact<'_>,
    app_slot: AppSlot,
) -> Option<Destination> {
    if (artifact.role, migration.commit) == (Role::Bootloader, CommitWay::Hosted) {
        // A carrier goes to an app partition, of which the device boots nothing before the commit.
        let region = host(migration, facts, artifact)?;
        return Some(Destination { region, slot: None, critical_len_bytes: 0 });
    }
    let (region, slot) = match (artifact.dest, artifact.role, &migration.mcuboot) {
        (Some(dest), Role::Application, Some(map))
            if dest == map.primary || dest == map.secondary =>
        {
            (dest, Some(dest))
        }
        (Some(dest), Role::Bootloader, _) => (clip_bootloader(facts, artifact, dest), None),
        (Some(dest), ..) => (dest, None),
        (None, Role::Application, Some(map)) => (app_slot.of(map), Some(app_slot.of(map))),
        (None, Role::Bootloader, _) => {
            let start = facts.chip.bootloader_addr();
            let whole = match artifact.region_len_bytes {
                Some(len_bytes) => Region::clamped(start, len_bytes),
                // A bootloader that reaches over the partition table is refused for that, or
                // allowed to.
                None => {
                    let room_bytes = facts.bootloader_area().len_bytes();
                    Region::clamped(start, room_bytes.max(artifact.len_bytes.unwrap_or(0)))
                }
            };
            (clip_bootloader(facts, artifact, whole), None)
        }
        (None, ..) => return None,
    };
    let written = written(region, artifact);
    // A region may be erased as a whole, so it ends before critical data that the artifact does not
    // reach.
    let behind = critical(facts).map(Region::start).filter(|start| *start >= written.end());
    let end = behind.min().map_or(region.end(), |start| start.min(region.end()));
    // What a file from before the table leaves of its place is nobody's to erase.
    let end = if is_merged(facts, artifact, region) {
        written.end().align_up(SECTOR_BYTES).map_or(end, |written_end| written_end.min(end))
    } else {
        end
    };
    let region = match slot {
        Some(slot) => slot,
        None => Region::new(region.start(), end).unwrap_or(region),
    };
    // Under the gaps of a merged image, the owner's data is kept, which only the commit can do.
    let merged = is_merged(facts, artifact, region);
    let kept = kept(facts).map(whole).filter(|_| merged);
    let critical_end = critical(facts)
        .chain(kept)
        .filter_map(|part| part.intersection(written))
        .map(Region::end)
        .max();
    let critical_len_bytes = critical_end.map_or(0, |end| {
        let end = end.align_up(SECTOR_BYTES).unwrap_or(end);
        end.min(region.end()).bytes_since(region.start())
    });
    Some(Destination { region, slot, critical_len_bytes })
}

/// The bytes of its region that an artifact covers, as far as its length is known.
pub(crate) fn written(region: Region, artifact: &Artifact<'_>) -> Region {
    artifact.len_bytes.map_or(region, |len_bytes| region.prefix(len_bytes))
}

/// Whether an artifact is written or erased over the running code.
///
/// Of a slot it takes its image and the trailer: what lies between them means nothing to MCUboot,
/// and a migrator that runs there is left alone. A part that waits for the commit is written as a
/// whole.
pub(crate) fn is_over(
    map: Option<&McubootMap<'_>>,
    artifact: &Artifact<'_>,
    destination: &Destination,
    running: Region,
) -> bool {
    let slack = map.and_then(|map| slack(map, artifact, destination.slot?));
    let slack = slack.filter(|_| destination.critical_len_bytes == 0);
    let running = running.align_out(SECTOR_BYTES).unwrap_or(running);
    destination.region.overlaps(running)
        && !slack.is_some_and(|slack| slack.contains_region(running))
}

/// The part of its slot that an application leaves free: whole sectors between its image and the
/// trailer.
pub(crate) fn slack(map: &McubootMap<'_>, artifact: &Artifact<'_>, slot: Region) -> Option<Region> {
    let Some(Content::Mcuboot { image_len_bytes, .. }) = artifact.content else { return None };
    let trailer = map.trailer_area(slot)?;
    let free = Region::new(slot.start().saturating_add(image_len_bytes), trailer.start())?;
    let free = free.align_in(SECTOR_BYTES);
    (!free.is_empty()).then_some(free)
}

/// Whether an artifact contains the bootloader's area together with other things: what is under the
/// blank sectors of such a file is kept.
pub(crate) fn is_merged(facts: &DeviceFacts<'_>, artifact: &Artifact<'_>, region: Region) -> bool {
    artifact.role == Role::Other && written(region, artifact).overlaps(facts.bootloader_area())
}

/// What would be lost of today's contents of an artifact's region, in ascending order.
pub(crate) fn lost<'a>(
    facts: &DeviceFacts<'_>,
    artifact: &Artifact<'a>,
    region: Region,
) -> impl Iterator<Item = Region> + use<'a> {
    let merged = is_merged(facts, artifact, region);
    let whole = match artifact.role {
        // Its commit leaves alone what it does not cover.
        Role::Bootloader => written(region, artifact),
        Role::Other if merged => written(region, artifact),
        // All of a region may be erased.
        Role::Application | Role::Other => region,
    };
    let blanks = if merged { artifact.blanks } else { Blanks::NONE };
    blanks.covered(region.start(), whole)
}

/// The sectors before the bootloader's area that are reserved for the chip's secure boot; empty if
/// the bootloader is at the start of the flash.
pub(crate) fn secure_boot_data(facts: &DeviceFacts<'_>) -> Region {
    Region::clamped(FlashAddr::ZERO, facts.chip.bootloader_addr().get())
}

/// The slot whose trailer is in the file: the application's, or the primary slot if a merged image
/// fills it completely.
pub(crate) fn filled(
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
    destinations: &[Destination],
) -> Option<Region> {
    let map = migration.mcuboot.as_ref()?;
    let named = destinations.iter().find_map(|destination| destination.slot);
    named.or_else(|| {
        let mut placed = migration.artifacts.iter().zip(destinations);
        let fills = placed.any(|(artifact, destination)| {
            is_merged(facts, artifact, destination.region)
                && written(destination.region, artifact).contains_region(map.primary)
        });
        fills.then_some(map.primary)
    })
}

/// A bootloader's region, cut off at the partition table unless the image itself reaches beyond it.
///
/// The C example's region of 0xF000 bytes from 0x0 covers partition table, NVS and otadata,
/// although its image is much shorter: what the image does not need is kept.
fn clip_bootloader(facts: &DeviceFacts<'_>, artifact: &Artifact<'_>, whole: Region) -> Region {
    let area = facts.bootloader_area();
    // If a region begins before the address at which the ROM looks, the part before that address is
    // not used.
    let whole = if whole.contains(area.start()) { whole.from(area.start()) } else { whole };
    let fits = artifact.len_bytes.is_none_or(|len| area.end() >= whole.start().saturating_add(len));
    match whole.intersection(area) {
        Some(clipped) if fits => clipped,
        _ => match artifact.len_bytes {
            Some(len_bytes) => {
                let image = whole.prefix(len_bytes);
                image.align_out(SECTOR_BYTES).unwrap_or(image)
            }
            None => whole,
        },
    }
}

/// The whole sectors of an entry in the table: data that shares a sector with it would be lost by
/// an erase.
pub(crate) fn whole(partition: &Partition) -> Region {
    partition.region.align_out(SECTOR_BYTES).unwrap_or(partition.region)
}

/// Partitions that must not be overwritten without permission: all except apps.
pub(crate) fn kept<'a>(facts: &DeviceFacts<'a>) -> impl Iterator<Item = &'a Partition> + use<'a> {
    facts.partitions.iter().filter(|p| !p.is_app())
}

/// A set of regions that must not be used, and the gaps between them.
#[derive(Debug, Default)]
pub(crate) struct Occupied {
    regions: Vec<Region, 160>,
    /// Whether there was no room for another region; then nothing counts as free.
    overflowed: bool,
}

impl Occupied {
    /// Notes that `region` is in use.
    pub(crate) fn add(&mut self, region: Region) {
        if !region.is_empty() && self.regions.push(region).is_err() {
            self.overflowed = true;
        }
    }

    /// The gaps within `bounds`, in ascending order.
    pub(crate) fn gaps(&self, bounds: Region) -> Gaps<'_> {
        let rest = if self.overflowed { Region::clamped(bounds.end(), 0) } else { bounds };
        Gaps { occupied: self, rest }
    }
}

/// What is free, from [`Occupied::gaps`].
pub(crate) struct Gaps<'a> {
    occupied: &'a Occupied,
    rest: Region,
}

impl Iterator for Gaps<'_> {
    type Item = Region;

    fn next(&mut self) -> Option<Region> {
        let mut start = self.rest.start();
        while let Some(busy) = self.occupied.regions.iter().find(|r| r.contains(start)) {
            start = busy.end();
        }
        if start >= self.rest.end() {
            self.rest = Region::clamped(self.rest.end(), 0);
            return None;
        }
        let next_busy =
            self.occupied.regions.iter().map(|r| r.start()).filter(|&a| a > start).min();
        let end = next_busy.map_or(self.rest.end(), |addr: FlashAddr| addr.min(self.rest.end()));
        self.rest = self.rest.from(end);
        Region::new(start, end)
    }
}
