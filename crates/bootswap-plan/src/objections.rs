//! Explains why a migration does not use the strategy that keeps most of the old contents.

use heapless::Vec;

use crate::facts::DeviceFacts;
use crate::layout::{AppSlot, MAX_ARTIFACTS};
use crate::migration::{Artifact, Migration, Role};
use crate::planner::in_place;
use crate::reason::Reasons;
use crate::step::Strategy;

/// The strategy that is tried first: the one that keeps most of the old contents of flash.
#[must_use]
pub const fn preferred(migration: &Migration<'_>) -> Strategy {
    match &migration.mcuboot {
        Some(map) => match AppSlot::choices(map.swap) {
            [AppSlot::Secondary, ..] => Strategy::SecondaryAndSwap,
            _ => Strategy::StraightToPrimary,
        },
        None => Strategy::AsNamed,
    }
}

/// Every reason against the [`preferred`] strategy from where the migrator runs now; empty if that
/// strategy is possible.
///
/// It explains why [`plan`](crate::plan) chose another one; no device needs it.
#[must_use]
pub fn objections(migration: &Migration<'_>, facts: &DeviceFacts<'_>) -> Reasons {
    if let Err(reasons) = in_place(migration, facts) {
        return reasons;
    }
    let Some(map) = &migration.mcuboot else { return Reasons::new() };
    let Some(slot) = AppSlot::choices(map.swap).first() else { return Reasons::new() };
    // If the destination is named, there is no other slot to try.
    let named = migration.artifacts.iter().map(|artifact| match (artifact.role, artifact.dest) {
        (Role::Application, None) => Artifact { dest: Some(slot.of(map)), ..*artifact },
        _ => *artifact,
    });
    let artifacts: Vec<Artifact<'_>, MAX_ARTIFACTS> = named.take(MAX_ARTIFACTS).collect();
    let there = Migration { artifacts: &artifacts, ..*migration };
    in_place(&there, facts).err().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use esp_idf_format::Chip;
    use mcuboot_format::SwapKind;

    use super::*;
    use crate::Reason;
    use crate::test_support::{Example, FACTORY, OTA_0, OTA_1};

    /// The preferred strategy, the reasons against it, and the strategy that is used instead.
    #[test]
    fn another_strategy_is_taken_for_a_reason() {
        use Strategy::{Relocate, SecondaryAndSwap as Swap, StraightToPrimary as Straight};
        let table = [
            (SwapKind::Scratch, FACTORY, Swap, vec![], Swap),
            (SwapKind::Scratch, OTA_1, Swap, vec![], Swap),
            (SwapKind::Scratch, OTA_0, Swap, vec!["over-running-code"], Straight),
            (SwapKind::Overwrite, OTA_0, Swap, vec!["over-running-code"], Straight),
            (SwapKind::Move, OTA_1, Straight, vec![], Straight),
            (SwapKind::Offset, FACTORY, Straight, vec!["over-running-code"], Relocate),
        ];
        for (swap, running, first, against, taken) in table {
            let mut example = Example::new(Chip::Esp32c3, running);
            example.map.swap = swap;
            if swap != SwapKind::Scratch {
                example.map.scratch = None;
            }
            example.with_plan(|migration, facts, plan| {
                assert_eq!((preferred(migration), plan.strategy), (first, taken), "{swap}");
                let found = objections(migration, facts);
                let codes: Vec<&str> = found.iter().map(Reason::code).collect();
                assert_eq!(codes, against, "{swap} from partition {running}");
            });
        }
    }

    #[test]
    fn a_refused_migration_has_objections_too() {
        let mut example = Example::new(Chip::Esp32c3, FACTORY);
        example.app.confirm = false;
        example.app.content = None;
        example.app.len_bytes = Some(0x20_0000);
        example.with(|migration, facts| {
            let refused = crate::plan(migration, facts).unwrap_err();
            assert_eq!(objections(migration, facts), refused);
        });
    }
}
