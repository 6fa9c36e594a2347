//! What is in flash before a migration, at its commit, and after MCUboot's swap.
//!
//! ```text
//!   before      factory: migrator  | ota_0                | unclaimed
//!   at commit     "                | ota_0: app           | mcuboot, staged
//!   after       primary: app       | secondary: migrator  |   "
//! ```
//!
//! It is derived from the plan alone, artifact by artifact, not byte by byte.

use bootswap_plan::{
    Artifact, ArtifactIndex, Content, DeviceFacts, McubootMap, Merge, Migration, Place, Purpose,
    Role, Route, Step, Strategy, Target,
};
use flash_region::{BLOCK_64K_BYTES, FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

use super::stage::PlanStage;

/// Name of flash that belongs to no partition.
const UNCLAIMED: &str = "unclaimed";
/// What is after the written bytes, as far as one block erase may have cleared both.
const MAYBE_ERASED: &str = "maybe erased";
/// Old contents of a slot that neither the old nor the new system uses any more.
const OLD_DATA: &str = "old data";

/// Things that cover each other; the last one that was put there is visible.
#[derive(Clone, Debug)]
struct Layers<T>(Vec<(Region, T)>);

impl<T> Layers<T> {
    fn put(&mut self, region: Region, value: T) {
        // A sector belongs to whatever begins in it.
        let whole = region.align_out(SECTOR_BYTES).unwrap_or(region);
        if !whole.is_empty() {
            self.0.push((whole, value));
        }
    }

    fn at(&self, addr: FlashAddr) -> Option<&T> {
        self.0.iter().rev().find(|(region, _)| region.contains(addr)).map(|(_, value)| value)
    }

    fn bounds(&self) -> impl Iterator<Item = FlashAddr> + '_ {
        self.0.iter().flat_map(|(region, _)| [region.start(), region.end()])
    }
}

/// What is in flash at one moment: in which part, and what.
#[derive(Clone, Debug)]
pub(super) struct FlashContents {
    parts: Layers<String>,
    held: Layers<String>,
}

impl FlashContents {
    /// The device as it was found: partitions, and the migrator in one of them.
    pub(super) fn before(facts: &DeviceFacts<'_>) -> Self {
        let mut parts = Layers(Vec::new());
        parts.put(facts.flash(), UNCLAIMED.to_owned());
        parts.put(facts.bootloader_area(), "bootloader".to_owned());
        parts.put(facts.table(), "partition table".to_owned());
        for partition in facts.partitions {
            parts.put(partition.region, partition.label.to_string());
        }
        let mut held = Layers(Vec::new());
        held.put(facts.running_image(), "migrator".to_owned());
        Self { parts, held }
    }

