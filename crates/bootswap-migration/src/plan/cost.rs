//! What a plan costs and what the device boots if it is interrupted, for scripts.

use bootswap_plan::{Cost, CostModel, Plan, Step, WayBack};
use flash_region::{Region, is_blank};
use serde::Serialize;

use super::region::RegionReport;

/// Flash operations and their modelled time: an upper estimate, without reads.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CostReport {
    /// Erases of 4 KiB.
    pub erase_4k: u32,
    /// Erases of 32 KiB.
    pub erase_32k: u32,
    /// Erases of 64 KiB.
    pub erase_64k: u32,
    /// Pages programmed.
    pub pages_programmed: u32,
    /// Modelled time in milliseconds, typical.
    pub typ_ms: f64,
    /// The same, at most.
    pub max_ms: f64,
}

/// The commit window, estimated in the same way.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WindowEstimate {
    /// Erases of any size.
    pub erase_ops: u32,
    /// Pages programmed.
    pub pages: u32,
    /// Modelled length in milliseconds, typical.
    pub typ_ms: f64,
    /// The same, at most.
    pub max_ms: f64,
    /// A region that is assumed to be blank. If it is not, the window is
    /// longer.
    pub assumed_blank: Option<RegionReport>,
    /// Its length otherwise, in milliseconds, typical.
    pub typ_ms_otherwise: Option<f64>,
}

/// What the device boots if power is lost during a step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WayBackReport {
    /// `migrator`, `migrator-or-previous`, `migrator-or-copy`, `copy`, `none`,
    /// `migrator-or-new-bootloader` or `new-bootloader`.
    pub code: &'static str,
    /// The same in words.
    pub message: String,
}

impl From<Cost> for CostReport {
    fn from(cost: Cost) -> Self {
        let Cost { erase_4k, erase_32k, erase_64k, pages } = cost;
        Self {
            erase_4k,
            erase_32k,
            erase_64k,
            pages_programmed: pages,
            typ_ms: ms(cost.typ_us()),
            max_ms: ms(cost.max_us()),
        }
    }
}

impl From<&WayBack> for WayBackReport {
    fn from(way: &WayBack) -> Self {
        Self { code: way.code(), message: way.to_string() }
    }
}

impl WindowEstimate {
    /// The window of a plan, if it has one; `dump` is the device's flash, if known.
    pub(super) fn new(model: &CostModel<'_>, plan: &Plan, dump: Option<&[u8]>) -> Option<Self> {
        let window = looked_at(*model, plan, dump).commit_window(plan)?;
        let assumed = unused(plan).filter(|_| dump.is_none());
        let otherwise = assumed.and_then(|_| model.with_unused_written().commit_window(plan));
        Some(Self {
            erase_ops: window.erases(),
            pages: window.pages,
            typ_ms: ms(window.typ_us()),
            max_ms: ms(window.max_us()),
            assumed_blank: assumed.map(RegionReport::from),
            typ_ms_otherwise: otherwise.map(|cost| ms(cost.typ_us())),
        })
    }
}

/// The cost model for a device whose flash is known, or not.
pub(super) fn looked_at<'a>(
    model: CostModel<'a>,
    plan: &Plan,
    dump: Option<&[u8]>,
) -> CostModel<'a> {
    let written = |region: Region| {
        let (start, end) = (region.start().get() as usize, region.end().get() as usize);
        dump.and_then(|dump| dump.get(start..end)).is_some_and(|bytes| !is_blank(bytes))
    };
    if unused(plan).is_some_and(written) { model.with_unused_written() } else { model }
}

/// The sector before the bootloader that the commit also erases as long as it is blank.
fn unused(plan: &Plan) -> Option<Region> {
    plan.steps.iter().find_map(|step| match step {
        Step::Commit { unused, .. } => *unused,
        _ => None,
    })
}

/// Microseconds of a migration are far below the 53 bits that a double holds exactly.
fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}
