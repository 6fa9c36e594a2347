//! From migration and facts to steps.

use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use heapless::Vec;

use crate::check::{self, Checked};
use crate::cleaned::cleaned;
use crate::layout::{AppSlot, Destination, MAX_ARTIFACTS, Occupied};
use crate::migration::{Artifact, Content, Migration, Role, Staging};
use crate::reason::{Reason, Reasons, name};
use crate::staging::{Space, fit};
use crate::step::{
    ArtifactIndex, MAX_ROUTES, Merge, Place, Plan, Purpose, Route, Step, Strategy, Target,
};
use crate::{DeviceFacts, layout, relocate};

/// Computes the steps that take the device of `facts` to what `migration` asks for.
///
/// Strategies are tried from the one that keeps most of what is there to the one that costs most, and
/// the first that is safe is taken: the application to the secondary slot, straight to the primary,
/// and each of the two after the migrator has moved out of the way. A move is planned only if the
/// migration is known to be possible from there.
///
/// # Errors
///
/// Every [`Reason`] against the preferred strategy. Nothing was touched then, and nothing may be.
pub fn plan(migration: &Migration<'_>, facts: &DeviceFacts<'_>) -> Result<Plan, Reasons> {
    let mut reasons = match in_place(migration, facts) {
        Ok(plan) => return Ok(plan),
        Err(reasons) => reasons,
    };
    // Moving helps where every objection is to where the migrator runs.
    if reasons.iter().all(Reason::is_about_place) {
        match relocate::relocate(migration, facts) {
            Ok(plan) => return Ok(plan),
            Err(reason) => {
                let _ = reasons.push(reason);
            }
        }
    }
    Err(reasons)
}

/// Computes the steps without moving the migrator.
pub(crate) fn in_place(
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
) -> Result<Plan, Reasons> {
    let choices = migration.mcuboot.map_or(&[AppSlot::Secondary][..], |m| AppSlot::choices(m.swap));
    let mut first = None;
    for &app_slot in choices {
        match with_app_in(migration, facts, app_slot) {
            Ok(plan) => return Ok(plan),
            Err(reasons) => {
                // Another slot is worth a try only if this one's place is what is wrong.
                let elsewhere = reasons.iter().all(Reason::is_about_place);
                first.get_or_insert(reasons);
                if !elsewhere {
                    break;
                }
            }
        }
    }
    Err(first.unwrap_or_default())
}

/// Computes the steps with the application in that slot.
fn with_app_in(
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
    app_slot: AppSlot,
) -> Result<Plan, Reasons> {
    let checked = check::check(migration, facts, app_slot)?;
    let mut planner = Planner {
        migration,
        facts,
        checked,
        taken: Vec::new(),
        memory_free_bytes: facts.staging_memory_len_bytes,
        plan: Plan::default(),
        reasons: Reasons::new(),
        overflowed: false,
    };
    planner.run();
    if planner.overflowed {
        let _ = planner.reasons.push(Reason::TooComplex);
    }
    if planner.reasons.is_empty() { Ok(planner.plan) } else { Err(planner.reasons) }
}

struct Planner<'a> {
    migration: &'a Migration<'a>,
    facts: &'a DeviceFacts<'a>,
    checked: Checked,
    /// Places given away so far.
    taken: Vec<Region, { MAX_ARTIFACTS + 1 }>,
    /// Memory that nothing waits in: it holds one artifact.
    memory_free_bytes: u32,
    plan: Plan,
    reasons: Reasons,
    overflowed: bool,
}

/// How one artifact gets to where it ends.
struct Way {
    artifact: ArtifactIndex,
    destination: Destination,
    /// Where it is fetched to.
    routes: Vec<Route, MAX_ROUTES>,
    /// Where its critical part waits, if it has one.
    critical: Option<Target>,
    /// Where its harmless part waits, if it does not go straight to its end.
    harmless: Option<Region>,
}

