//! What a migration would do to a device, or every reason why it is refused: for people and for
//! scripts.
//!
//! ```text
//!   migration + facts ──> stages: the device's planner ──> report ──> text, JSON
//!                                                            └──> flash map: before, then, after
//! ```
//!
//! The same planner runs on the device; this module only describes its plan.

mod contents;
mod cost;
mod device_plans;
mod elsewhere;
mod flash_layout;
mod given_up;
mod goes_back;
mod objection;
mod region;
mod report;
mod stage;
mod text;

pub use cost::{CostReport, WayBackReport, WindowEstimate};
pub use device_plans::{
    DevicePlans, DumpError, DumpPlans, DumpVerdict, FleetPlans, PartitionVerdict,
};
pub use flash_layout::{FlashLayout, MapRow};
pub use given_up::GivenUp;
pub use objection::{judged, judged_alone};
pub use region::RegionReport;
pub use report::{
    DeviceReport, PlanReport, ReasonReport, StageReport, StepReport, assumptions, report,
};
pub use stage::{PlanStage, stages};
