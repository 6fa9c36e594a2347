//! Whether a plan is safe: a book of what every byte of flash is needed for, kept step by step.
//!
//! ```text
//!   kept     what must be as it was until the commit: bootloader, table, otadata, NVS, running image,
//!            and the data partitions that nobody has given up
//!   live     bytes of artifacts that have come: nothing else may be written or erased there
//!   clean    trailers that were made blank, and still are
//! ```

use std::fmt;

use bootswap_plan::{
    App, ArtifactIndex, DeviceFacts, McubootMap, Migration, Place, Plan, Role, Route, Staging,
    Step, Strategy, Target,
};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

/// Where the partition table begins, and where its sector ends.
const TABLE: Region = Region::clamped(FlashAddr(0x8000), SECTOR_BYTES);

/// Checks a plan; panics with the reason why it is not safe.
pub(super) fn check(migration: &Migration<'_>, facts: &DeviceFacts<'_>, plan: &Plan) {
    assert!(!facts.secure_boot && !facts.flash_encryption && migration.chip == facts.chip);
    let mut book =
        Book { migration, facts, plan, live: Vec::new(), clean: Vec::new(), all_ready: false };
    if let Some(journal) = plan.journal {
        assert_eq!(journal.len_bytes(), SECTOR_BYTES, "{book}");
        book.change(None, journal, "the journal");
    }
    if plan.strategy == Strategy::Relocate {
        return book.relocation();
    }
    let commits = plan.steps.iter().filter(|step| matches!(step, Step::Commit { .. })).count();
    let (before, after) = plan.steps.split_at(plan.steps.len() - commits - 1);
    for (index, step) in before.iter().enumerate() {
        let comes = before[index..].iter().any(|step| matches!(step, Step::Verify { .. }));
        book.all_ready = !comes;
        book.before_commit(step);
    }
    book.all_verified();
    book.trailers();
    for (index, step) in after.iter().enumerate() {
        book.commit(step, &after[index + 1..]);
    }
    book.all_in_place();
}

/// The partition that a plan moves the migrator to.
pub(super) fn moved_to(facts: &DeviceFacts<'_>, plan: &Plan) -> Region {
    let copies = plan.steps.iter().filter_map(|step| match step {
        Step::CopySelf { to, .. } => Some(to.start()),
        _ => None,
    });
    let starts: Vec<FlashAddr> = copies.collect();
    let [start] = starts[..] else { panic!("no move, or several: {plan:#?}") };
    let apps = facts.partitions.iter().filter(|p| p.is_app());
    let mut found = apps.filter(|p| p.region.start() == start);
    found.next().expect("a move to an app partition").region
}

/// Bytes of an artifact in flash or in memory.
#[derive(Clone, Copy, Debug)]
struct Live {
    artifact: ArtifactIndex,
    file_offset: u32,
    /// `None` is memory.
    region: Option<Region>,
    len_bytes: u32,
}

struct Book<'a> {
    migration: &'a Migration<'a>,
    facts: &'a DeviceFacts<'a>,
    plan: &'a Plan,
    live: Vec<Live>,
    clean: Vec<Region>,
    /// Whether every artifact has been verified, so that nothing but the commit is to come.
    all_ready: bool,
}