    /// Right before the commit.
    pub(super) fn at_commit(mut self, migration: &Migration<'_>, stages: &[PlanStage<'_>]) -> Self {
        for PlanStage { plan, .. } in stages {
            for step in &plan.steps {
                self.carry_out(migration, step);
            }
            if let Some(journal) = plan.journal {
                self.held.put(journal, "checkpoints".to_owned());
            }
        }
        self
    }

    /// After the commit, and after MCUboot has installed the application in its primary slot.
    pub(super) fn after(mut self, migration: &Migration<'_>, stages: &[PlanStage<'_>]) -> Self {
        let Some(PlanStage { plan, .. }) = stages.last() else { return self };
        for step in &plan.steps {
            self.commit(migration, step);
        }
        if let Some(map) = &migration.mcuboot {
            if plan.strategy == Strategy::SecondaryAndSwap {
                self.swap(migration, map);
            }
            for slot in [map.primary, map.secondary] {
                if let Some(layout) = map.trailer(slot) {
                    self.held.put(layout.trailer(), "trailer".to_owned());
                }
            }
            let slots = [(map.primary, "primary"), (map.secondary, "secondary")];
            let scratch = map.scratch.map(|scratch| (scratch, "scratch area"));
            for (region, name) in slots.into_iter().chain(scratch) {
                self.parts.put(region, name.to_owned());
            }
        }
        self
    }

    /// What a step before the commit leaves.
    fn carry_out(&mut self, migration: &Migration<'_>, step: &Step) {
        match step {
            Step::Fetch { artifact, routes } => self.fetch(migration, *artifact, routes),
            Step::CopySelf { to, .. } => self.held.put(to.region, "migrator's copy".to_owned()),
            Step::Copy { artifact, from, to } => {
                if let Some(artifact) = named(migration, *artifact) {
                    let to = Place { region: to.region.prefix(from.len_bytes()), ..*to };
                    self.place(migration, artifact, &to);
                }
            }
            Step::Clean { region, .. } => self.held.put(*region, "erased".to_owned()),
            Step::Confirm { slot } => {
                let layout = migration.mcuboot.and_then(|map| map.trailer(*slot));
                if let Some(layout) = layout {
                    self.held.put(layout.trailer(), "trailer, confirmed".to_owned());
                }
            }
            // The other steps erase at most a sector of stale data.
            Step::Select { .. }
            | Step::CleanScratch { .. }
            | Step::CleanHeader { .. }
            | Step::Verify { .. }
            | Step::Commit { .. }
            | Step::Host { .. }
            | Step::ResetIntoCopy
            | Step::Reset => {}
        }
    }

    fn fetch(&mut self, migration: &Migration<'_>, index: ArtifactIndex, routes: &[Route]) {
        let Some(artifact) = named(migration, index) else { return };
        for route in routes {
            let Target::Flash(place) = route.to else { continue };
            let rest = artifact.len_bytes.map(|len| len.saturating_sub(route.file_offset));
            let region = rest.map_or(place.region, |rest| place.region.prefix(rest));
            self.place(migration, artifact, &Place { region, ..place });
        }
    }

    /// The region that an artifact fills: all of it, or an MCUboot image and its trailer.
    fn place(&mut self, migration: &Migration<'_>, artifact: &Artifact<'_>, place: &Place) {
        let name = artifact.name;
        let staged = if place.purpose == Purpose::Staging { ", staged" } else { "" };
        let layout = migration.mcuboot.zip(place.slot).and_then(|(map, slot)| map.trailer(slot));
        match (image_len_bytes(artifact), layout) {
            (Some(len_bytes), Some(layout)) => {
                let image = place.region.prefix(len_bytes);
                self.behind(image, place);
                self.held.put(image, format!("{name}{staged}"));
                if let Some(trailer) = layout.trailer().intersection(place.region) {
                    self.held.put(trailer, format!("trailer of {name}{staged}"));
                }
            }
            _ => {
                self.behind(place.region, place);
                self.held.put(place.region, format!("{name}{staged}"));
            }
        }
    }

    /// The rest of the last block of a run of sectors.
    fn behind(&mut self, run: Region, place: &Place) {
        let block = run.align_out(BLOCK_64K_BYTES).and_then(|b| b.intersection(place.erasable));
        let Some(rest) =
            block.map(|block| block.from(run.align_out(SECTOR_BYTES).unwrap_or(run).end()))
        else {
            return;
        };
        if !place.reserved.is_some_and(|reserved| reserved.overlaps(rest)) {
            self.held.put(rest, MAYBE_ERASED.to_owned());
        }
    }

    fn commit(&mut self, migration: &Migration<'_>, step: &Step) {
        let Step::Commit { artifact, to, merge, .. } = step else { return };
        let name = named(migration, *artifact).map_or("", |artifact| artifact.name);
        let what = match merge {
            Merge::KeepUnderBlank => format!("{name}, gaps kept"),
            Merge::Exact if self.part(to.start()) == name => "new".to_owned(),
            Merge::Exact => name.to_owned(),
        };
        self.behind(to.region, to);
        self.held.put(to.region, what);
    }

    /// What MCUboot moves at its first start: the application to the primary slot and, with a swap,
    /// the primary slot's old contents to the secondary.
    fn swap(&mut self, migration: &Migration<'_>, map: &McubootMap<'_>) {
        let mut artifacts = migration.artifacts.iter();
        let Some(application) = artifacts.find(|a| a.role == Role::Application) else { return };
        let name = application.name.to_owned();
        let len_bytes = image_len_bytes(application).unwrap_or(map.primary.len_bytes());
        let replaced = map.primary.prefix(len_bytes).align_out(SECTOR_BYTES).unwrap_or(map.primary);
        if map.swap == SwapKind::Overwrite {
            self.held.put(map.primary, OLD_DATA.to_owned());
            self.held.put(map.secondary.prefix(len_bytes), format!("{name}, used up"));
        } else {
            for piece in self.pieces(replaced) {
                let what = self.held.at(piece.start()).map_or(OLD_DATA, String::as_str).to_owned();
                let offset = piece.start().bytes_since(map.primary.start());
                let start = map.secondary.start().saturating_add(offset);
                self.held.put(Region::clamped(start, piece.len_bytes()), what);
            }
        }
        self.held.put(replaced, name);
    }

    /// Splits the region into parts with uniform contents.
    fn pieces(&self, region: Region) -> Vec<Region> {
        cut(region, self.bounds())
    }

    /// The addresses at which something begins or ends.
    pub(super) fn bounds(&self) -> impl Iterator<Item = FlashAddr> + '_ {
        self.parts.bounds().chain(self.held.bounds())
    }

    /// The part that contains an address.
    pub(super) fn part(&self, addr: FlashAddr) -> &str {
        self.parts.at(addr).map_or("", String::as_str)
    }

    /// Part and contents in words.
    pub(super) fn in_words(&self, addr: FlashAddr) -> String {
        let part = self.part(addr);
        let slot = matches!(part, "primary" | "secondary");
        match self.held.at(addr).map(String::as_str).or(slot.then_some(OLD_DATA)) {
            Some(held) if part == UNCLAIMED => held.to_owned(),
            Some(held) => format!("{part}: {held}"),
            None => part.to_owned(),
        }
    }
}

/// Cuts a region at every bound inside.
pub(super) fn cut(region: Region, bounds: impl Iterator<Item = FlashAddr>) -> Vec<Region> {
    let inside = bounds.filter(|&at| region.contains(at) && at != region.start());
    let mut starts: Vec<FlashAddr> = inside.chain([region.start()]).collect();
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().copied().skip(1).chain([region.end()]);
    starts.iter().zip(ends).filter_map(|(&start, end)| Region::new(start, end)).collect()
}

fn named<'a>(migration: &Migration<'a>, index: ArtifactIndex) -> Option<&'a Artifact<'a>> {
    migration.artifacts.get(usize::from(index.0))
}

fn image_len_bytes(artifact: &Artifact<'_>) -> Option<u32> {
    match artifact.content {
        Some(Content::Mcuboot { image_len_bytes, .. }) => Some(image_len_bytes),
        _ => None,
    }
}
