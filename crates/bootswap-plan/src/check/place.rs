//! Checks whether an artifact may be written to its destination.

use esp_idf_format::partition::Partition;
use flash_region::{Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

use super::Checks;
use crate::commit_way::CommitWay;
use crate::layout::{self, Destination, kept};
use crate::migration::{Artifact, McubootMap, PARTITION_TABLE, Role, SECURE_BOOT_DATA};
use crate::reason::{Reason, name};

impl Checks<'_> {
    /// Checks the destination of an artifact.
    pub(super) fn place(&mut self, artifact: &Artifact<'_>, destination: &Destination) {
        let facts = self.facts;
        let region = destination.region;
        self.inside(artifact.name, region);
        if let Some(map) = self.migration.mcuboot {
            self.slots_apart(&map, artifact, destination);
        }
        if !region.start().is_aligned(SECTOR_BYTES) || region.is_empty() {
            self.refuse(Reason::Misaligned { what: name(artifact.name), region });
        }
        if artifact.len_bytes == Some(0) {
            self.refuse(Reason::Empty { artifact: name(artifact.name) });
        }
        // What it would take if there were room for it.
        let mut needed = region;
        if let Some(len_bytes) = artifact.len_bytes {
            let room_bytes = self.room(artifact, &region);
            if len_bytes > room_bytes {
                // The size of a slot is the bootloader's.
                let size_bytes = destination.slot.is_none().then(|| {
                    let size = region.len_bytes().max(room_bytes) - room_bytes;
                    let size = len_bytes.saturating_add(size);
                    size.checked_next_multiple_of(SECTOR_BYTES).unwrap_or(u32::MAX)
                });
                needed = Region::clamped(region.start(), size_bytes.unwrap_or(room_bytes));
                self.refuse(Reason::TooLarge {
                    artifact: name(artifact.name),
                    len_bytes,
                    room_bytes,
                    region,
                    size_bytes,
                });
            }
        }
        let written = layout::written(region, artifact);
        if artifact.role == Role::Application {
            let area = facts.bootloader_area().intersection(written);
            self.apart("the bootloader", artifact.name, area);
        }
        // Not only the written bytes matter: all of the region may be erased.
        let running = facts.running_image();
        if layout::is_over(self.migration.mcuboot.as_ref(), artifact, destination, running) {
            let dest = region;
            self.refuse(Reason::OverRunningCode { artifact: name(artifact.name), dest, running });
        }
        let is_for_rom = self.migration.commit == CommitWay::Replace;
        if artifact.role == Role::Bootloader
            && is_for_rom
            && region.start() != facts.chip.bootloader_addr()
        {
            let wanted = facts.chip.bootloader_addr();
            self.refuse(Reason::BootloaderMisplaced {
                artifact: name(artifact.name),
                dest: region,
                wanted,
            });
        }
        // Only a bootloader may be in the bootloader's area. Its contents show that it is one,
        // wherever the file begins.
        let area = facts.bootloader_area();
        let boots = layout::lost(facts, artifact, region).any(|lost| lost.contains(area.start()));
        let astray = layout::lost(facts, artifact, region).any(|lost| lost.overlaps(area));
        if artifact.role == Role::Other && astray && !boots {
            self.refuse(Reason::BootloaderMisplaced {
                artifact: name(artifact.name),
                dest: region,
                wanted: area.start(),
            });
        }
        for lost in layout::lost(facts, artifact, region) {
            let is_whole = lost.start() == needed.start() && lost.end() < needed.end();
            let dest = if is_whole && needed != region { needed } else { lost };
            self.keeps_with(artifact.name, lost, dest);
        }
    }

    /// What MCUboot has for itself is nobody's place: it swaps the contents of its slots, and
    /// writes over its scratch area. An application may fill a slot, and a merged image may bring
    /// what is to be in them.
    fn slots_apart(
        &mut self,
        map: &McubootMap,
        artifact: &Artifact<'_>,
        destination: &Destination,
    ) {
        let region = destination.region;
        let may_be_there = match artifact.role {
            Role::Application => destination.slot.is_some(),
            Role::Bootloader => false,
            Role::Other => layout::is_merged(self.facts, artifact, region),
        };
        if may_be_there {
            return;
        }
        let scratch = map.scratch.filter(|_| map.swap == SwapKind::Scratch);
        let areas = [
            ("the primary slot", Some(map.primary)),
            ("the secondary slot", Some(map.secondary)),
            ("the scratch area", scratch),
        ];
        for (what, area) in areas {
            self.apart(artifact.name, what, area.and_then(|area| area.intersection(region)));
        }
    }

    /// Refuses what would overwrite the partition table or a data partition that the migration does
    /// not give up by name.
    pub(super) fn keeps(&mut self, what: &str, dest: Region) {
        self.keeps_with(what, dest, dest);
    }

    /// The same; what is refused is said to go to `whole`.
    fn keeps_with(&mut self, what: &str, dest: Region, whole: Region) {
        let (migration, facts) = (self.migration, self.facts);
        let fixed =
            [(SECURE_BOOT_DATA, layout::secure_boot_data(facts)), (PARTITION_TABLE, facts.table())];
        let fixed = fixed
            .into_iter()
            .filter_map(|(label, region)| region.intersection(dest).map(|shared| (label, shared)));
        // Entries of the boot area, as in tables of ESP-IDF 5.4, have their own rules: what may
        // overwrite the bootloader, and the table under its fixed name.
        let boot_area = |p: &&Partition| {
            let is_there = [facts.bootloader_area(), facts.table()]
                .iter()
                .any(|area| area.contains_region(p.region));
            p.is_primary_boot_area() && is_there
        };
        let labelled = kept(facts).filter(|p| !boot_area(p)).filter_map(|p| {
            let shared = layout::whole(p).intersection(dest)?;
            Some((p.label.as_str().unwrap_or("a partition without a readable label"), shared))
        });
        for (label, region) in fixed.chain(labelled) {
            if !migration.allow.overwrites(label) {
                let (artifact, kept) = (name(what), name(label));
                self.refuse(Reason::OverKept { artifact, dest: whole, kept, region });
            }
        }
    }

    /// Largest length of an artifact.
    pub(super) fn room(&self, artifact: &Artifact<'_>, region: &Region) -> u32 {
        match (artifact.role, artifact.dest, artifact.region_len_bytes) {
            // A size is that of the bootloader's own region.
            (Role::Bootloader, ..) if self.migration.commit == CommitWay::Hosted => {
                region.len_bytes()
            }
            (Role::Bootloader, Some(dest), _) => dest.from(region.start()).len_bytes(),
            (Role::Bootloader, None, Some(len_bytes)) => len_bytes,
            (Role::Bootloader, None, None) => {
                self.facts.bootloader_area().len_bytes().max(region.len_bytes())
            }
            _ => region.len_bytes(),
        }
    }
}
