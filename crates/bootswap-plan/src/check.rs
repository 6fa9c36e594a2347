//! What can be said against a migration before any place is looked for.

use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use heapless::Vec;
use mcuboot_format::SwapKind;

use crate::DeviceFacts;
use crate::cleaned::cleaned;
use crate::layout::{
    self, AppSlot, Destination, MAX_ARTIFACTS, bootloader_area, kept, table_region,
};
use crate::migration::{Artifact, Content, McubootMap, Migration, PARTITION_TABLE, Role};
use crate::reason::{Reason, Reasons, name};

/// What the checks found out on the way.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Where each artifact ends, in the migration's order.
    pub destinations: Vec<Destination, MAX_ARTIFACTS>,
}

/// The trailer area of a slot under this map; `None` where no trailer fits.
pub(crate) fn trailer(map: &McubootMap<'_>, slot: Region) -> Option<Region> {
    map.trailer(slot).map(|layout| layout.trailer())
}

/// Collects every reason against the migration with the application in `app_slot`.
pub(crate) fn check(
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
    app_slot: AppSlot,
) -> Result<Checked, Reasons> {
    let mut checks = Checks { migration, facts, app_slot, reasons: Reasons::new() };
    checks.device();
    checks.map();
    let destinations = checks.artifacts();
    if checks.reasons.is_empty() { Ok(Checked { destinations }) } else { Err(checks.reasons) }
}

struct Checks<'a> {
    migration: &'a Migration<'a>,
    facts: &'a DeviceFacts<'a>,
    app_slot: AppSlot,
    reasons: Reasons,
}