impl Book<'_> {
    /// Notes that `region` is written or erased before the commit, for an artifact or not.
    fn change(&mut self, artifact: Option<ArtifactIndex>, region: Region, what: &str) {
        self.erase(artifact, region, what);
        self.clean.retain(|clean| !clean.overlaps(region));
    }

    /// Notes that `region` is erased, and nothing written to it: what is blank stays so.
    fn erase(&self, artifact: Option<ArtifactIndex>, region: Region, what: &str) {
        let Self { facts, plan, .. } = *self;
        assert!(facts.flash().contains_region(region), "{what} {region} is not in flash: {self}");
        assert!(region.is_aligned(SECTOR_BYTES), "{what} {region} is not sectors: {self}");
        for (kept, where_) in self.kept(artifact) {
            assert!(!region.overlaps(where_), "{what} {region} over {kept} {where_}: {self}");
        }
        for live in &self.live {
            let shared = live.region.is_some_and(|live| live.overlaps(region));
            let own = Some(live.artifact) == artifact;
            assert!(!shared || own, "{what} {region} over {live:?}: {self}");
        }
        let journal = plan.journal.filter(|journal| *journal != region);
        assert!(journal.is_none_or(|j| !j.overlaps(region)), "{what} over the journal: {self}");
    }

    /// What has to stay as it is until the commit while `artifact` is written.
    fn kept(&self, artifact: Option<ArtifactIndex>) -> Vec<(String, Region)> {
        let Self { migration, facts, .. } = *self;
        let boot = Region::new(facts.chip.bootloader_addr(), TABLE.end()).expect("in this order");
        let running = facts.running.prefix(facts.running_len_bytes);
        let mut kept =
            vec![("the boot area".to_owned(), boot), ("the running image".to_owned(), running)];
        for partition in facts.partitions.iter().filter(|p| !p.is_app()) {
            let label = partition.label.as_str().unwrap_or_default();
            let staged_in = migration.staging == Staging::Label(label);
            // What has a place of its own was sent there by name.
            let sent = artifact.map(|index| self.artifact(index)).is_some_and(|artifact| {
                artifact.role == Role::Other
                    && artifact.dest.is_some_and(|dest| dest.overlaps(partition.region))
            });
            let given_up = migration.allow.overwrites(label) || sent || staged_in;
            // NVS is the way back for as long as anything can still go wrong.
            let nvs = partition.is_nvs() && !(self.all_ready && artifact.is_none());
            let is_free = given_up && !nvs && !partition.is_otadata();
            if !is_free {
                kept.push((label.to_owned(), partition.region));
            }
        }
        kept
    }

    fn artifact(&self, index: ArtifactIndex) -> bootswap_plan::Artifact<'_> {
        self.migration.artifacts[usize::from(index.0)]
    }

    fn before_commit(&mut self, step: &Step) {
        match step {
            Step::Select { otadata, app } => self.selects(*otadata, *app, self.facts.running),
            Step::Fetch { artifact, routes } => self.fetch(*artifact, routes),
            Step::Copy { artifact, from, to } => self.copy(*artifact, *from, to),
            Step::Clean { region, erasable, .. } => {
                let running = self.facts.running.prefix(self.facts.running_len_bytes);
                assert!(!region.overlaps(running), "nobody can clean {region}: {self}");
                self.erase(None, *erasable, "a clean");
                self.clean.push(*region);
            }
            Step::CleanScratch { scratch, erasable } => {
                self.erase(None, *erasable, "a clean");
                self.clean.push(scratch.suffix(SECTOR_BYTES));
            }
            Step::CleanHeader { erasable, .. } => self.erase(None, *erasable, "a clean"),
            Step::Confirm { slot } => {
                // It is written into the last sector, which is the application's.
                let end = slot.suffix(SECTOR_BYTES);
                let theirs = self.live.iter().filter(|live| {
                    live.region.is_some_and(|region| region.overlaps(end))
                        && !self.artifact(live.artifact).confirm
                });
                assert_eq!(theirs.count(), 0, "{self}");
                let confirms = |live: &Live| {
                    let app = self.artifact(live.artifact);
                    app.confirm && app.role == Role::Application
                };
                let in_slot = |live: &Live| live.region.is_some_and(|r| r.overlaps(*slot));
                assert!(self.live.iter().any(|live| confirms(live) && in_slot(live)), "{self}");
                for (kept, region) in self.kept(None) {
                    assert!(!region.overlaps(end), "{kept} is confirmed over: {self}");
                }
            }
            Step::Verify { artifact, routes } => self.verify(*artifact, routes),
            Step::CopySelf { .. } | Step::ResetIntoCopy | Step::Commit { .. } | Step::Reset => {
                panic!("{step:?} does not belong here: {self}")
            }
        }
    }

    fn fetch(&mut self, artifact: ArtifactIndex, routes: &[Route]) {
        let mut come = Vec::new();
        for (route, len_bytes) in self.parts(artifact, routes) {
            let region = match &route.to {
                Target::Flash(place) => {
                    self.write(artifact, place);
                    Some(place.region.prefix(len_bytes))
                }
                Target::Memory { len_bytes } => {
                    assert!(*len_bytes <= self.facts.staging_memory_len_bytes);
                    let in_use = self.live.iter().any(|live| live.region.is_none());
                    assert!(!in_use, "the memory holds something already: {self}");
                    None
                }
            };
            come.push(Live { artifact, file_offset: route.file_offset, region, len_bytes });
        }
        self.live.extend(come);
    }

    /// The parts of a file and their lengths, without gap and up to its end.
    fn parts<'r>(&self, artifact: ArtifactIndex, routes: &'r [Route]) -> Vec<(&'r Route, u32)> {
        let end = self.artifact(artifact).len_bytes;
        let mut parts = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            let room_end = route.file_offset + route.to.len_bytes();
            let end = end.map_or(room_end, |end| end.min(room_end));
            let end = match routes.get(index + 1) {
                Some(next) => {
                    assert!(next.file_offset <= room_end, "a gap in the file: {self}");
                    end.min(next.file_offset)
                }
                None => end,
            };
            parts.push((route, end.saturating_sub(route.file_offset)));
        }
        let room: u32 = parts.iter().map(|(_, len_bytes)| len_bytes).sum();
        assert_eq!(routes.first().map(|route| route.file_offset), Some(0), "{self}");
        assert!(end.is_none_or(|end| end == room), "no room for all of it: {self}");
        parts
    }

    /// A place is written to, and erased around.
    fn write(&mut self, artifact: ArtifactIndex, place: &Place) {
        let Place { region, erasable, slot, reserved, .. } = *place;
        assert!(region.start().is_aligned(SECTOR_BYTES), "{self}");
        assert!(erasable.contains_region(region), "{self}");
        let Some(reserved) = reserved else {
            return self.change(Some(artifact), erasable, "an artifact");
        };
        // Only what MCUboot never looks at is reserved for others.
        assert_eq!(slot.map(Region::start), Some(region.start()), "{self}");
        let Some(bootswap_plan::Content::Mcuboot { image_len_bytes, .. }) =
            self.artifact(artifact).content
        else {
            panic!("who knows what is free of an unknown image: {self}")
        };
        assert!(!reserved.overlaps(region.prefix(image_len_bytes)), "{self}");
        for part in [
            Region::new(erasable.start(), reserved.start()),
            Region::new(reserved.end(), erasable.end()),
        ] {
            self.change(Some(artifact), part.expect("reserved inside of it"), "an artifact");
        }
    }

    fn copy(&mut self, artifact: ArtifactIndex, from: Region, to: &Place) {
        let source = self.live.iter_mut().find(|live| {
            live.artifact == artifact && live.region.is_some_and(|r| r.contains_region(from))
        });
        let Some(source) = source else { panic!("{from} is not there: {self}") };
        // What is copied is no longer needed where it was.
        let start = source.region.expect("found by it").start();
        let copied = from.start().bytes_since(start);
        let file_offset = source.file_offset + copied;
        source.len_bytes = copied;
        source.region = Some(Region::clamped(start, copied));
        assert!(to.region.len_bytes() >= from.len_bytes(), "{self}");
        assert!(!to.erasable.overlaps(from), "copied over itself: {self}");
        self.write(artifact, to);
        let region = Some(to.region.prefix(from.len_bytes()));
        self.live.push(Live { artifact, file_offset, region, len_bytes: from.len_bytes() });
    }

    /// What is verified is where it was put, and all of it.
    fn verify(&self, artifact: ArtifactIndex, routes: &[Route]) {
        for (route, len_bytes) in self.parts(artifact, routes) {
            self.holds(artifact, route.file_offset, &route.to, len_bytes);
        }
    }

    /// The target holds `len_bytes` of the file from `file_offset` on.
    fn holds(&self, artifact: ArtifactIndex, file_offset: u32, target: &Target, len_bytes: u32) {
        let is_there = self.live.iter().any(|live| {
            let Some(offset) = file_offset.checked_sub(live.file_offset) else { return false };
            let place = match (target, live.region) {
                (Target::Memory { .. }, None) => offset == 0,
                (Target::Flash(place), Some(region)) => {
                    place.start() == region.start().saturating_add(offset)
                }
                _ => false,
            };
            live.artifact == artifact && place && offset + len_bytes <= live.len_bytes
        });
        assert!(is_there, "{target:?} does not hold byte {file_offset}: {self}");
    }

    /// Every artifact is verified once, behind the last change.
    fn all_verified(&self) {
        let verified = |step: &Step| match step {
            Step::Verify { artifact, .. } => Some(*artifact),
            _ => None,
        };
        let mut found: Vec<ArtifactIndex> = self.plan.steps.iter().filter_map(verified).collect();
        found.sort_unstable();
        let all = (0..).map(ArtifactIndex).take(self.migration.artifacts.len());
        assert!(found.into_iter().eq(all), "{self}");
        let first = self.plan.steps.iter().position(|step| verified(step).is_some());
        let behind = &self.plan.steps[first.expect("there are artifacts")..];
        let at_rest = behind.iter().all(|step| match step {
            Step::Verify { .. } | Step::Commit { .. } | Step::Reset => true,
            Step::Clean { erasable, .. }
            | Step::CleanScratch { erasable, .. }
            | Step::CleanHeader { erasable, .. } => {
                let mut partitions = self.facts.partitions.iter();
                partitions.any(|p| p.is_nvs() && p.region.overlaps(*erasable))
            }
            _ => false,
        });
        assert!(at_rest, "{self}");
    }

    /// MCUboot finds each slot's trailer, and the scratch area's end, as it takes them well.
    fn trailers(&self) {
        let Some(map) = &self.migration.mcuboot else { return };
        let clean = |region: Region| self.clean.iter().any(|c| c.contains_region(region));
        for slot in [map.primary, map.secondary] {
            let trailer = trailer(map, slot);
            // In its place, or to be put there; what is only staged in a slot is nothing to MCUboot.
            let here = self.live.iter().filter_map(|live| {
                let start = live.region.filter(|region| !region.is_empty())?.start();
                let waits = self.plan.steps.iter().any(|step| {
                    matches!(step, Step::Commit { from: Target::Flash(from), .. } if from.start() == start)
                });
                let in_place = start == slot.start().saturating_add(live.file_offset);
                (in_place && !waits).then_some(live.artifact)
            });
            let then = self.plan.steps.iter().filter_map(|step| match step {
                Step::Commit { artifact, to, .. } if to.start() == slot.start() => Some(*artifact),
                _ => None,
            });
            let is_app = |app: &ArtifactIndex| self.artifact(*app).role == Role::Application;
            let app = here.chain(then).find(is_app);
            let Some(app) = app else {
                let is_ready = clean(trailer) || self.is_brought(trailer);
                assert!(is_ready, "the trailer of {slot} is as it was: {self}");
                continue;
            };
            let artifact = self.artifact(app);
            let strategy = if slot == map.primary {
                Strategy::StraightToPrimary
            } else {
                Strategy::SecondaryAndSwap
            };
            assert_eq!(self.plan.strategy, strategy, "{self}");
            let reads_primary = matches!(map.swap, SwapKind::Move | SwapKind::Offset);
            assert!(slot == map.primary || !reads_primary, "boots nothing: {self}");
            // A file as long as the slot brings its trailer; of an unknown length it is verified.
            let brings = artifact.len_bytes.is_none_or(|len| len == slot.len_bytes());
            let wiped = self.plan.steps.iter().any(|step| {
                matches!(step, Step::Clean { region, .. } if region.contains_region(trailer))
            });
            assert!(brings || wiped, "the trailer of {slot} is as it was: {self}");
            let in_it = |r: &Region| r.overlaps(trailer);
            assert!(!self.plan.journal.as_ref().is_some_and(in_it), "{self}");
        }
        if let Some(scratch) = map.scratch {
            let end = scratch.suffix(SECTOR_BYTES);
            assert!(clean(end) || self.is_brought(end), "{self}");
        }
    }

    /// Whether an artifact that is no slot's brings all of what is to lie there.
    fn is_brought(&self, region: Region) -> bool {
        self.migration.artifacts.iter().any(|artifact| {
            let dest = artifact.dest.unwrap_or_default();
            let written = artifact.len_bytes.map_or(dest, |len_bytes| dest.prefix(len_bytes));
            artifact.role != Role::Application && written.contains_region(region)
        })
    }

    fn commit(&mut self, step: &Step, later: &[Step]) {
        let (artifact, from, to, unused) = match step {
            Step::Commit { artifact, from, to, unused, .. } => (*artifact, from, to, unused),
            Step::Reset if later.is_empty() => return,
            _ => panic!("{step:?} does not belong here: {self}"),
        };
        let facts = self.facts;
        let area = Region::new(facts.chip.bootloader_addr(), TABLE.start()).expect("in this order");
        let len_bytes = to.region.len_bytes();
        self.holds(artifact, 0, from, len_bytes);
        assert!(to.erasable.is_aligned(SECTOR_BYTES) && to.erasable.contains_region(to.region));
        assert!(facts.flash().contains_region(to.erasable), "{self}");
        if let Some(unused) = unused {
            assert_eq!((unused.start(), unused.end()), (FlashAddr::ZERO, area.start()), "{self}");
        }
        // Beyond the artifact itself only the old bootloader may go.
        let covered = to.region.align_out(SECTOR_BYTES).expect("inside of flash");
        let spare = to.erasable.from(covered.end());
        assert!(to.erasable.start() == covered.start(), "{self}");
        assert!(
            spare.is_empty() || area.contains_region(spare),
            "{spare} is not the bootloader's: {self}"
        );
        let running = facts.running.prefix(facts.running_len_bytes);
        assert!(!to.erasable.overlaps(running), "over the running image: {self}");
        for live in &self.live {
            let lost = live.region.is_some_and(|region| {
                region.overlaps(to.erasable) || unused.is_some_and(|unused| unused.overlaps(region))
            });
            assert!(!lost, "the commit erases {live:?}: {self}");
        }
        self.live.push(Live { artifact, file_offset: 0, region: Some(to.region), len_bytes });
    }

    /// At the end every byte of every artifact is where it belongs, and MCUboot finds something.
    fn all_in_place(&self) {
        let at = |addr: FlashAddr| {
            self.live.iter().any(|live| live.region.is_some_and(|region| region.contains(addr)))
        };
        if let Some(map) = &self.migration.mcuboot
            && at(self.facts.chip.bootloader_addr())
        {
            let swaps_in = matches!(map.swap, SwapKind::Scratch | SwapKind::Overwrite);
            let found = at(map.primary.start()) || (swaps_in && at(map.secondary.start()));
            assert!(found, "MCUboot has nothing to start: {self}");
        }
        for (index, artifact) in (0..).map(ArtifactIndex).zip(self.migration.artifacts) {
            let start = match (artifact.role, artifact.dest, &self.migration.mcuboot) {
                (Role::Bootloader, ..) => self.facts.chip.bootloader_addr(),
                (_, Some(dest), _) => dest.start(),
                (Role::Application, None, Some(map)) => match self.plan.strategy {
                    Strategy::SecondaryAndSwap => map.secondary.start(),
                    _ => map.primary.start(),
                },
                _ => panic!("nothing says where {} goes: {:#?}", artifact.name, self.plan),
            };
            let Some(len_bytes) = artifact.len_bytes else { continue };
            let mut parts: Vec<(u32, u32)> = Vec::new();
            for live in self.live.iter().filter(|live| live.artifact == index) {
                let in_place = start.saturating_add(live.file_offset);
                if live.region.is_some_and(|region| region.start() == in_place) {
                    parts.push((live.file_offset, live.file_offset + live.len_bytes));
                }
            }
            parts.sort_unstable();
            let reached =
                parts.iter().fold(
                    0,
                    |reached, (from, to)| {
                        if *from <= reached { reached.max(*to) } else { reached }
                    },
                );
            assert!(
                reached >= len_bytes,
                "{} ends at {reached:#x}: {:#?}",
                artifact.name,
                self.plan
            );
        }
    }

    /// A move: select where it runs, copy, select the copy, reset.
    fn relocation(&mut self) {
        let (facts, plan) = (self.facts, self.plan);
        let to = moved_to(facts, plan);
        assert_ne!(to, facts.running);
        let mut steps = plan.steps.iter().peekable();
        if let Some(Step::Select { otadata, app }) = steps.peek() {
            self.selects(*otadata, *app, facts.running);
            steps.next();
        }
        let Some(Step::CopySelf { from, to: place }) = steps.next() else { panic!("{self}") };
        let image = facts.running.prefix(facts.running_len_bytes);
        assert!(from.contains_region(image) && facts.running.contains_region(image));
        assert!(to.contains_region(place.region) && place.region.len_bytes() >= from.len_bytes());
        assert!(place.erasable.contains_region(place.region));
        self.change(None, place.erasable, "the copy");
        let Some(Step::Select { otadata, app }) = steps.next() else { panic!("{self}") };
        self.selects(*otadata, *app, to);
        assert_eq!(steps.next(), Some(&Step::ResetIntoCopy));
        assert_eq!(steps.next(), None);
    }

    /// The old bootloader finds the app that is meant in the partition that is meant.
    fn selects(&self, otadata: Region, app: App, partition: Region) {
        let partitions = self.facts.partitions;
        assert!(partitions.iter().any(|p| p.is_otadata() && p.region == otadata));
        let selected = match app {
            App::Factory => partitions.iter().find(|p| p.is_factory()),
            App::Ota { index, count } => {
                let slots = partitions.iter().filter(|p| p.ota_index().is_some()).count();
                assert_eq!(usize::from(count), slots);
                assert!(index < count, "the bootloader's counting never gets there");
                partitions.iter().find(|p| p.ota_index() == Some(index))
            }
        };
        assert_eq!(selected.map(|p| p.region), Some(partition), "{self}");
    }
}