impl<'a> Planner<'a> {
    fn run(&mut self) {
        let mut ways: Vec<Way, MAX_ARTIFACTS> = Vec::new();
        // Stages are given away in the order of the need: what is critical cannot do without one.
        for index in self.order() {
            if let Some(way) = self.way(index)
                && ways.push(way).is_err()
            {
                self.overflowed = true;
            }
        }
        self.plan.journal = self.journal();
        self.reserve_in_slot(&mut ways);
        let slot = ways.iter().find_map(|way| way.destination.slot);
        self.plan.strategy = match (&self.migration.mcuboot, slot) {
            (Some(map), Some(slot)) if slot == map.secondary => Strategy::SecondaryAndSwap,
            (Some(_), Some(_)) => Strategy::StraightToPrimary,
            _ => Strategy::AsNamed,
        };

        if let Some(select) = relocate::select(self.facts, self.facts.running) {
            self.push(select);
        }
        self.fetches(&ways);
        self.trailers(&ways, false);
        self.confirmations(&ways);
        self.verifications(&ways);
        self.trailers(&ways, true);
        self.commits(&ways);
        self.push(Step::Reset);
    }

    /// Artifacts in the order in which they are fetched: the bootloader last.
    fn order(&self) -> Vec<ArtifactIndex, MAX_ARTIFACTS> {
        let artifacts = self.migration.artifacts;
        let rest = (0..artifacts.len()).filter(|&i| artifacts[i].role != Role::Bootloader);
        let last = (0..artifacts.len()).filter(|&i| artifacts[i].role == Role::Bootloader);
        rest.chain(last).filter_map(|i| u8::try_from(i).ok().map(ArtifactIndex)).collect()
    }

    /// Finds the way of one artifact, with a place to stage what needs one.
    fn way(&mut self, index: ArtifactIndex) -> Option<Way> {
        let artifact = self.artifact(index);
        let destination = *self.checked.destinations.get(usize::from(index.0))?;
        let covered = layout::written(destination.region, &artifact);
        let critical_len =
            destination.critical().intersection(covered).map_or(0, Region::len_bytes);
        let harmless_len = covered.len_bytes() - critical_len;
        let mut routes: Vec<Route, MAX_ROUTES> = Vec::new();
        let mut way = Way {
            artifact: index,
            destination,
            routes: Vec::new(),
            critical: None,
            harmless: None,
        };

        if let Staging::Label(label) = self.migration.staging {
            let waits = critical_len > 0;
            let staged = self.labelled(label, &artifact, covered.len_bytes(), waits)?;
            let slot =
                destination.slot.map(|slot| Region::clamped(staged.start(), slot.len_bytes()));
            let erasable = staged.align_out(SECTOR_BYTES).unwrap_or(staged);
            let place = Place { slot, ..Place::plain(staged, erasable, Purpose::Staging) };
            self.route(&mut routes, 0, Target::Flash(place));
            if waits {
                // It waits there to the end, so that nothing else may.
                self.take(erasable);
                let part = staged.prefix(critical_len);
                way.critical = Some(Target::Flash(Place::plain(part, part, Purpose::Staging)));
            }
            if harmless_len > 0 {
                way.harmless = Some(staged.from(staged.start().saturating_add(critical_len)));
            }
        } else {
            if critical_len > 0 {
                let target = self.stage(&artifact, critical_len)?;
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

    fn artifact(&self, index: ArtifactIndex) -> Artifact<'a> {
        self.migration.artifacts[usize::from(index.0)]
    }

    /// A place for `len_bytes` that have to wait for the commit.
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
            // Memory is the second choice: what waits there is lost with the power.
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

    /// A place for `len_bytes` in the staging partition that the migration names; `waits` says whether
    /// it has to last to the commit.
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
        // What waits already stays, and what waits from now on must outlast the cleaning.
        let mut occupied = Occupied::default();
        self.taken.iter().for_each(|&region| occupied.add(region));
        if let (true, Some(map)) = (waits, &self.migration.mcuboot) {
            let filled = self.checked.destinations.iter().find_map(|d| d.slot);
            cleaned(map, filled).iter().for_each(|&(_, region)| occupied.add(region));
        }
        let region = partition.region.align_in(SECTOR_BYTES);
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
        if let Some((by, shared)) = self.space().conflict(whole) {
            self.refuse(Reason::StagingInUse { label: name(label), by: name(by), shared });
            return None;
        }
        Some(staged)
    }

    /// A free sector for checkpoints; going without costs time after a reset, nothing else.
    fn journal(&self) -> Option<Region> {
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
            destinations: &self.checked.destinations,
            slack: self.slack(),
            taken: &self.taken,
        }
    }