impl Checks<'_> {
    // A reason is large, and there are dozens of places.
    #[inline(never)]
    fn refuse(&mut self, reason: Reason) {
        // More reasons than there is room for change nothing: one is enough to refuse.
        let _ = self.reasons.push(reason);
    }

    /// Refuses two things that share addresses.
    fn apart(&mut self, first: &str, second: &str, shared: Option<Region>) {
        if let Some(shared) = shared {
            let (first, second) = (name(first), name(second));
            self.refuse(Reason::Overlap { first, second, shared });
        }
    }

    /// The device as such.
    fn device(&mut self) {
        let (migration, facts) = (self.migration, self.facts);
        if facts.secure_boot {
            self.refuse(Reason::SecureBoot);
        }
        if facts.flash_encryption {
            self.refuse(Reason::FlashEncryption);
        }
        if migration.chip != facts.chip {
            self.refuse(Reason::WrongChip { wanted: migration.chip, found: facts.chip });
        }
        if let Some(wanted_bytes) = migration.flash_len_bytes
            && wanted_bytes > facts.flash_len_bytes
        {
            self.refuse(Reason::FlashTooSmall { wanted_bytes, found_bytes: facts.flash_len_bytes });
        }
        for partition in facts.partitions {
            if !facts.flash().contains_region(partition.region) {
                self.refuse(Reason::BadPartition {
                    label: partition.label,
                    region: partition.region,
                });
            }
        }
        if !facts.partitions.iter().any(|p| p.is_app() && p.region == facts.running) {
            self.refuse(Reason::UnknownRunning { running: facts.running });
        }
    }

    /// MCUboot's map.
    fn map(&mut self) {
        let Some(map) = self.migration.mcuboot else { return };
        // A slot there would be cleaned before the commit, under the bootloader in place.
        let boot = Region::clamped(FlashAddr::ZERO, table_region().start().get());
        let scratch = map.scratch.map(|region| ("scratch area", region));
        let parts = [("primary slot", map.primary), ("secondary slot", map.secondary)]
            .into_iter()
            .chain(scratch);
        for (index, (what, region)) in parts.clone().enumerate() {
            if !self.facts.flash().contains_region(region) {
                let flash_len_bytes = self.facts.flash_len_bytes;
                self.refuse(Reason::OutsideFlash { what: name(what), region, flash_len_bytes });
            }
            if !region.is_aligned(SECTOR_BYTES) {
                self.refuse(Reason::Misaligned { what: name(what), region });
            }
            self.apart("bootloader", what, region.intersection(boot));
            for (other, second) in parts.clone().skip(index + 1) {
                self.apart(what, other, region.intersection(second));
            }
            self.keeps(what, region);
        }
        if map.swap == SwapKind::Scratch && map.scratch.is_none_or(|s| s.len_bytes() < SECTOR_BYTES)
        {
            self.refuse(Reason::NoScratch);
        }
        if map.primary.len_bytes() != map.secondary.len_bytes() {
            self.refuse(Reason::SlotsDiffer { primary: map.primary, secondary: map.secondary });
        }
        if trailer(&map, map.primary).is_none() {
            self.refuse(Reason::BadMap { slot: map.primary, max_align_bytes: map.max_align_bytes });
        }
        // The trailer of the slot that the application fills comes with it; without one both are cleaned.
        let image = self.facts.running.prefix(self.facts.running_len_bytes);
        let app = self.migration.artifacts.iter().find(|a| a.role == Role::Application);
        let dest =
            app.and_then(|a| layout::destination(self.migration, self.facts, a, self.app_slot));
        let filled = dest.and_then(|dest| dest.slot);
        for slot in [map.primary, map.secondary].into_iter().filter(|slot| Some(*slot) != filled) {
            if let Some(trailer) = trailer(&map, slot)
                && trailer.overlaps(image)
            {
                self.refuse(Reason::TrailerUnderRunningCode { trailer, running: image });
            }
        }
    }

    /// Every artifact, and each with each other.
    fn artifacts(&mut self) -> Vec<Destination, MAX_ARTIFACTS> {
        let mut destinations = Vec::new();
        let count = self.migration.artifacts.len();
        if count == 0 || count > MAX_ARTIFACTS {
            self.refuse(Reason::ArtifactCount { count });
            return destinations;
        }
        let mut apps = self.migration.artifacts.iter().filter(|a| a.role == Role::Application);
        if let (Some(_), Some(first), Some(second)) =
            (self.migration.mcuboot, apps.next(), apps.next())
        {
            let (first, second) = (name(first.name), name(second.name));
            self.refuse(Reason::SecondApplication { first, second });
        }
        for artifact in self.migration.artifacts {
            let Some(destination) =
                layout::destination(self.migration, self.facts, artifact, self.app_slot)
            else {
                self.refuse(Reason::NoDestination { artifact: name(artifact.name) });
                continue;
            };
            self.place(artifact, &destination);
            self.content(artifact, &destination);
            for (other, earlier) in self.migration.artifacts.iter().zip(&destinations) {
                let earlier: &Destination = earlier;
                // Of a place all may be erased on the way, so it must not hold what another one's file
                // fills; except the bootloader's, whose commit leaves others alone.
                let whole = |artifact: &Artifact<'_>, region: Region| match artifact.role {
                    Role::Bootloader => layout::written(region, artifact),
                    Role::Application | Role::Other => region,
                };
                let theirs = layout::written(earlier.region, other);
                let ours = layout::written(destination.region, artifact);
                let over_theirs = whole(artifact, destination.region).intersection(theirs);
                let shared = over_theirs.or(ours.intersection(whole(other, earlier.region)));
                self.apart(other.name, artifact.name, shared);
            }
            let _ = destinations.push(destination);
        }
        self.starts_something(&destinations);
        self.is_not_cleaned(&destinations);
        destinations
    }

    /// What the steps clean for MCUboot has to be nobody's place, and nothing that the migrator is found by.
    fn is_not_cleaned(&mut self, destinations: &[Destination]) {
        let artifacts = self.migration.artifacts;
        let Some(map) = self.migration.mcuboot else { return };
        if artifacts.len() != destinations.len() {
            return;
        }
        let filled = destinations.iter().find_map(|destination| destination.slot);
        // Until the new bootloader is in place the old one needs these, whoever has given them up.
        let partitions = self.facts.partitions.iter();
        let otadata = partitions.clone().filter(|p| p.is_otadata()).map(|p| ("otadata", p.region));
        let needed = otadata.chain([(PARTITION_TABLE, table_region())]);
        for (what, part) in cleaned(&map, filled) {
            for (needed, region) in needed.clone() {
                self.apart(needed, what, part.intersection(region));
            }
        }
        // What the image does not reach of its slot is erased before the commit, to which NVS lasts; and
        // its trailer is judged in its place before that.
        let nvs = partitions.filter(|p| p.is_nvs()).map(|p| ("NVS", p.region));
        let needed = needed.chain(nvs);
        for (artifact, destination) in artifacts.iter().zip(destinations) {
            let Some(slot) = destination.slot else { continue };
            let trailer = trailer(&map, slot).unwrap_or_default().start().align_down(SECTOR_BYTES);
            let rest = slot.from(layout::written(slot, artifact).end().min(trailer));
            for (needed, region) in needed.clone() {
                self.apart(needed, "the end of the application's slot", rest.intersection(region));
            }
        }
        for (artifact, destination) in artifacts.iter().zip(destinations) {
            if destination.slot.is_some() {
                continue;
            }
            let written = layout::written(destination.region, artifact);
            for (what, part) in cleaned(&map, filled) {
                self.apart(artifact.name, what, part.intersection(written));
            }
        }
    }

    /// A new bootloader has to find what it is to start, or it is the last thing that the device does; and
    /// an application goes to no slot that it is not started from.
    fn starts_something(&mut self, destinations: &[Destination]) {
        let artifacts = self.migration.artifacts;
        let Some(map) = self.migration.mcuboot else { return };
        // An artifact without a destination has a reason of its own.
        let concerns = |artifact: &Artifact<'_>, destination: &Destination| {
            let start = self.facts.chip.bootloader_addr();
            destination.slot.is_some()
                || layout::written(destination.region, artifact).contains(start)
        };
        if artifacts.len() != destinations.len()
            || !artifacts.iter().zip(destinations).any(|(a, d)| concerns(a, d))
        {
            return;
        }
        let is_brought = |slot: Region| {
            artifacts.iter().zip(destinations).any(|(artifact, destination)| {
                layout::written(destination.region, artifact).contains(slot.start())
            })
        };
        let swaps_in = matches!(map.swap, SwapKind::Scratch | SwapKind::Overwrite);
        let is_found = is_brought(map.primary) || (swaps_in && is_brought(map.secondary));
        if !is_found {
            self.refuse(Reason::NothingToStart { primary: map.primary });
        }
    }

    /// Where an artifact goes.
    fn place(&mut self, artifact: &Artifact<'_>, destination: &Destination) {
        let facts = self.facts;
        let region = destination.region;
        if !facts.flash().contains_region(region) {
            let flash_len_bytes = facts.flash_len_bytes;
            self.refuse(Reason::OutsideFlash {
                what: name(artifact.name),
                region,
                flash_len_bytes,
            });
        }
        // An application is in a slot, or in none.
        let map = self.migration.mcuboot.as_ref().filter(|_| artifact.role == Role::Application);
        if let (Some(map), None) = (map, destination.slot) {
            for (what, area) in [("primary slot", map.primary), ("secondary slot", map.secondary)] {
                self.apart(artifact.name, what, area.intersection(region));
            }
        }
        if !region.start().is_aligned(SECTOR_BYTES) || region.is_empty() {
            self.refuse(Reason::Misaligned { what: name(artifact.name), region });
        }
        if artifact.len_bytes == Some(0) {
            self.refuse(Reason::Empty { artifact: name(artifact.name) });
        }
        if let Some(len_bytes) = artifact.len_bytes {
            let room_bytes = self.room(artifact, &region);
            if len_bytes > room_bytes {
                self.refuse(Reason::TooLarge {
                    artifact: name(artifact.name),
                    len_bytes,
                    room_bytes,
                    region,
                });
            }
        }
        let written = layout::written(region, artifact);
        if artifact.role == Role::Application {
            let area = layout::bootloader_area(facts).intersection(written);
            self.apart("the bootloader", artifact.name, area);
        }
        // Not only what is written counts: all of the place may be erased.
        let running = facts.running_image();
        if region.overlaps(running) {
            let dest = region;
            self.refuse(Reason::OverRunningCode { artifact: name(artifact.name), dest, running });
        }
        if artifact.role == Role::Bootloader && region.start() != facts.chip.bootloader_addr() {
            let wanted = facts.chip.bootloader_addr();
            self.refuse(Reason::BootloaderMisplaced {
                artifact: name(artifact.name),
                dest: region,
                wanted,
            });
        }
        // An artifact with a place of its own was sent there by name; the gaps of a merged image
        // are kept when it is written.
        if artifact.role == Role::Other {
            return;
        }
        // All of a place may be erased on the way, but for the bootloader's, whose commit leaves others alone.
        let lost = if artifact.role == Role::Bootloader { written } else { region };
        self.keeps(artifact.name, lost);
    }

    /// Refuses what would overwrite the partition table or a data partition that the migration does
    /// not give up by name.
    fn keeps(&mut self, what: &str, dest: Region) {
        let (migration, facts) = (self.migration, self.facts);
        let table = table_region().intersection(dest).map(|region| (PARTITION_TABLE, region));
        let labelled = kept(facts).filter_map(|p| {
            let shared = p.region.intersection(dest)?;
            Some((p.label.as_str().unwrap_or("a partition without a readable label"), shared))
        });
        for (label, region) in table.into_iter().chain(labelled) {
            if !migration.allow.overwrites(label) {
                let (artifact, kept) = (name(what), name(label));
                self.refuse(Reason::OverKept { artifact, dest, kept, region });
            }
        }
    }

    /// Bytes that an artifact may have.
    fn room(&self, artifact: &Artifact<'_>, region: &Region) -> u32 {
        match (artifact.role, artifact.dest, artifact.region_len_bytes) {
            (Role::Bootloader, Some(dest), _) => dest.from(region.start()).len_bytes(),
            (Role::Bootloader, None, Some(len_bytes)) => len_bytes,
            (Role::Bootloader, None, None) => bootloader_area(self.facts).len_bytes(),
            _ => region.len_bytes(),
        }
    }

    /// What an artifact is, as far as that is known.
    fn content(&mut self, artifact: &Artifact<'_>, destination: &Destination) {
        let Some(content) = artifact.content else { return };
        let map = self.migration.mcuboot.as_ref();
        match (artifact.role, content, destination.slot, map) {
            (
                Role::Application,
                Content::Mcuboot { image_len_bytes, padded, confirmed, signed },
                Some(slot),
                Some(map),
            ) => {
                if let Some(limits) = map.limits()
                    && image_len_bytes > limits.max_image_len_bytes
                {
                    let (artifact, room_bytes) = (name(artifact.name), limits.max_image_len_bytes);
                    self.refuse(Reason::ReachesTrailer { artifact, image_len_bytes, room_bytes });
                }
                if map.swap == SwapKind::Scratch
                    && slot == map.secondary
                    && let Some(trailer) = trailer(map, slot)
                {
                    let sector = trailer.start().align_down(SECTOR_BYTES);
                    let room_bytes = sector.bytes_since(slot.start());
                    if image_len_bytes > room_bytes {
                        let artifact = name(artifact.name);
                        self.refuse(Reason::SharesTrailerSector {
                            artifact,
                            image_len_bytes,
                            room_bytes,
                        });
                    }
                }
                // Straight in the primary an image needs no trailer to be started.
                let needs_trailer = slot == map.secondary;
                // Overwriting cannot be undone, so MCUboot does not ask whether it was confirmed.
                let trial = self.migration.allow.test_image || map.swap == SwapKind::Overwrite;
                let good = artifact.confirm || (padded && (confirmed || trial));
                if needs_trailer && !good {
                    self.refuse(Reason::NotConfirmed { artifact: name(artifact.name) });
                }
                if map.key_der.is_some() && !signed {
                    self.refuse(Reason::NotSigned { artifact: name(artifact.name) });
                }
            }
            (Role::Application, _, Some(_), Some(_)) => {
                self.refuse(Reason::WrongContent {
                    artifact: name(artifact.name),
                    wanted: "an MCUboot image",
                });
            }
            (Role::Bootloader, Content::EspImage { chip_id, flash_len_bytes, .. }, ..) => {
                let found = self.facts.chip;
                if chip_id != found.image_chip_id() {
                    self.refuse(Reason::WrongImageChip {
                        artifact: name(artifact.name),
                        chip_id,
                        found,
                    });
                }
                if let Some(wanted_bytes) = flash_len_bytes
                    && wanted_bytes > self.facts.flash_len_bytes
                {
                    let found_bytes = self.facts.flash_len_bytes;
                    self.refuse(Reason::FlashTooSmall { wanted_bytes, found_bytes });
                }
                if let (Some(header_bytes), Some(map)) = (flash_len_bytes, map)
                    && map.end().get() > header_bytes
                {
                    let (artifact, map_end) = (name(artifact.name), map.end());
                    self.refuse(Reason::MapBehindFlash { artifact, header_bytes, map_end });
                }
            }
            (Role::Bootloader, ..) => {
                self.refuse(Reason::WrongContent {
                    artifact: name(artifact.name),
                    wanted: "an ESP image",
                });
            }
            _ => {}
        }
    }
}
