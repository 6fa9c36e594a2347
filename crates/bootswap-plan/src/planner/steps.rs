//! The steps for all artifacts, in order.

use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use super::{Planner, Way};
use crate::cleaned::cleaned;
use crate::commit_way::CommitWay;
use crate::layout;
use crate::migration::Role;
use crate::otadata::app_in;
use crate::step::{Merge, Place, Purpose, Step, Target};

impl Planner<'_> {
    /// Cleans the trailer area of the slot that the application is written to, unless its file has
    /// a trailer: the area must be blank before the image is written, since the two can share a
    /// sector.
    fn own_trailer(&self, way: &Way<'_>) -> Option<Step> {
        let (map, slot) = (self.migration.mcuboot.as_ref()?, way.destination.slot?);
        if way.artifact.len_bytes.is_none_or(|len| len == slot.len_bytes()) {
            return None;
        }
        let region = map.trailer_area(slot)?;
        let erasable = region.align_out(SECTOR_BYTES)?;
        Some(Step::Clean { region, erasable, purpose: Purpose::OwnTrailer })
    }

    pub(super) fn fetches(&mut self, ways: &[Way<'_>]) {
        for way in ways {
            if let Some(clean) = self.own_trailer(way) {
                self.push(clean);
            }
            self.push(Step::Fetch { artifact: way.index, routes: way.routes.clone() });
            if let Some(from) = way.harmless {
                let to = way.destination.place();
                // In its slot it leaves alone what its fetch would.
                let reserved = self.reserved_in(to.slot);
                let to = Place { region: to.region.prefix(from.len_bytes()), reserved, ..to };
                self.push(Step::Copy { artifact: way.index, from, to });
            }
        }
    }

    /// Leaves trailers, header and scratch area in a state that MCUboot starts from.
    ///
    /// If the migration allows to overwrite NVS, NVS is not erased before everything else is ready
    /// for the commit: the old firmware, and the migrator's own network, may need it. `in_nvs`
    /// selects which of the two kinds of steps to push.
    pub(super) fn cleanings(&mut self, in_nvs: bool) {
        let Some(map) = &self.migration.mcuboot else { return };
        let filled = layout::filled(self.migration, self.facts, &self.destinations);
        for cleaned in cleaned(map, filled, self.facts.running_image()) {
            let mut nvs = self.facts.partitions.iter().filter(|p| p.is_nvs());
            if nvs.any(|p| p.region.overlaps(cleaned.erasable)) == in_nvs {
                self.push(cleaned.step);
            }
        }
    }

    /// Confirms applications whose files have no trailer.
    pub(super) fn confirmations(&mut self, ways: &[Way<'_>]) {
        for way in ways {
            if let (Some(slot), true) = (way.destination.slot, way.artifact.confirm) {
                self.push(Step::Confirm { slot });
            }
        }
    }

    pub(super) fn verifications(&mut self, ways: &[Way<'_>]) {
        for way in ways {
            let mut routes = way.routes.clone();
            if way.harmless.is_some() {
                routes.clear();
                if let Some(target) = way.critical {
                    self.route(&mut routes, 0, target);
                }
                let offset = way.critical.map_or(0, |target| target.len_bytes());
                self.route(&mut routes, offset, Target::Flash(way.destination.place()));
            }
            self.push(Step::Verify { artifact: way.index, routes });
        }
    }

    /// Makes the old bootloader start the carrier.
    fn hosts(&mut self, ways: &[Way<'_>]) {
        let carriers = ways.iter().filter(|way| way.artifact.role == Role::Bootloader);
        for Way { index, destination, .. } in carriers {
            let mut apps = self.facts.partitions.iter().filter(|p| p.is_app());
            let start = destination.region.start();
            let app = apps.find(|p| p.region.start() == start && !p.region.is_empty());
            let app = app.and_then(|p| app_in(self.facts, p.region));
            if let (Some(app), Some(otadata)) = (app, self.facts.otadata()) {
                self.push(Step::Host { artifact: *index, otadata, app });
            }
        }
    }

    /// Commits what is critical. Otadata is last: while it selects the migrator, a bootloader that
    /// reads it starts the migrator again, which completes what a power cut left undone.
    pub(super) fn commits(&mut self, ways: &[Way<'_>]) {
        let facts = self.facts;
        if self.migration.commit == CommitWay::Hosted {
            return self.hosts(ways);
        }
        let is_otadata = |way: &&Way<'_>| {
            let critical = way.destination.critical();
            let otadata =
                facts.partitions.iter().any(|p| p.is_otadata() && p.region.overlaps(critical));
            otadata && !critical.overlaps(facts.bootloader_area())
        };
        let last = ways.iter().filter(is_otadata);
        for way in ways.iter().filter(|way| !is_otadata(way)).chain(last) {
            let Some(from) = way.critical else { continue };
            let artifact = way.artifact;
            let critical = way.destination.critical();
            let region = layout::written(critical, artifact);
            let merge = match artifact.role {
                // Only a merged image has gaps; in any other artifact, blank sectors are written
                // too.
                Role::Other if layout::is_merged(self.facts, artifact, way.destination.region) => {
                    Merge::KeepUnderBlank
                }
                _ => Merge::Exact,
            };
            let others = |place: Region| {
                let other = |other: &&Way<'_>| other.index != way.index;
                ways.iter().filter(other).any(|other| other.destination.region.overlaps(place))
            };
            // For a bootloader, all of its area may be erased, unless a part of it is in place
            // already or another artifact's region is in it; for anything else, only what it
            // covers.
            let area = way.destination.region;
            let is_split = layout::written(area, artifact).end() > region.end();
            let erasable = match artifact.role {
                Role::Bootloader if !is_split && !others(area) => {
                    area.align_out(SECTOR_BYTES).unwrap_or(area)
                }
                _ => region.align_out(SECTOR_BYTES).unwrap_or(region),
            };
            let start = self.facts.chip.bootloader_addr();
            let unused = (region.start() == start && start > FlashAddr::ZERO)
                .then(|| Region::clamped(FlashAddr::ZERO, start.get()))
                .filter(|unused| !others(*unused));
            let to = Place::plain(region, erasable, Purpose::Destination);
            self.push(Step::Commit { artifact: way.index, from, to, merge, unused });
        }
    }
}