    /// What the application leaves free of the slot that it is written to.
    fn slack(&self) -> Option<Region> {
        let app = self.migration.artifacts.iter().find(|a| a.role == Role::Application)?;
        let Some(Content::Mcuboot { image_len_bytes, .. }) = app.content else { return None };
        let index = self.migration.artifacts.iter().position(|a| a.role == Role::Application)?;
        let slot = self.checked.destinations.get(index)?.slot?;
        let trailer = check::trailer(self.migration.mcuboot.as_ref()?, slot)?;
        let free = Region::new(slot.start().saturating_add(image_len_bytes), trailer.start())?;
        let free = free.align_in(SECTOR_BYTES);
        (!free.is_empty()).then_some(free)
    }

    /// Keeps the application's writes off whatever was placed inside its slot.
    fn reserve_in_slot(&self, ways: &mut Vec<Way, MAX_ARTIFACTS>) {
        let in_use = self.taken.iter().copied().chain(self.plan.journal);
        for way in ways {
            let Some(slot) = way.destination.slot else { continue };
            let inside = in_use.clone().filter(|r| slot.contains_region(*r));
            let bounds = inside.fold(None, |all: Option<Region>, next| match all {
                None => Some(next),
                Some(all) => Region::new(all.start().min(next.start()), all.end().max(next.end())),
            });
            for route in &mut way.routes {
                if let Target::Flash(place) = &mut route.to
                    && place.slot == Some(slot)
                {
                    place.reserved = bounds;
                }
            }
        }
    }

    /// The trailer area of the slot that the application is written to, where it does not bring it
    /// along: it has to be blank before the image comes, since the two can share a sector.
    fn own_trailer(&self, way: &Way) -> Option<Step> {
        let (map, slot) = (self.migration.mcuboot.as_ref()?, way.destination.slot?);
        let artifact = self.artifact(way.artifact);
        if artifact.len_bytes.is_none_or(|len| len == slot.len_bytes()) {
            return None;
        }
        let region = check::trailer(map, slot)?;
        let erasable = region.align_out(SECTOR_BYTES)?;
        Some(Step::Clean { region, erasable, purpose: Purpose::OwnTrailer })
    }

    fn fetches(&mut self, ways: &[Way]) {
        for way in ways {
            if let Some(clean) = self.own_trailer(way) {
                self.push(clean);
            }
            self.push(Step::Fetch { artifact: way.artifact, routes: way.routes.clone() });
            if let Some(from) = way.harmless {
                let to = way.destination.place();
                let to = Place { region: to.region.prefix(from.len_bytes()), ..to };
                self.push(Step::Copy { artifact: way.artifact, from, to });
            }
        }
    }

    /// Leaves trailers and scratch area in a state that MCUboot takes well.
    ///
    /// Of an NVS that the migration gives up nothing is erased before everything else is ready for the
    /// commit: the old firmware, and the migrator's own network, may live on it. `in_nvs` says which of
    /// the two kinds of steps to push.
    fn trailers(&mut self, ways: &[Way], in_nvs: bool) {
        let Some(map) = self.migration.mcuboot else { return };
        let app = ways.iter().find(|way| way.destination.slot.is_some());
        for (slot, purpose) in
            [(map.primary, Purpose::PrimaryTrailer), (map.secondary, Purpose::SecondaryTrailer)]
        {
            // That of the application's own slot came with it, or before it.
            if app.is_some_and(|way| way.destination.slot == Some(slot)) {
                continue;
            }
            if let Some(region) = check::trailer(&map, slot) {
                let busy = self.facts.running_image();
                let whole = region.align_out(SECTOR_BYTES).unwrap_or(region);
                let erasable = if whole.overlaps(busy) { whole.from(busy.end()) } else { whole };
                self.clean(Step::Clean { region, erasable, purpose }, erasable, in_nvs);
            }
        }
        if app.is_some_and(|way| way.destination.slot == Some(map.secondary)) {
            let erasable = self.unless_running(map.primary.prefix(SECTOR_BYTES));
            self.clean(Step::CleanHeader { slot: map.primary, erasable }, erasable, in_nvs);
        }
        if let Some(scratch) = map.scratch {
            let erasable = self.unless_running(scratch.suffix(SECTOR_BYTES));
            self.clean(Step::CleanScratch { scratch, erasable }, erasable, in_nvs);
        }
    }

