//! A plan, or the reasons against one, for people and for scripts.

use std::fmt;

use bootswap_plan::{Migration, Plan, Reason, Reasons, Step, Target};
use esp_idf_format::image::FlashSize;
use esp_idf_format::partition::Partition;
use flash_region::Region;
use serde::Serialize;

use super::{FlashMap, Stage};
use crate::Verdict;
use crate::facts::Found;

/// What `--json` prints. Keys are never renamed; `null` where something does not apply.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PlanReport {
    /// `planned` or `refused`.
    pub outcome: &'static str,
    /// Why it was refused.
    pub reasons: Vec<ReasonReport>,
    /// The device that it is planned for.
    pub device: DeviceReport,
    /// The stages: one, or two where the migrator moves to another partition first.
    pub stages: Vec<StageReport>,
    /// What is done, in this order, over all stages.
    pub steps: Vec<StepReport>,
    /// From the first to the last byte that the commit may erase.
    pub commit: Option<RegionReport>,
    /// The sector for checkpoints.
    pub journal: Option<RegionReport>,
    /// What lies where, and what will.
    pub flash_map: Option<FlashMap>,
}

/// A reason against the migration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReasonReport {
    /// Its code.
    pub code: &'static str,
    /// What is wrong and what to change.
    pub message: String,
}

/// A region of flash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct RegionReport {
    /// First address.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// The device that is planned for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DeviceReport {
    /// Its chip.
    pub chip: &'static str,
    /// Bytes of its flash.
    pub flash_size: u32,
    /// `dump`, or `migration` where nothing is known but what that says.
    pub known_from: &'static str,
    /// Label of the partition that the migrator runs from.
    pub running: String,
    /// That partition.
    pub running_region: RegionReport,
    /// Bytes of the migrator's image there.
    pub running_image_size: u32,
    /// Whether these bytes are an assumption.
    pub running_image_assumed: bool,
    /// Label of the partition with the firmware before.
    pub previous: Option<String>,
}

/// What is done without a reset of the migrator in between.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StageReport {
    /// `as-named`, `secondary-and-swap`, `straight-to-primary` or `relocate`.
    pub strategy: &'static str,
    /// The same in words.
    pub text: String,
    /// Label of the partition that the migrator runs from.
    pub running: String,
    /// How many of the steps it has.
    pub steps: usize,
}

/// A step of the plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StepReport {
    /// `select`, `copy-self`, `reset-into-copy`, `fetch`, `copy`, `clean`, `clean-scratch`, `confirm`,
    /// `verify`, `commit` or `reset`.
    pub action: &'static str,
    /// Name of the artifact that it is about.
    pub artifact: Option<String>,
    /// Regions that it reads from.
    pub from: Vec<RegionReport>,
    /// Regions that it writes, erases or verifies.
    pub to: Vec<RegionReport>,
    /// The step in words.
    pub text: String,
}

impl From<Region> for RegionReport {
    fn from(region: Region) -> Self {
        Self { offset: region.start().get(), size: region.len_bytes() }
    }
}

/// The label of the partition that is this region.
fn label_of(partitions: &[Partition], region: Region) -> Option<String> {
    let partition = partitions.iter().find(|partition| partition.region == region);
    partition.map(|partition| partition.label.to_string())
}

impl StageReport {
    fn new(stage: &Stage<'_>) -> Self {
        let Stage { facts, plan } = stage;
        Self {
            strategy: plan.strategy.name(),
            text: plan.strategy.to_string(),
            running: label_of(facts.partitions, facts.running).unwrap_or_default(),
            steps: plan.steps.len(),
        }
    }
}

impl DeviceReport {
    /// Describes the device that was found, in a dump or by assumption.
    #[must_use]
    pub fn new(found: &Found, from_dump: bool) -> Self {
        let facts = &found.facts;
        Self {
            chip: facts.chip.name(),
            flash_size: facts.flash_len_bytes,
            known_from: if from_dump { "dump" } else { "migration" },
            running: found.running.to_string(),
            running_region: facts.running.into(),
            running_image_size: facts.running_len_bytes,
            running_image_assumed: found.image.is_none(),
            previous: facts.previous.and_then(|previous| label_of(&facts.partitions, previous)),
        }
    }
}

