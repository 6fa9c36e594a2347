//! A carrier, and the old system that starts it and remains.

use bootswap_plan::{App, ArtifactIndex, CommitWay, Content, Role, Step};
use flash_region::Region;

use crate::ledger::{Ledger, table};

impl Ledger<'_> {
    /// Where the carrier of a plan that hands over to one is, up to the end of its file or of its
    /// partition.
    pub(crate) fn carrier(&self) -> Option<Region> {
        let app = self.plan.steps.iter().find_map(|step| match step {
            Step::Host { artifact, app: App::Ota { index, .. }, .. } => Some((*artifact, *index)),
            _ => None,
        });
        let (artifact, index) = app?;
        let slot = self.facts.partitions.iter().find(|p| p.ota_index() == Some(index))?.region;
        let len_bytes = self.artifact(artifact).len_bytes.unwrap_or_else(|| {
            let room = self.plan.steps.iter().filter_map(|step| match step {
                Step::Verify { artifact: verified, routes } if *verified == artifact => {
                    Some(routes.iter().map(|route| route.to.len_bytes()).sum())
                }
                _ => None,
            });
            room.max().expect("verified")
        });
        Some(Region::clamped(slot.start(), len_bytes))
    }

    /// Otadata selects the slot in which all of a carrier is.
    pub(crate) fn hands_over(&self, artifact: ArtifactIndex, otadata: Region, app: App) {
        assert_eq!(self.migration.commit, CommitWay::Hosted, "{self}");
        assert_eq!(self.artifact(artifact).role, Role::Bootloader, "{self}");
        assert!(matches!(app, App::Ota { .. }), "only one entry is to be written: {self}");
        let carrier = self.carrier().expect("found by the step");
        let mut slots = self.facts.partitions.iter().filter(|p| p.ota_index().is_some());
        let slot = slots.find(|p| p.region.start() == carrier.start()).expect("a slot's start");
        self.selects(otadata, app, slot.region);
        let is_there = self.live.iter().any(|live| {
            live.artifact == artifact
                && live.file_offset == 0
                && live.region.is_some_and(|region| region.start() == carrier.start())
        });
        assert!(is_there, "otadata selects a slot without the carrier: {self}");
    }

    /// What stays for good is in the way of nothing: the old bootloader, the table, otadata and the
    /// carrier. And there is no other commit.
    pub(crate) fn hosted(&self) {
        let steps = || self.plan.steps.iter();
        if self.migration.commit == CommitWay::Replace {
            assert!(!steps().any(|step| matches!(step, Step::Host { .. })), "{self}");
            return;
        }
        assert!(!steps().any(|step| matches!(step, Step::Commit { .. })), "{self}");
        let carrier = self.carrier().expect("hosted without a carrier");
        let facts = self.facts;
        let boot = Region::new(facts.chip.bootloader_addr(), table(facts).end());
        let mut stays = vec![boot.expect("in this order"), carrier];
        stays.extend(facts.partitions.iter().filter(|p| p.is_otadata()).map(|p| p.region));
        let map = self.migration.mcuboot.as_ref().expect("a carrier for an unknown bootloader");
        let areas = [Some(map.primary), Some(map.secondary), map.scratch];
        let files = self.migration.artifacts.iter().filter(|a| a.role == Role::Other);
        let files = files.map(|a| match (a.dest, a.len_bytes) {
            (Some(dest), Some(len_bytes)) => dest.prefix(len_bytes),
            (dest, _) => dest.unwrap_or_default(),
        });
        for taken in areas.into_iter().flatten().chain(files) {
            let lost = stays.iter().find(|stays| stays.overlaps(taken));
            assert_eq!(lost, None, "the target takes {taken} for itself: {self}");
        }
        let running = facts.running.prefix(facts.running_len_bytes);
        assert!(!carrier.overlaps(running), "over the running image: {self}");
        for artifact in self.migration.artifacts.iter().filter(|a| a.role == Role::Bootloader) {
            match artifact.content {
                None => {}
                Some(Content::Carrier(carrier)) => {
                    let same = |found: Option<u32>, named: u32| found.is_none_or(|f| f == named);
                    let otadata = facts.partitions.iter().find(|p| p.is_otadata());
                    let otadata = otadata.map(|p| p.region.start().get());
                    let goes_back = carrier.otadata.is_none_or(|to| same(otadata, to.get()));
                    assert!(goes_back, "goes back by other bytes: {self}");
                    let settings = facts.bootloader_settings;
                    let is_read = settings.is_none_or(|old| old == carrier.settings);
                    assert!(is_read, "MCUboot reads other flash settings: {self}");
                    let needed = facts.secure_version.unwrap_or(0);
                    assert!(carrier.secure_version >= needed, "anti-rollback: {self}");
                    assert!(!carrier.has_trial, "{self}");
                }
                Some(other) => panic!("{other:?} is no carrier: {self}"),
            }
        }
    }
}
