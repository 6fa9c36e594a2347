//! What every byte of flash is needed for.

use std::fmt;

use bootswap_plan::{ArtifactIndex, DeviceFacts, Migration, Plan, Staging};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

/// The end of what three address bytes reach, 16 MiB. In a larger flash, a command for an address
/// above it acts on the beginning of the flash, where the bootloader is.
const THREE_BYTES_END: FlashAddr = FlashAddr(0x100_0000);

/// The sector of the partition table.
pub(crate) fn table(facts: &DeviceFacts<'_>) -> Region {
    Region::clamped(facts.table_addr, SECTOR_BYTES)
}

/// Bytes of an artifact in flash or in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live {
    pub artifact: ArtifactIndex,
    pub file_offset: u32,
    /// Where they are in flash; `None` if they are in memory.
    pub region: Option<Region>,
    pub len_bytes: u32,
    /// A part without meaning, in which something else may be.
    pub reserved: Option<Region>,
}

/// What every byte of flash is needed for, while a plan is carried out.
pub(crate) struct Ledger<'a> {
    pub migration: &'a Migration<'a>,
    pub facts: &'a DeviceFacts<'a>,
    pub plan: &'a Plan,
    pub live: Vec<Live>,
    pub clean: Vec<Region>,
    /// Whether every artifact has been verified, so that nothing but the commit is to come.
    pub all_ready: bool,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(
        migration: &'a Migration<'a>,
        facts: &'a DeviceFacts<'a>,
        plan: &'a Plan,
    ) -> Self {
        Self { migration, facts, plan, live: Vec::new(), clean: Vec::new(), all_ready: false }
    }

    /// Checks that three address bytes reach the whole region.
    pub(crate) fn reaches(&self, region: Region) {
        assert!(region.end() <= THREE_BYTES_END, "{region} wraps to the bootloader: {self}");
    }

    /// Notes that `region` is written or erased before the commit, for an artifact or not.
    pub(crate) fn change(&mut self, artifact: Option<ArtifactIndex>, region: Region, what: &str) {
        self.erase(artifact, region, what);
        self.clean.retain(|clean| !clean.overlaps(region));
    }

    /// Checks that `region` may be erased before the commit. Nothing is written to it, so what is
    /// blank there stays blank.
    pub(crate) fn erase(&self, artifact: Option<ArtifactIndex>, region: Region, what: &str) {
        let Self { facts, plan, .. } = *self;
        assert!(facts.flash().contains_region(region), "{what} {region} is not in flash: {self}");
        assert!(region.is_aligned(SECTOR_BYTES), "{what} {region} is not whole sectors: {self}");
        self.reaches(region);
        for (kept, where_) in self.kept(artifact) {
            assert!(!region.overlaps(where_), "{what} {region} over {kept} {where_}: {self}");
        }
        for live in &self.live {
            let padding = live.reserved.is_some_and(|reserved| reserved.contains_region(region));
            let shared = live.region.is_some_and(|live| live.overlaps(region)) && !padding;
            let own = Some(live.artifact) == artifact;
            assert!(!shared || own, "{what} {region} over {live:?}: {self}");
        }
        let journal = plan.journal.filter(|journal| *journal != region);
        assert!(journal.is_none_or(|j| !j.overlaps(region)), "{what} over the journal: {self}");
    }

    /// What must not change before the commit, while `artifact` is written.
    pub(crate) fn kept(&self, artifact: Option<ArtifactIndex>) -> Vec<(String, Region)> {
        let Self { migration, facts, .. } = *self;
        let boot =
            Region::new(facts.chip.bootloader_addr(), table(facts).end()).expect("in this order");
        let running = facts.running.prefix(facts.running_len_bytes);
        let mut kept =
            vec![("the boot area".to_owned(), boot), ("the running image".to_owned(), running)];
        for partition in facts.partitions.iter().filter(|p| !p.is_app()) {
            let label = partition.label.as_str().unwrap_or_default();
            let staged_in = migration.staging == Staging::Label(label);
            // An artifact for this partition is not enough: the owner must give it up by name.
            let given_up = migration.allow.overwrites(label) || staged_in;
            // NVS is part of the way back until every artifact has been verified.
            let nvs = partition.is_nvs() && !(self.all_ready && artifact.is_none());
            let is_free = given_up && !nvs && !partition.is_otadata();
            if !is_free {
                kept.push((label.to_owned(), partition.region));
            }
        }
        kept
    }

    pub(crate) fn artifact(&self, index: ArtifactIndex) -> bootswap_plan::Artifact<'_> {
        self.migration.artifacts[usize::from(index.0)]
    }
}

/// Prints everything about the case.
impl fmt::Display for Ledger<'_> {
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
