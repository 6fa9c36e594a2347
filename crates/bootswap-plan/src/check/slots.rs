//! Checks what MCUboot finds in its slots, and what is cleaned for it.

use flash_region::{Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

use super::Checks;
use crate::cleaned::cleaned;
use crate::commit_way::CommitWay;
use crate::layout::{self, Destination};
use crate::migration::{Artifact, PARTITION_TABLE, Role};
use crate::otadata::{goes_back, is_reached, says_what_starts, successor, ways_to_go_back};
use crate::reason::{Reason, name};

impl Checks<'_> {
    /// What the steps clean for MCUboot must not be in an artifact's region, nor in what the old
    /// bootloader needs to find the migrator.
    pub(super) fn is_not_cleaned(&mut self, destinations: &[Destination]) {
        let artifacts = self.migration.artifacts;
        let Some(map) = self.migration.mcuboot else { return };
        if artifacts.len() != destinations.len() {
            return;
        }
        let filled = layout::filled(self.migration, self.facts, destinations);
        // Until the new bootloader is in place, the old one needs these, even if the migration
        // allows to overwrite them.
        let partitions = self.facts.partitions.iter();
        let otadata =
            partitions.clone().filter(|p| p.is_otadata()).map(|p| ("otadata", layout::whole(p)));
        let needed = otadata.chain([(PARTITION_TABLE, self.facts.table())]);
        let running = self.facts.running_image();
        for part in cleaned(&map, filled, running) {
            for (needed, region) in needed.clone() {
                self.apart(needed, part.what, part.area.intersection(region));
            }
        }
        // The part of its slot that the image does not use is erased before the commit, and its
        // trailer is verified before that; NVS is needed until the commit.
        let nvs = partitions.filter(|p| p.is_nvs()).map(|p| ("NVS", layout::whole(p)));
        let needed = needed.chain(nvs);
        for (artifact, destination) in artifacts.iter().zip(destinations) {
            let Some(slot) = destination.slot else { continue };
            let trailer =
                map.trailer_area(slot).unwrap_or_default().start().align_down(SECTOR_BYTES);
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
            for part in cleaned(&map, filled, running) {
                self.apart(artifact.name, part.what, part.area.intersection(written));
            }
        }
    }

    /// A new bootloader must find an application, or the device does nothing any more. And an
    /// application must not be written to a slot from which it is not started.
    pub(super) fn starts_something(&mut self, destinations: &[Destination]) {
        let artifacts = self.migration.artifacts;
        self.leaves_something(destinations);
        self.ends_with_migrator(destinations);
        let Some(map) = self.migration.mcuboot else { return };
        // An artifact without a destination has another reason.
        let concerns = |artifact: &Artifact<'_>, destination: &Destination| {
            let start = self.facts.chip.bootloader_addr();
            let carries =
                (artifact.role, self.migration.commit) == (Role::Bootloader, CommitWay::Hosted);
            destination.slot.is_some()
                || carries
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
            self.refuse(Reason::NothingToStart { primary: Some(map.primary) });
        }
    }

    /// A migration that ends in the previous firmware must not overwrite it, unless the migration's
    /// own table or otadata says what is started.
    fn leaves_something(&mut self, destinations: &[Destination]) {
        let (migration, facts) = (self.migration, self.facts);
        if !goes_back(migration, facts) {
            return;
        }
        let says = |region: Region| destinations.iter().any(|d| d.region.overlaps(region));
        // A test app cannot be selected, nor a slot behind a gap in their numbers.
        let mut others = ways_to_go_back(facts, None);
        if facts.otadata().is_none() || others.all(|(region, _)| says(region)) {
            self.refuse(Reason::NothingToStart { primary: None });
        }
    }

    /// A new bootloader that goes by the partition table starts the migrator again when all is
    /// done, which then has to be able to select the application.
    fn ends_with_migrator(&mut self, destinations: &[Destination]) {
        let (migration, facts) = (self.migration, self.facts);
        let boot = facts.chip.bootloader_addr();
        let replaces = migration.artifacts.iter().zip(destinations).any(|(artifact, d)| {
            artifact.role == Role::Bootloader || layout::written(d.region, artifact).contains(boot)
        });
        if migration.mcuboot.is_some() || !replaces || says_what_starts(migration, facts) {
            return;
        }
        if let Some((app, partition)) = successor(migration, facts.partitions)
            && !is_reached(facts, partition)
        {
            let (artifact, start) = (name(app.name), facts.running.start());
            self.refuse(Reason::NoOtadata { artifact, start });
        }
    }
}
