//! Where each artifact is written first: to its final region, or to a staging region.

use flash_region::{Region, SECTOR_BYTES};
use heapless::Vec;

use super::{Planner, Way};
use crate::cleaned::cleaned;
use crate::layout::{self, Occupied};
use crate::migration::{Artifact, Role, Staging};
use crate::reason::{Reason, name};
use crate::staging::{Space, fit};
use crate::step::{ArtifactIndex, MAX_ROUTES, Place, Purpose, Route, Target};

impl<'a> Planner<'a> {
    /// Finds the way of one artifact, with a staging region if it needs one.
    pub(super) fn way(&mut self, index: ArtifactIndex) -> Option<Way<'a>> {
        let artifact = self.artifact(index)?;
        let destination = *self.destinations.get(usize::from(index.0))?;
        let covered = layout::written(destination.region, artifact);
        let critical_len =
            destination.critical().intersection(covered).map_or(0, Region::len_bytes);
        let harmless_len = covered.len_bytes() - critical_len;
        let mut routes: Vec<Route, MAX_ROUTES> = Vec::new();
        let mut way = Way {
            index,
            artifact,
            destination,
            routes: Vec::new(),
            critical: None,
            harmless: None,
        };

        if let Staging::Label(label) = self.migration.staging {
            let waits = critical_len > 0;
            let staged = self.labelled(label, artifact, covered.len_bytes(), waits)?;
            let slot =
                destination.slot.map(|slot| Region::clamped(staged.start(), slot.len_bytes()));
            let erasable = staged.align_out(SECTOR_BYTES).unwrap_or(staged);
            let place = Place { slot, ..Place::plain(staged, erasable, Purpose::Staging) };
            self.route(&mut routes, 0, Target::Flash(place));
            if waits {
                // It stays there to the end, so nothing else may use it.
                self.take(erasable);
                let part = staged.prefix(critical_len);
                way.critical = Some(Target::Flash(Place::plain(part, part, Purpose::Staging)));
            }
            if harmless_len > 0 {
                way.harmless = Some(staged.from(staged.start().saturating_add(critical_len)));
            }
        } else {
            if critical_len > 0 {
                let target = self.stage(artifact, critical_len)?;
                way.critical = Some(target);
                self.route(&mut routes, 0, target);
            }
            if harmless_len > 0 {
                self.route(&mut routes, critical_len, Target::Flash(destination.place()));
            }
        }
        way.routes = routes;
        Some(way)
    }

    /// A region for `len_bytes` that must be staged until the commit.
    fn stage(&mut self, artifact: &Artifact<'_>, len_bytes: u32) -> Option<Target> {
        let memory_bytes = self.memory_free_bytes;
        if self.migration.staging == Staging::Memory {
            if len_bytes <= memory_bytes {
                self.memory_free_bytes = 0;
                return Some(Target::Memory { len_bytes: memory_bytes });
            }
            self.refuse(Reason::NoStaging {
                artifact: name(artifact.name),
                needed_bytes: len_bytes,
                largest_bytes: memory_bytes,
            });
            return None;
        }
        match self.space().find(len_bytes, fit) {
            Ok(place) => {
                self.take(place.erasable);
                Some(Target::Flash(place))
            }
            // Memory is the second choice: its contents are lost with the power.
            Err(_) if len_bytes <= memory_bytes => {
                self.memory_free_bytes = 0;
                Some(Target::Memory { len_bytes: memory_bytes })
            }
            Err(largest_bytes) => {
                self.refuse(Reason::NoStaging {
                    artifact: name(artifact.name),
                    needed_bytes: len_bytes,
                    largest_bytes,
                });
                None
            }
        }
    }

    /// A region for `len_bytes` in the staging partition that the migration names; `waits` says
    /// whether it must remain until the commit.
    fn labelled(
        &mut self,
        label: &str,
        artifact: &Artifact<'_>,
        len_bytes: u32,
        waits: bool,
    ) -> Option<Region> {
        let Some(partition) =
            self.facts.partitions.iter().find(|p| p.label.as_str() == Some(label))
        else {
            self.refuse(Reason::UnknownLabel { label: name(label) });
            return None;
        };
        // What is staged already remains, and what is staged from now on must not be erased by the
        // cleaning.
        let mut occupied = Occupied::default();
        self.taken.iter().for_each(|&region| occupied.add(region));
        if let (true, Some(map)) = (waits, &self.migration.mcuboot) {
            let filled = layout::filled(self.migration, self.facts, &self.destinations);
            let cleaned = cleaned(map, filled, self.facts.running_image());
            cleaned.for_each(|cleaned| occupied.add(cleaned.area));
        }
        let reachable = self.facts.reachable();
        let Some(region) = partition.region.align_in(SECTOR_BYTES).intersection(reachable) else {
            let (what, region) = (name(label), partition.region);
            self.refuse(Reason::Above16Mb { what, region });
            return None;
        };
        let gap = occupied.gaps(region).find(|gap| gap.len_bytes() >= len_bytes);
        let Some(staged) = gap.map(|gap| gap.prefix(len_bytes)) else {
            let largest_bytes = occupied.gaps(region).map(Region::len_bytes).max();
            self.refuse(Reason::NoStaging {
                artifact: name(artifact.name),
                needed_bytes: len_bytes,
                largest_bytes: largest_bytes.unwrap_or_default(),
            });
            return None;
        };
        let whole = staged.align_out(SECTOR_BYTES).unwrap_or(staged);
        // In a table that contradicts itself, the label may also name a part of another partition.
        let others = self.facts.partitions.iter().filter(|p| *p != partition);
        let shared = others.filter(|p| !p.is_app()).find_map(|p| {
            let shared = layout::whole(p).intersection(whole)?;
            Some((p.label.as_str().unwrap_or("another partition"), shared))
        });
        if let Some((by, shared)) = shared {
            self.refuse(Reason::StagingInUse { label: name(label), by: name(by), shared });
            return None;
        }
        if let Some((by, shared)) = self.space().conflict(whole) {
            self.refuse(Reason::StagingInUse { label: name(label), by: name(by), shared });
            return None;
        }
        Some(staged)
    }

    /// A free sector for checkpoints; without one, only time is lost after a reset.
    pub(super) fn journal(&self) -> Option<Region> {
        let last_sector = |gap: Region, _| {
            let sector = gap.suffix(SECTOR_BYTES);
            let whole = sector.len_bytes() == SECTOR_BYTES;
            whole.then(|| Place::plain(sector, sector, Purpose::Staging))
        };
        self.space().find(SECTOR_BYTES, last_sector).ok().map(|place| place.region)
    }

    fn space(&self) -> Space<'_> {
        Space {
            migration: self.migration,
            facts: self.facts,
            destinations: &self.destinations,
            slack: self.slack(),
            taken: &self.taken,
        }
    }

    /// The part of its slot that the application leaves free.
    fn slack(&self) -> Option<Region> {
        let app = self.migration.artifacts.iter().find(|a| a.role == Role::Application)?;
        let index = self.migration.artifacts.iter().position(|a| a.role == Role::Application)?;
        let destination = self.destinations.get(index)?;
        // One of which a part waits for the commit is written there as a whole.
        let slot = destination.slot.filter(|_| destination.critical_len_bytes == 0)?;
        layout::slack(self.migration.mcuboot.as_ref()?, app, slot)
    }

    /// Reserves what is staged inside the application's slot, and the running code if it is there,
    /// so that writing the application leaves them alone.
    pub(super) fn reserve_in_slot(&self, ways: &mut [Way<'_>]) {
        for way in ways {
            let slot = way.destination.slot;
            let reserved = self.reserved_in(slot);
            for route in &mut way.routes {
                if let Target::Flash(place) = &mut route.to
                    && slot.is_some()
                    && place.slot == slot
                {
                    place.reserved = reserved;
                }
            }
        }
    }

    /// What is in use inside of the application's slot, from the first such byte to the last.
    pub(super) fn reserved_in(&self, slot: Option<Region>) -> Option<Region> {
        let slot = slot?;
        let running = self.facts.running_image();
        let running = running.align_out(SECTOR_BYTES).unwrap_or(running);
        let in_use = self.taken.iter().copied().chain(self.plan.journal).chain([running]);
        let mut inside = in_use.filter(|r| !r.is_empty() && slot.contains_region(*r));
        let first = inside.next()?;
        Some(inside.fold(first, |all, next| {
            let (start, end) = (all.start().min(next.start()), all.end().max(next.end()));
            Region::new(start, end).unwrap_or(all)
        }))
    }
}
