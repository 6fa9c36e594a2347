//! The planner over any migration and device: a safe plan, or reasons.
//!
//! `case` makes migrations and devices from bytes, most of them nearly sensible. [`plan_judge`] is
//! the second opinion on their plans, as in the planner's own tests.

mod case;

use arbitrary::Unstructured;
use bootswap_plan::{DeviceFacts, Migration, Plan, Reasons, Step, Strategy, plan};

pub(crate) use case::Case;

/// Makes a plan, and checks it.
///
/// The input chooses the migration and the device facts.
pub fn planner(input: &[u8]) {
    // An input that is too short is left out.
    let Ok(case) = Case::arbitrary(&mut Unstructured::new(input)) else { return };
    case.with(check_plan);
}

/// Passes on the migration and the device that an input chooses; `None` if it is too short for one.
pub fn with_case<R>(
    input: &[u8],
    use_it: impl FnOnce(&Migration<'_>, &DeviceFacts<'_>) -> R,
) -> Option<R> {
    Case::arbitrary(&mut Unstructured::new(input)).ok().map(|case| case.with(use_it))
}

/// Makes a plan and checks it; returns whether there is one.
pub(crate) fn check_plan(migration: &Migration<'_>, facts: &DeviceFacts<'_>) -> bool {
    let outcome = plan(migration, facts);
    assert_eq!(outcome, plan(migration, facts), "the planner is not pure");
    match &outcome {
        Ok(plan) => {
            describe(plan);
            plan_judge::assert_safe(migration, facts, plan);
            if plan.strategy == Strategy::Relocate {
                let there = DeviceFacts { running: plan_judge::moved_to(facts, plan), ..*facts };
                let next = bootswap_plan::plan(migration, &there);
                let goes_on = next.is_ok_and(|next| next.strategy != Strategy::Relocate);
                assert!(goes_on, "moves to where the migration cannot continue: {plan:#?}");
            }
        }
        Err(reasons) => explain(reasons),
    }
    outcome.is_ok()
}

fn describe(plan: &Plan) {
    assert!(!plan.strategy.to_string().is_empty() && !plan.strategy.name().is_empty());
    for step in &plan.steps {
        assert!(!step.describe("artifact").to_string().is_empty());
    }
    let last = plan.steps.last();
    assert!(matches!(last, Some(Step::Reset | Step::ResetIntoCopy)), "{plan:#?}");
}

fn explain(reasons: &Reasons) {
    assert!(!reasons.is_empty(), "refused without a reason");
    for reason in reasons {
        assert!(reason.to_string().len() > 30 && !reason.code().is_empty());
    }
}