/// Everything there is to know about a case, in lines.
impl fmt::Display for Book<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { migration, facts, plan, .. } = self;
        writeln!(f, "\n{:?}", migration.mcuboot)?;
        writeln!(f, "{:?}, {:?}", migration.staging, migration.allow)?;
        migration.artifacts.iter().try_for_each(|artifact| writeln!(f, "{artifact:?}"))?;
        writeln!(f, "{} of {:#x} bytes", facts.chip, facts.flash_len_bytes)?;
        facts.partitions.iter().try_for_each(|partition| writeln!(f, "{partition}"))?;
        let image = facts.running.prefix(facts.running_len_bytes);
        writeln!(f, "running {image}, before it {:?}", facts.previous)?;
        writeln!(f, "{}, journal {:?}", plan.strategy, plan.journal)?;
        plan.steps.iter().try_for_each(|step| writeln!(f, "{step:?}"))
    }
}

/// Where the trailer of a slot begins and ends, by the lengths in MCUboot's documentation for
/// Espressif's port: 512 sectors, writes of 4 bytes.
fn trailer(map: &McubootMap<'_>, slot: Region) -> Region {
    let (steps, fields) = match map.swap {
        SwapKind::Scratch | SwapKind::Move => (3, 4),
        SwapKind::Offset => (2, 5),
        SwapKind::Overwrite => (0, 3),
    };
    let magic = 16u32.next_multiple_of(map.max_align_bytes);
    slot.suffix(512 * steps * 4 + fields * map.max_align_bytes + magic)
}