    /// Pushes a step that erases, if that is in an NVS, or is not, as `in_nvs` says.
    fn clean(&mut self, step: Step, erasable: Region, in_nvs: bool) {
        let mut partitions = self.facts.partitions.iter();
        if partitions.any(|p| p.is_nvs() && p.region.overlaps(erasable)) == in_nvs {
            self.push(step);
        }
    }

    /// Confirms applications that come without a trailer of their own.
    fn confirmations(&mut self, ways: &[Way]) {
        for way in ways {
            if let (Some(slot), true) = (way.destination.slot, self.artifact(way.artifact).confirm)
            {
                self.push(Step::Confirm { slot });
            }
        }
    }

    /// The sector, or nothing where the running image is in it.
    fn unless_running(&self, sector: Region) -> Region {
        let busy = sector.overlaps(self.facts.running_image());
        if busy { Region::clamped(sector.end(), 0) } else { sector }
    }

    fn verifications(&mut self, ways: &[Way]) {
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
            self.push(Step::Verify { artifact: way.artifact, routes });
        }
    }

    /// Otadata goes last: while it names the migrator, a bootloader that reads it starts the migrator
    /// again, which finishes what a cut left undone.
    fn commits(&mut self, ways: &[Way]) {
        let facts = self.facts;
        let is_otadata = |way: &&Way| {
            let critical = way.destination.critical();
            let otadata =
                facts.partitions.iter().any(|p| p.is_otadata() && p.region.overlaps(critical));
            otadata && !critical.overlaps(layout::bootloader_area(facts))
        };
        let last = ways.iter().filter(is_otadata);
        for way in ways.iter().filter(|way| !is_otadata(way)).chain(last) {
            let Some(from) = way.critical else { continue };
            let artifact = self.artifact(way.artifact);
            let critical = way.destination.critical();
            let region = layout::written(critical, &artifact);
            let merge = match artifact.role {
                // Only an image that reaches from the bootloader over other things has gaps; an artifact
                // for one place means what it says, be it blank.
                Role::Other if region.overlaps(layout::bootloader_area(self.facts)) => {
                    Merge::KeepUnderBlank
                }
                _ => Merge::Exact,
            };
            let others = |place: Region| {
                let other = |other: &&Way| other.artifact != way.artifact;
                ways.iter().filter(other).any(|other| other.destination.region.overlaps(place))
            };
            // A bootloader may be erased to the end of its area, unless a part of it is there already or
            // another artifact's place is in it; anything else covers just itself.
            let area = way.destination.region;
            let is_split = layout::written(area, &artifact).end() > region.end();
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
            self.push(Step::Commit { artifact: way.artifact, from, to, merge, unused });
        }
    }

    fn route(&mut self, routes: &mut Vec<Route, MAX_ROUTES>, file_offset: u32, to: Target) {
        if routes.push(Route { file_offset, to }).is_err() {
            self.overflowed = true;
        }
    }

    fn take(&mut self, region: Region) {
        if self.taken.push(region).is_err() {
            self.overflowed = true;
        }
    }

    fn push(&mut self, step: Step) {
        if self.plan.steps.push(step).is_err() {
            self.overflowed = true;
        }
    }

    // A reason is large, and there are dozens of places.
    #[inline(never)]
    fn refuse(&mut self, reason: Reason) {
        // More reasons than there is room for change nothing: one is enough to refuse.
        let _ = self.reasons.push(reason);
    }
}
