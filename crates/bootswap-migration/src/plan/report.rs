//! A plan, or the reasons for a refusal, for scripts; `text.rs` prints it for people.

use bootswap_plan::{
    Cost, CostModel, DeviceFacts, Migration, Plan, Reason, Step, Target, WayBack, objections,
    preferred,
};
use esp_idf_format::partition::Partition;
use flash_region::Region;
use serde::Serialize;

use super::cost::{CostReport, WayBackReport, WindowEstimate, looked_at};
use super::elsewhere;
use super::flash_layout::FlashLayout;
use super::given_up::{GivenUp, given_up};
use super::objection::judged;
use super::region::RegionReport;
use super::stage::PlanStage;
use crate::bootloader::Assumption;
use crate::facts::{self, FoundFacts, with_primary};
use crate::owned::OwnedMigration;

/// Plans the migration of the device that was found; `dump` is its flash, if known.
#[must_use]
pub fn report(migration: &OwnedMigration, found: &FoundFacts, dump: Option<&[u8]>) -> PlanReport {
    let device = DeviceReport::new(found, dump.is_some());
    let facts = with_primary(migration, found.facts.lend(), dump);
    let judged = judged(migration, facts, dump).and_then(|stages| {
        let objection = elsewhere::refused(migration, &facts);
        objection.map_or(Ok(stages), |reason| Err(vec![ReasonReport::from(&reason)]))
    });
    let report = match judged {
        Ok(stages) => migration.with(|lent| PlanReport::planned(device, lent, &stages, dump)),
        Err(reasons) => PlanReport::refused(device, reasons),
    };
    PlanReport { assumed: assumptions(migration, &facts, dump), ..report }
}

/// All that a plan for this device relies on and that neither the files nor `dump`, where there is
/// one, show.
#[must_use]
pub fn assumptions(
    migration: &OwnedMigration,
    facts: &DeviceFacts<'_>,
    dump: Option<&[u8]>,
) -> Vec<Assumption> {
    let mut all = facts::assumptions(migration, facts, dump);
    all.extend(elsewhere::assumption(migration, facts));
    all
}

/// What `--json` prints. Keys are never renamed; `null` where something does not apply.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlanReport {
    /// `planned` or `refused`.
    pub outcome: &'static str,
    /// Why it was refused.
    pub reasons: Vec<ReasonReport>,
    /// The device that the plan is for.
    pub device: DeviceReport,
    /// The strategy of the first stage.
    pub strategy: Option<&'static str>,
    /// The stages: one, or two if the migrator moves to another partition first.
    pub stages: Vec<StageReport>,
    /// The steps of all stages, in order.
    pub steps: Vec<StepReport>,
    /// The cost of all stages until the reset, checkpoints included.
    pub cost: Option<CostReport>,
    /// What MCUboot does after the reset until it starts the application; `null` if the target
    /// bootloader is not MCUboot.
    pub swap: Option<CostReport>,
    /// The cost until the target runs: `cost` and `swap` together.
    pub until_target: Option<CostReport>,
    /// From the first to the last byte that the commit may erase.
    pub commit: Option<RegionReport>,
    /// The time in which a loss of power leaves a device that does not boot.
    pub commit_window: Option<WindowEstimate>,
    /// The sector of the journal.
    pub journal: Option<RegionReport>,
    /// The owner's data that is overwritten because the migration names it in `[allow]`.
    pub given_up: Vec<GivenUp>,
    /// What the plan relies on and could not be checked.
    pub assumed: Vec<Assumption>,
    /// What is where, and what will be.
    pub flash_map: Option<FlashLayout>,
}

/// A reason why the migration is refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReasonReport {
    /// Its code.
    pub code: &'static str,
    /// What is wrong and what to change.
    pub message: String,
}

/// The device that the plan is for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceReport {
    /// Its chip.
    pub chip: &'static str,
    /// Bytes of its flash.
    pub flash_size: u32,
    /// Address of its partition table.
    pub partition_table_offset: u32,
    /// `dump`, or `migration` if only the migration is known.
    pub known_from: &'static str,
    /// Label of the partition that the migrator runs from.
    pub running: String,
    /// That partition.
    pub running_region: RegionReport,
    /// Bytes of the migrator's image in it.
    pub running_image_size: u32,
    /// Whether this length is assumed.
    pub running_image_assumed: bool,
    /// Label of the partition with the previous firmware.
    pub previous: Option<String>,
    /// What is wrong with the device although it boots.
    pub warnings: Vec<String>,
}

/// Steps without a reset of the migrator in between.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StageReport {
    /// `as-named`, `secondary-and-swap`, `straight-to-primary` or `relocate`.
    pub strategy: &'static str,
    /// The same in words.
    pub text: String,
    /// Label of the partition that the migrator runs from.
    pub running: String,
    /// Number of its steps.
    pub steps: usize,
    /// The strategy that is tried first, because it keeps most of the old contents.
    pub preferred: &'static str,
    /// All reasons against that strategy.
    pub objections: Vec<ReasonReport>,
    /// What recording checkpoints costs.
    pub checkpoints: CostReport,
}

