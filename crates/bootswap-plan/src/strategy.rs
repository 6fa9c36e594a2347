//! Which way a migration is done on one device.

use crate::facts::DeviceFacts;
use crate::migration::Migration;
use crate::planner::in_place;
use crate::reason::{Reason, Reasons};
use crate::relocate::relocate;
use crate::step::Plan;

/// Computes the steps that migrate the device of `facts` as `migration` describes.
///
/// Strategies are tried from the one that keeps most of the old contents of flash to the one that
/// costs most, and the first safe one is used: the application to the secondary slot, straight to
/// the primary, and each of the two after the migrator has moved out of the way. A move is planned
/// only if the migration is known to be possible afterwards.
///
/// # Errors
///
/// Every [`Reason`] against the preferred strategy. Nothing was changed then, and nothing may be.
pub fn plan(migration: &Migration<'_>, facts: &DeviceFacts<'_>) -> Result<Plan, Reasons> {
    let mut reasons = match in_place(migration, facts) {
        Ok(plan) => return Ok(plan),
        Err(reasons) => reasons,
    };
    // Moving helps if every reason is about where the migrator runs. If the migration ends in the
    // previous firmware, the partitions that the migrator could move to contain that firmware.
    if reasons.iter().all(Reason::is_about_place) && !migration.goes_back() {
        match relocate(migration, facts) {
            Ok(plan) => return Ok(plan),
            Err(reason) => {
                let _ = reasons.push(reason);
            }
        }
    }
    Err(reasons)
}
