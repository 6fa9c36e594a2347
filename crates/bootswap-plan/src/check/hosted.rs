//! Checks what a carrier needs: a place, an old system that remains, and a loader.

use carrier_format::LoaderMemory;
use flash_region::Region;

use super::Checks;
use crate::carrier::CarrierContent;
use crate::commit_way::CommitWay;
use crate::host::{areas, better_scratch, is_where_it_runs};
use crate::layout::{self, Destination};
use crate::migration::{Artifact, PARTITION_TABLE, Role};
use crate::reason::{Reason, name};

impl Checks<'_> {
    /// Checks what does not depend on where artifacts go.
    pub(super) fn hosted(&mut self) {
        let (migration, facts) = (self.migration, self.facts);
        if migration.commit != CommitWay::Hosted {
            return;
        }
        if LoaderMemory::of(facts.chip).is_none() {
            self.refuse(Reason::NoLoader { chip: facts.chip });
        }
        if migration.mcuboot.is_none()
            || !migration.artifacts.iter().any(|artifact| artifact.role == Role::Bootloader)
        {
            self.refuse(Reason::NotHosted);
        }
        if facts.otadata().is_none() {
            self.refuse(Reason::NothingSelects);
        }
        let Some(map) = &migration.mcuboot else { return };
        for (what, area) in areas(map) {
            self.leaves_for_good(what, area);
        }
    }

    /// What the old system boots from remains for good, whatever the migration allows to overwrite.
    fn leaves_for_good(&mut self, what: &str, region: Region) {
        let facts = self.facts;
        let otadata = facts.otadata().map(|otadata| ("otadata", otadata));
        let needed = [("bootloader", facts.bootloader_area()), (PARTITION_TABLE, facts.table())];
        for (needed, kept) in needed.into_iter().chain(otadata) {
            if let Some(shared) = kept.intersection(region) {
                let (what, kept) = (name(what), name(needed));
                self.refuse(Reason::OverHost { what, kept, shared });
            }
        }
    }

    /// The same for an artifact.
    pub(super) fn leaves_host(&mut self, artifact: &Artifact<'_>, destination: &Destination) {
        if self.migration.commit == CommitWay::Hosted {
            self.leaves_for_good(artifact.name, layout::written(destination.region, artifact));
        }
    }

    /// Refuses a carrier for which there is no partition, with the map that would have one.
    pub(super) fn no_host(&mut self, carrier: &Artifact<'_>) {
        let (migration, facts) = (self.migration, self.facts);
        // Other reasons say what is missing.
        let Some(map) = migration.mcuboot.as_ref().filter(|_| facts.otadata().is_some()) else {
            return;
        };
        self.refuse(Reason::NoHost {
            artifact: name(carrier.name),
            needed_bytes: carrier.len_bytes.unwrap_or(0),
            scratch: better_scratch(map, facts, carrier),
            is_running: is_where_it_runs(map, facts, carrier),
        });
    }

    /// Checks what is known about a carrier.
    pub(super) fn carrier(&mut self, artifact: &Artifact<'_>, carrier: &CarrierContent) {
        let found = self.facts.chip;
        let chip_id = carrier.chip_id;
        if chip_id != found.image_chip_id() {
            let artifact = name(artifact.name);
            return self.refuse(Reason::WrongImageChip { artifact, chip_id, found });
        }
        if let Some(why) = carrier.misfit(self.facts) {
            self.refuse(Reason::Unfit { artifact: name(artifact.name), why });
        }
    }
}
