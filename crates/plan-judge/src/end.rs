//! The commit, and what must hold before and after it.

use bootswap_plan::{ArtifactIndex, McubootMap, Merge, Role, Step, Strategy, Target};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

use crate::ledger::{Ledger, Live, table};

impl Ledger<'_> {
    /// Checks that every artifact is verified once, after the last change.
    pub(crate) fn all_verified(&self) {
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
            Step::Verify { .. } | Step::Commit { .. } | Step::Host { .. } | Step::Reset => true,
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

    /// Checks that MCUboot finds each slot's trailer, and the end of the scratch area, in a state
    /// that it handles correctly.
    pub(crate) fn trailers(&self) {
        let Some(map) = &self.migration.mcuboot else { return };
        let clean = |region: Region| self.clean.iter().any(|c| c.contains_region(region));
        for slot in [map.primary, map.secondary] {
            let trailer = trailer(map, slot);
            // Artifacts in their final place. An artifact that is only staged there, until the
            // commit copies it elsewhere, does not count.
            let here = self.live.iter().filter_map(|live| {
                let start = live.region.filter(|region| !region.is_empty())?.start();
                let waits = self.plan.steps.iter().any(|step| match step {
                    Step::Commit { from: Target::Flash(from), .. } => from.start() == start,
                    _ => false,
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
                assert!(is_ready, "the trailer of {slot} keeps its old contents: {self}");
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
            assert!(slot == map.primary || !reads_primary, "MCUboot needs a primary image: {self}");
            // A file as long as the slot contains the trailer. If the length is unknown, the engine
            // checks the trailer.
            let brings = artifact.len_bytes.is_none_or(|len| len == slot.len_bytes());
            let wiped = self.plan.steps.iter().any(|step| {
                matches!(step, Step::Clean { region, .. } if region.contains_region(trailer))
            });
            assert!(brings || wiped, "the trailer of {slot} keeps its old contents: {self}");
            let in_it = |r: &Region| r.overlaps(trailer);
            assert!(!self.plan.journal.as_ref().is_some_and(in_it), "{self}");
        }
        if let Some(scratch) = map.scratch {
            let end = scratch.suffix(SECTOR_BYTES);
            assert!(clean(end) || self.is_brought(end), "{self}");
        }
    }

    /// Whether an artifact other than the application covers the whole region.
    fn is_brought(&self, region: Region) -> bool {
        self.migration.artifacts.iter().any(|artifact| {
            let dest = artifact.dest.unwrap_or_default();
            let written = artifact.len_bytes.map_or(dest, |len_bytes| dest.prefix(len_bytes));
            artifact.role != Role::Application && written.contains_region(region)
        })
    }

    pub(crate) fn commit(&mut self, step: &Step, later: &[Step]) {
        let (artifact, from, to, merge, unused) = match step {
            Step::Commit { artifact, from, to, merge, unused } => {
                (*artifact, from, to, merge, unused)
            }
            Step::Host { artifact, otadata, app } => {
                return self.hands_over(*artifact, *otadata, *app);
            }
            Step::Reset if later.is_empty() => return,
            _ => panic!("{step:?} does not belong here: {self}"),
        };
        let facts = self.facts;
        let start = facts.chip.bootloader_addr();
        let area = Region::new(start, table(facts).start()).expect("in this order");
        let len_bytes = to.region.len_bytes();
        self.holds(artifact, 0, from, len_bytes);
        assert!(to.erasable.is_aligned(SECTOR_BYTES) && to.erasable.contains_region(to.region));
        assert!(facts.flash().contains_region(to.erasable), "{self}");
        self.reaches(to.erasable);
        if let Some(unused) = unused {
            assert_eq!((unused.start(), unused.end()), (FlashAddr::ZERO, area.start()), "{self}");
        }
        // Besides the artifact's own sectors, only the old bootloader may be erased.
        let covered = to.region.align_out(SECTOR_BYTES).expect("inside of flash");
        let spare = to.erasable.from(covered.end());
        assert!(to.erasable.start() == covered.start(), "{self}");
        assert!(
            spare.is_empty() || area.contains_region(spare),
            "{spare} is erased, and is not part of the bootloader: {self}"
        );
        let running = facts.running.prefix(facts.running_len_bytes);
        assert!(!to.erasable.overlaps(running), "the commit erases the running image: {self}");
        self.keeps_in_commit(artifact, to.region, *merge);
        for live in &self.live {
            let lost = live.region.is_some_and(|region| {
                region.overlaps(to.erasable) || unused.is_some_and(|unused| unused.overlaps(region))
            });
            assert!(!lost, "the commit erases {live:?}: {self}");
        }
        let region = Some(to.region);
        self.live.push(Live { artifact, file_offset: 0, region, len_bytes, reserved: None });
    }

    /// Checks that the commit changes only a bootloader, where the ROM loads it from, and what the
    /// owner gave up by name. Sectors for which a merged file has no contents are not changed.
    fn keeps_in_commit(&self, index: ArtifactIndex, region: Region, merge: Merge) {
        let (migration, facts) = (self.migration, self.facts);
        let rom_looks_at = facts.chip.bootloader_addr();
        let blank: Vec<Region> = match merge {
            Merge::KeepUnderBlank => self.artifact(index).blanks.at(region.start()).collect(),
            Merge::Exact => Vec::new(),
        };
        let changed = |sector: &Region| !blank.iter().any(|gap| gap.contains_region(*sector));
        let changed: Vec<Region> = region.chunks(SECTOR_BYTES).filter(changed).collect();
        let area = Region::new(rom_looks_at, table(facts).start()).expect("in this order");
        if changed.iter().any(|sector| sector.overlaps(area)) {
            let boots = changed.iter().any(|sector| sector.contains(rom_looks_at));
            assert!(boots, "{region} is no place for a bootloader: {self}");
        }
        let before = Region::clamped(FlashAddr::ZERO, rom_looks_at.get());
        let fixed = [("secure-boot-data", before), ("partition-table", table(facts))];
        // Partition types 2 and 3 are bootloader and partition table since ESP-IDF 5.4.
        let boot = Region::new(FlashAddr::ZERO, table(facts).end()).expect("in this order");
        let describes_boot =
            |kind: u8, region: Region| matches!(kind, 2 | 3) && boot.contains_region(region);
        let partitions = facts.partitions.iter();
        let data = partitions.filter(|p| !p.is_app() && !describes_boot(p.kind.raw(), p.region));
        let data = data.map(|p| (p.label.as_str().unwrap_or_default(), p.region));
        for (label, kept) in fixed.into_iter().chain(data) {
            let hit = changed.iter().any(|sector| sector.overlaps(kept));
            let is_allowed = !hit || migration.allow.overwrites(label);
            assert!(is_allowed, "the commit changes {label}, which is kept: {self}");
        }
    }

    /// Checks that in the end every byte of every artifact is where it belongs, and that MCUboot
    /// finds an application.
    pub(crate) fn all_in_place(&self) {
        let at = |addr: FlashAddr| {
            self.live.iter().any(|live| live.region.is_some_and(|region| region.contains(addr)))
        };
        let carrier = self.carrier();
        if let Some(map) = &self.migration.mcuboot
            && (at(self.facts.chip.bootloader_addr()) || carrier.is_some())
        {
            let swaps_in = matches!(map.swap, SwapKind::Scratch | SwapKind::Overwrite);
            let found = at(map.primary.start()) || (swaps_in && at(map.secondary.start()));
            assert!(found, "MCUboot has nothing to start: {self}");
        }
        for (index, artifact) in (0..).map(ArtifactIndex).zip(self.migration.artifacts) {
            let start = match (artifact.role, artifact.dest, &self.migration.mcuboot) {
                (Role::Bootloader, ..) => match carrier {
                    Some(region) => region.start(),
                    None => self.facts.chip.bootloader_addr(),
                },
                (_, Some(dest), _) => dest.start(),
                (Role::Application, None, Some(map)) => match self.plan.strategy {
                    Strategy::SecondaryAndSwap => map.secondary.start(),
                    _ => map.primary.start(),
                },
                _ => panic!("nothing says where {} goes: {:#?}", artifact.name, self.plan),
            };
            if let (Role::Other, Some(map)) = (artifact.role, &self.migration.mcuboot) {
                // An image of the whole flash, from the bootloader's address on, may cover the
                // slots.
                let rom_looks_at = self.facts.chip.bootloader_addr();
                let whole = artifact.dest.is_some_and(|dest| dest.start() <= rom_looks_at);
                let scratch = map.scratch.filter(|_| map.swap == SwapKind::Scratch);
                let taken = [Some(map.primary), Some(map.secondary), scratch];
                let mut taken = taken.into_iter().flatten();
                let swapped =
                    artifact.dest.is_some_and(|dest| taken.any(|area| area.overlaps(dest)));
                assert!(whole || !swapped, "MCUboot writes over {}: {self}", artifact.name);
            }
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
                "{} is in place only up to byte {reached:#x}: {:#?}",
                artifact.name,
                self.plan
            );
        }
    }
}

/// The region of a slot's trailer, by the lengths in MCUboot's documentation (docs/design.md,
/// "Image trailer"): a status for as many sectors as the bootloader has room for, writes of 4
/// bytes.
fn trailer(map: &McubootMap<'_>, slot: Region) -> Region {
    let (steps, fields) = match map.swap {
        SwapKind::Scratch | SwapKind::Move => (3, 4),
        SwapKind::Offset => (2, 5),
        SwapKind::Overwrite => (0, 3),
    };
    let magic = 16u32.next_multiple_of(map.max_align_bytes);
    slot.suffix(map.max_sectors * steps * 4 + fields * map.max_align_bytes + magic)
}