/// A step of the plan.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepReport {
    /// `select`, `copy-self`, `reset-into-copy`, `fetch`, `copy`, `clean`, `clean-scratch`,
    /// `clean-header`, `confirm`, `verify`, `commit`, `host` or `reset`.
    pub action: &'static str,
    /// Name of the artifact that it is about.
    pub artifact: Option<String>,
    /// Regions that it reads from.
    pub from: Vec<RegionReport>,
    /// Regions that it writes, erases or verifies.
    pub to: Vec<RegionReport>,
    /// The step in words.
    pub text: String,
    /// What it costs.
    pub cost: CostReport,
    /// What the device boots if power is lost during it.
    pub way_back: WayBackReport,
}

/// The label of the partition with this region.
fn label_of(partitions: &[Partition], region: Region) -> Option<String> {
    let partition = partitions.iter().find(|partition| partition.region == region);
    partition.map(|partition| partition.label.to_string())
}

impl StageReport {
    fn new(migration: &Migration<'_>, stage: &PlanStage<'_>) -> Self {
        let PlanStage { facts, plan } = stage;
        Self {
            strategy: plan.strategy.name(),
            text: plan.strategy.to_string(),
            running: label_of(facts.partitions, facts.running).unwrap_or_default(),
            steps: plan.steps.len(),
            preferred: preferred(migration).name(),
            objections: objections(migration, facts).iter().map(ReasonReport::from).collect(),
            checkpoints: CostModel::new(migration).journal(plan).into(),
        }
    }
}

impl DeviceReport {
    /// Describes the device that was found, in a dump or by assumption.
    #[must_use]
    pub fn new(found: &FoundFacts, from_dump: bool) -> Self {
        let facts = &found.facts;
        Self {
            chip: facts.chip.name(),
            flash_size: facts.flash_len_bytes,
            partition_table_offset: facts.table_addr.get(),
            known_from: if from_dump { "dump" } else { "migration" },
            running: found.running.to_string(),
            running_region: facts.running.into(),
            running_image_size: facts.running_len_bytes,
            running_image_assumed: found.image.is_none(),
            previous: facts.previous.and_then(|previous| label_of(&facts.partitions, previous)),
            warnings: found.warnings.iter().map(ToString::to_string).collect(),
        }
    }
}

impl StepReport {
    fn new(migration: &Migration<'_>, step: &Step, cost: Cost, way: &WayBack) -> Self {
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
            Step::Host { otadata, .. } => ("host", Vec::new(), one(*otadata)),
            Step::Reset => ("reset", Vec::new(), Vec::new()),
        };
        let text = step.describe(name.unwrap_or_default()).to_string();
        let artifact = name.map(str::to_owned);
        Self { action, artifact, from, to, text, cost: cost.into(), way_back: way.into() }
    }
}

impl From<&Reason> for ReasonReport {
    fn from(reason: &Reason) -> Self {
        Self { code: reason.code(), message: reason.to_string() }
    }
}

impl PlanReport {
    /// The steps and their cost; `dump` is the device's flash, if known.
    fn planned(
        device: DeviceReport,
        migration: &Migration<'_>,
        stages: &[PlanStage<'_>],
        dump: Option<&[u8]>,
    ) -> Self {
        let model = CostModel::new(migration);
        let (mut steps, mut cost) = (Vec::new(), Cost::NONE);
        for PlanStage { facts, plan } in stages {
            let model = looked_at(model, plan, dump);
            for (step, way) in plan.steps.iter().zip(plan.ways_back(facts)) {
                steps.push(StepReport::new(migration, step, model.step(step), &way));
            }
            cost += model.plan(plan);
        }
        let last = stages.last().map(|stage| &stage.plan);
        let swap = last.filter(|_| migration.mcuboot.is_some() && !migration.goes_back());
        let swap = swap.map(|plan| model.swap(plan));
        Self {
            outcome: "planned",
            reasons: Vec::new(),
            device,
            strategy: stages.first().map(|stage| stage.plan.strategy.name()),
            stages: stages.iter().map(|stage| StageReport::new(migration, stage)).collect(),
            steps,
            cost: Some(cost.into()),
            swap: swap.map(CostReport::from),
            until_target: swap.map(|swap| CostReport::from(cost + swap)),
            commit: last.and_then(Plan::commit_region).map(RegionReport::from),
            commit_window: last.and_then(|plan| WindowEstimate::new(&model, plan, dump)),
            journal: last.and_then(|plan| plan.journal).map(RegionReport::from),
            given_up: given_up(migration, stages),
            assumed: Vec::new(),
            flash_map: Some(FlashLayout::new(migration, stages)),
        }
    }

    fn refused(device: DeviceReport, reasons: Vec<ReasonReport>) -> Self {
        Self {
            outcome: "refused",
            reasons,
            device,
            strategy: None,
            stages: Vec::new(),
            steps: Vec::new(),
            cost: None,
            swap: None,
            until_target: None,
            commit: None,
            commit_window: None,
            journal: None,
            given_up: Vec::new(),
            assumed: Vec::new(),
            flash_map: None,
        }
    }

    /// Whether the migration would be safe.
    #[must_use]
    pub const fn is_safe(&self) -> bool {
        self.reasons.is_empty()
    }
}
