//! The steps before the commit.

use bootswap_plan::{ArtifactIndex, Content, Place, Role, Route, Step, Target};
use flash_region::{Region, SECTOR_BYTES};

use crate::ledger::{Ledger, Live};

impl Ledger<'_> {
    pub(crate) fn before_commit(&mut self, step: &Step) {
        match step {
            Step::Select { otadata, app } => self.selects(*otadata, *app, self.facts.running),
            Step::Fetch { artifact, routes } => self.fetch(*artifact, routes),
            Step::Copy { artifact, from, to } => self.copy(*artifact, *from, to),
            Step::Clean { region, erasable, .. } => {
                let running = self.facts.running.prefix(self.facts.running_len_bytes);
                assert!(!region.overlaps(running), "the running image is in {region}: {self}");
                self.erase(None, *erasable, "a clean");
                self.clean.push(*region);
            }
            Step::CleanScratch { scratch, erasable } => {
                self.erase(None, *erasable, "a clean");
                self.clean.push(scratch.suffix(SECTOR_BYTES));
            }
            Step::CleanHeader { erasable, .. } => self.erase(None, *erasable, "a clean"),
            Step::Confirm { slot } => {
                // The flag is written into the slot's last sector, which must belong to the
                // application.
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
                    assert!(!region.overlaps(end), "the confirmation overwrites {kept}: {self}");
                }
            }
            Step::Verify { artifact, routes } => self.verify(*artifact, routes),
            Step::CopySelf { .. }
            | Step::ResetIntoCopy
            | Step::Commit { .. }
            | Step::Host { .. }
            | Step::Reset => {
                panic!("{step:?} does not belong here: {self}")
            }
        }
    }

    fn fetch(&mut self, artifact: ArtifactIndex, routes: &[Route]) {
        let mut come = Vec::new();
        for (route, len_bytes) in self.parts(artifact, routes) {
            let (region, reserved) = match &route.to {
                Target::Flash(place) => {
                    self.write(artifact, place);
                    (Some(place.region.prefix(len_bytes)), place.reserved)
                }
                Target::Memory { len_bytes } => {
                    assert!(*len_bytes <= self.facts.staging_memory_len_bytes);
                    let in_use = self.live.iter().any(|live| live.region.is_none());
                    assert!(!in_use, "the memory is already in use: {self}");
                    (None, None)
                }
            };
            let file_offset = route.file_offset;
            come.push(Live { artifact, file_offset, region, len_bytes, reserved });
        }
        self.live.extend(come);
    }

    /// The parts of a file with their lengths. They leave no gap, and reach the file's end.
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

    /// Notes that a place is written to, and that what is erasable around it may be erased.
    fn write(&mut self, artifact: ArtifactIndex, place: &Place) {
        let Place { region, erasable, slot, reserved, .. } = *place;
        assert!(region.start().is_aligned(SECTOR_BYTES), "{self}");
        assert!(erasable.contains_region(region), "{self}");
        let Some(reserved) = reserved else {
            return self.change(Some(artifact), erasable, "an artifact");
        };
        // Only a part of a slot that MCUboot never reads may be reserved for something else.
        assert_eq!(slot.map(Region::start), Some(region.start()), "{self}");
        let Some(Content::Mcuboot { image_len_bytes, .. }) = self.artifact(artifact).content else {
            panic!("a part of an image of unknown length is reserved: {self}")
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
        let start = source.region.expect("it was found by its region").start();
        let copied = from.start().bytes_since(start);
        let file_offset = source.file_offset + copied;
        source.len_bytes = copied;
        source.region = Some(Region::clamped(start, copied));
        assert!(to.region.len_bytes() >= from.len_bytes(), "{self}");
        assert!(!to.erasable.overlaps(from), "copied over itself: {self}");
        self.write(artifact, to);
        let region = Some(to.region.prefix(from.len_bytes()));
        let (len_bytes, reserved) = (from.len_bytes(), to.reserved);
        self.live.push(Live { artifact, file_offset, region, len_bytes, reserved });
    }

    /// Checks that all of what is verified is where it was put.
    fn verify(&self, artifact: ArtifactIndex, routes: &[Route]) {
        for (route, len_bytes) in self.parts(artifact, routes) {
            self.holds(artifact, route.file_offset, &route.to, len_bytes);
        }
    }

    /// Checks that the target holds `len_bytes` of the file from `file_offset` on.
    pub(crate) fn holds(
        &self,
        artifact: ArtifactIndex,
        file_offset: u32,
        target: &Target,
        len_bytes: u32,
    ) {
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
}
