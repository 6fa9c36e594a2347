//! Every reason against a migration that can be found before regions are assigned.

mod content;
mod hosted;
mod place;
mod slots;

use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use heapless::Vec;
use mcuboot_format::SwapKind;

use crate::commit_way::CommitWay;
use crate::facts::DeviceFacts;
use crate::layout::{self, AppSlot, Destination, MAX_ARTIFACTS};
use crate::migration::{Artifact, Migration, Role};
use crate::reason::{Reason, Reasons, name};

/// Collects every reason against the migration with the application in `app_slot`; if there is
/// none, returns the final region of each artifact, in the migration's order.
pub(crate) fn check(
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
    app_slot: AppSlot,
) -> Result<Vec<Destination, MAX_ARTIFACTS>, Reasons> {
    let mut checks = Checks { migration, facts, app_slot, reasons: Reasons::new() };
    migration.against.iter().for_each(|reason| checks.refuse(reason.clone()));
    checks.device();
    checks.map();
    checks.hosted();
    let destinations = checks.artifacts();
    if checks.reasons.is_empty() { Ok(destinations) } else { Err(checks.reasons) }
}

struct Checks<'a> {
    migration: &'a Migration<'a>,
    facts: &'a DeviceFacts<'a>,
    app_slot: AppSlot,
    reasons: Reasons,
}

impl Checks<'_> {
    // A reason is large, and there are dozens of callers.
    #[inline(never)]
    fn refuse(&mut self, reason: Reason) {
        // If there is no room for more reasons, nothing is lost: one is enough to refuse.
        let _ = self.reasons.push(reason);
    }

    /// Refuses two things that share addresses.
    fn apart(&mut self, first: &str, second: &str, shared: Option<Region>) {
        if let Some(shared) = shared {
            let (first, second) = (name(first), name(second));
            self.refuse(Reason::Overlap { first, second, shared });
        }
    }

    /// Refuses what is not inside of the flash, or is beyond the range of addresses.
    fn inside(&mut self, what: &str, region: Region) {
        let (what, flash_len_bytes) = (name(what), self.facts.flash().len_bytes());
        if !self.facts.flash().contains_region(region) {
            self.refuse(Reason::OutsideFlash { what, region, flash_len_bytes });
        } else if !self.facts.reachable().contains_region(region) {
            self.refuse(Reason::Above16Mb { what, region });
        }
    }

    /// Checks the device itself.
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
            && wanted_bytes > facts.flash().len_bytes()
        {
            let found_bytes = facts.flash().len_bytes();
            self.refuse(Reason::FlashTooSmall { wanted_bytes, found_bytes });
        }
        for partition in facts.partitions {
            if !facts.flash().contains_region(partition.region) {
                self.refuse(Reason::BadPartition {
                    label: partition.label,
                    region: partition.region,
                });
            }
        }
        if let Some(other) = facts.other_table_addr {
            self.refuse(Reason::TwoTables { first: facts.table_addr, second: other });
        }
        // The migrator reads its own image, and selects itself in otadata.
        let otadata = facts.partitions.iter().filter(|p| p.is_otadata());
        let needed = otadata.map(|p| ("otadata", p.region));
        for (what, region) in needed.chain([("the running migrator", facts.running_image())]) {
            if facts.flash().contains_region(region) {
                self.inside(what, region);
            }
        }
        if !facts.partitions.iter().any(|p| p.is_app() && p.region == facts.running) {
            self.refuse(Reason::UnknownRunning { running: facts.running });
        }
        if facts.running_len_bytes > facts.running.len_bytes() {
            let (len_bytes, running) = (facts.running_len_bytes, facts.running);
            self.refuse(Reason::MigratorTooLarge { len_bytes, running });
        }
    }

    /// Checks MCUboot's map.
    fn map(&mut self) {
        let Some(map) = self.migration.mcuboot else { return };
        // A slot there would be cleaned before the commit, and the old bootloader would be erased
        // with it.
        let boot = Region::clamped(FlashAddr::ZERO, self.facts.table_addr.get());
        let scratch = map.scratch.map(|region| ("scratch area", region));
        let parts = [("primary slot", map.primary), ("secondary slot", map.secondary)]
            .into_iter()
            .chain(scratch);
        for (index, (what, region)) in parts.clone().enumerate() {
            self.inside(what, region);
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
        if !map.slots_match() {
            let (primary, secondary, swap) = (map.primary, map.secondary, map.swap);
            self.refuse(Reason::SlotsDiffer { primary, secondary, swap });
        }
        for (what, region) in parts {
            let sectors = region.len_bytes().div_ceil(SECTOR_BYTES);
            if sectors > map.max_sectors {
                let (what, max_sectors) = (name(what), map.max_sectors);
                self.refuse(Reason::TooManySectors { what, region, sectors, max_sectors });
            }
        }
        let slots = [map.primary, map.secondary];
        if let Some(slot) = slots.into_iter().find(|slot| map.trailer_area(*slot).is_none()) {
            self.refuse(Reason::BadMap { slot, max_align_bytes: map.max_align_bytes });
        }
        // The trailer of the slot that the application fills is written with it; without an
        // application, both trailers are cleaned.
        let image = self.facts.running.prefix(self.facts.running_len_bytes);
        let app = self.migration.artifacts.iter().find(|a| a.role == Role::Application);
        let dest =
            app.and_then(|a| layout::destination(self.migration, self.facts, a, self.app_slot));
        let filled = dest.and_then(|dest| dest.slot);
        for slot in [map.primary, map.secondary].into_iter().filter(|slot| Some(*slot) != filled) {
            if let Some(trailer) = map.trailer_area(slot)
                && trailer.overlaps(image)
            {
                self.refuse(Reason::TrailerUnderRunningCode { trailer, running: image });
            }
        }
    }

    /// Checks every artifact, and every pair of them.
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
                if (artifact.role, self.migration.commit) == (Role::Bootloader, CommitWay::Hosted) {
                    self.no_host(artifact);
                } else {
                    self.refuse(Reason::NoDestination { artifact: name(artifact.name) });
                }
                continue;
            };
            self.place(artifact, &destination);
            self.leaves_host(artifact, &destination);
            self.content(artifact, &destination);
            for (other, earlier) in self.migration.artifacts.iter().zip(&destinations) {
                let earlier: &Destination = earlier;
                // All of a region may be erased, so another file must not reach into it; except the
                // bootloader's region, because its commit changes only what the image covers.
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
}