impl StepReport {
    fn new(step: &Step, migration: &Migration<'_>) -> Self {
        let artifact =
            step.artifact().and_then(|index| migration.artifacts.get(usize::from(index.0)));
        let name = artifact.map(|artifact| artifact.name);
        let in_flash = |target: &Target| match target {
            Target::Flash(place) => Some(place.region.into()),
            Target::Memory { .. } => None,
        };
        let one = |region: Region| vec![RegionReport::from(region)];
        let (action, from, to) = match step {
            Step::Select { otadata, .. } => ("select", Vec::new(), one(*otadata)),
            Step::CopySelf { from, to } => ("copy-self", one(*from), one(to.region)),
            Step::ResetIntoCopy => ("reset-into-copy", Vec::new(), Vec::new()),
            Step::Fetch { routes, .. } => (
                "fetch",
                Vec::new(),
                routes.iter().filter_map(|route| in_flash(&route.to)).collect(),
            ),
            Step::Copy { from, to, .. } => ("copy", one(*from), one(to.region)),
            Step::Clean { region, .. } => ("clean", Vec::new(), one(*region)),
            Step::CleanScratch { scratch, .. } => ("clean-scratch", Vec::new(), one(*scratch)),
            Step::CleanHeader { slot, .. } => ("clean-header", Vec::new(), one(*slot)),
            Step::Confirm { slot } => ("confirm", Vec::new(), one(*slot)),
            Step::Verify { routes, .. } => (
                "verify",
                Vec::new(),
                routes.iter().filter_map(|route| in_flash(&route.to)).collect(),
            ),
            Step::Commit { from, to, .. } => {
                ("commit", in_flash(from).into_iter().collect(), one(to.region))
            }
            Step::Reset => ("reset", Vec::new(), Vec::new()),
        };
        let text = step.describe(name.unwrap_or_default()).to_string();
        Self { action, artifact: name.map(str::to_owned), from, to, text }
    }
}

impl From<&Reason> for ReasonReport {
    fn from(reason: &Reason) -> Self {
        Self { code: reason.code(), message: reason.to_string() }
    }
}

impl PlanReport {
    pub(super) fn planned(
        device: DeviceReport,
        migration: &Migration<'_>,
        stages: &[Stage<'_>],
    ) -> Self {
        let steps = stages.iter().flat_map(|stage| &stage.plan.steps);
        let last = stages.last().map(|stage| &stage.plan);
        Self {
            outcome: "planned",
            reasons: Vec::new(),
            device,
            stages: stages.iter().map(StageReport::new).collect(),
            steps: steps.map(|step| StepReport::new(step, migration)).collect(),
            commit: last.and_then(Plan::commit_region).map(RegionReport::from),
            journal: last.and_then(|plan| plan.journal).map(RegionReport::from),
            flash_map: Some(FlashMap::new(migration, stages)),
        }
    }

    pub(super) fn refused(device: DeviceReport, reasons: &Reasons) -> Self {
        Self {
            outcome: "refused",
            reasons: reasons.iter().map(ReasonReport::from).collect(),
            device,
            stages: Vec::new(),
            steps: Vec::new(),
            commit: None,
            journal: None,
            flash_map: None,
        }
    }

    /// Whether the migration would be safe.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        if self.reasons.is_empty() { Verdict::Safe } else { Verdict::Unsafe }
    }
}

impl fmt::Display for DeviceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chip, running, running_image_size, .. } = self;
        match FlashSize::from_bytes(self.flash_size) {
            Some(size) => writeln!(
                f,
                "device   {chip} with {size} of flash, as the {} says",
                self.known_from
            )?,
            None => writeln!(f, "device   {chip} with {:#x} bytes of flash", self.flash_size)?,
        }
        write!(f, "running  {running}, with an image of {running_image_size:#x} bytes")?;
        writeln!(
            f,
            "{}",
            if self.running_image_assumed { ", which is an assumption" } else { "" }
        )?;
        if let Some(previous) = &self.previous {
            writeln!(f, "before   {previous}")?;
        }
        writeln!(
            f,
            "eFuses   secure boot and flash encryption are taken to be off; the device looks for itself"
        )
    }
}

impl fmt::Display for PlanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.device)?;
        if !self.reasons.is_empty() {
            writeln!(f, "refused:")?;
            for reason in &self.reasons {
                writeln!(f, "  {}: {}", reason.code, reason.message)?;
            }
            return Ok(());
        }
        let mut steps = (1..).zip(&self.steps);
        for StageReport { text, running, steps: count, .. } in &self.stages {
            writeln!(f, "from {running}: {text}")?;
            for (number, step) in steps.by_ref().take(*count) {
                writeln!(f, "{number:>3}  {}", step.text)?;
            }
        }
        match &self.flash_map {
            Some(map) => {
                write!(f, "\nflash map: from, to, what is there today, what comes there\n{map}")
            }
            None => Ok(()),
        }
    }
}
