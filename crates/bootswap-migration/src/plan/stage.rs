//! The plans of a migration, one after the other.

use bootswap_plan::{
    DeviceFacts, Migration, Plan, Reasons, Step, plan, previous_firmware, running_partition,
};

/// A plan, and the facts that it was made from.
#[derive(Clone, Debug)]
pub struct PlanStage<'a> {
    /// The device.
    pub facts: DeviceFacts<'a>,
    /// What is done.
    pub plan: Plan,
}

/// The plan, and the next one if the migrator moves to another partition and plans again.
///
/// # Errors
///
/// All reasons against one of them.
#[allow(clippy::result_large_err, reason = "as the planner's")]
pub fn stages<'a>(
    migration: &Migration<'_>,
    facts: DeviceFacts<'a>,
) -> Result<Vec<PlanStage<'a>>, Reasons> {
    let first = plan(migration, &facts)?;
    let copy = first.steps.iter().find_map(|step| match step {
        Step::CopySelf { to, .. } => Some(to.region),
        _ => None,
    });
    let mut stages = vec![PlanStage { facts, plan: first }];
    let there = copy.and_then(|copy| running_partition(facts.partitions, copy.start()));
    if let Some(there) = there {
        let previous = previous_firmware(facts.partitions, there.region);
        let facts = DeviceFacts { running: there.region, previous, ..facts };
        stages.push(PlanStage { facts, plan: plan(migration, &facts)? });
    }
    Ok(stages)
}
