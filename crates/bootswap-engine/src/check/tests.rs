use std::string::ToString;

use bootswap_plan::{ArtifactIndex, Place, Plan, Purpose, Target};
use flash_region::{Region, SECTOR_BYTES};

use super::*;
use crate::StepFault;
use crate::tests::kit::*;

/// What the check says of the example's plan, changed.
fn error_in(change: impl FnOnce(&mut Plan)) -> Option<PlanError> {
    Scene::example().with_job(|job| {
        let mut plan = std::boxed::Box::new(job.plan.clone());
        change(&mut plan);
        let checked = Job { plan: &plan, ..*job }.check(0).map(drop);
        checked.err()
    })
}

/// The same for an error in a step, wherever that is.
fn fault_in(change: impl FnOnce(&mut Plan)) -> Option<StepFault> {
    match error_in(change) {
        Some(PlanError::Step { fault, .. }) => Some(fault),
        Some(other) => panic!("{other}"),
        None => None,
    }
}

fn fetch_to(plan: &mut Plan, change: impl Fn(&mut Place)) {
    for step in &mut plan.steps {
        if let Step::Fetch { routes, .. } = step {
            for route in routes {
                if let Target::Flash(place) = &mut route.to {
                    change(place);
                }
            }
        }
    }
}

#[test]
fn the_planners_plans_are_fine() {
    assert_eq!(error_in(|_| {}), None);
}

#[test]
fn nothing_vital_is_written_before_the_commit() {
    let vital = [
        at(0, 0x1000),
        at(0x7000, 0x1000),
        at(0x8000, 0x1000),
        at(0xd000, 0x1000),
        at(0xe000, 0x1000),
        PRIMARY.prefix(SECTOR_BYTES),
        at(PRIMARY.start().get() + RUNNING_LEN - SECTOR_BYTES, SECTOR_BYTES),
    ];
    for region in vital {
        let over = Some(StepFault::OverBoot);
        let moved = |place: &mut Place| (place.region, place.erasable) = (region, region);
        assert_eq!(fault_in(|plan| fetch_to(plan, moved)), over, "{region}");
        let clean = Step::Clean { region, erasable: region, purpose: Purpose::PrimaryTrailer };
        assert_eq!(fault_in(|plan| plan.steps.insert(0, clean).unwrap()), over, "{region}");
        let journal = Some(PlanError::Journal { sector: region });
        assert_eq!(error_in(|plan| plan.journal = Some(region)), journal, "{region}");
    }
    // The sector right after the running image is free.
    let free = at(PRIMARY.start().get() + RUNNING_LEN, SECTOR_BYTES);
    assert_eq!(error_in(|plan| plan.journal = Some(free)), None);
}

#[test]
fn nothing_is_written_where_addresses_wrap() {
    // The example's flash ends long before these addresses.
    for start in [0x40_0000, 0x100_0000] {
        let region = at(start, 0x1000);
        let out = Some(StepFault::OutOfReach);
        let moved = |place: &mut Place| (place.region, place.erasable) = (region, region);
        assert_eq!(fault_in(|plan| fetch_to(plan, moved)), out, "{region}");
        let clean = Step::Clean { region, erasable: region, purpose: Purpose::PrimaryTrailer };
        assert_eq!(fault_in(|plan| plan.steps.insert(0, clean).unwrap()), out, "{region}");
        let journal = Some(PlanError::Journal { sector: region });
        assert_eq!(error_in(|plan| plan.journal = Some(region)), journal, "{region}");
    }
}

#[test]
fn the_journal_overlaps_nothing() {
    let sector = SECONDARY.prefix(SECTOR_BYTES);
    let over = Some(StepFault::OverJournal);
    assert_eq!(fault_in(|plan| plan.journal = Some(sector)), over);
    // Unless the place excludes it.
    let reserve = |plan: &mut Plan| {
        plan.journal = Some(sector);
        fetch_to(plan, |place| {
            if place.slot.is_some() {
                place.reserved = Some(sector);
            }
        });
    };
    assert_eq!(error_in(reserve), None);
    for sector in [at(0x5_0000, 0x2000), at(0x5_0100, 0x1000)] {
        let journal = Some(PlanError::Journal { sector });
        assert_eq!(error_in(|plan| plan.journal = Some(sector)), journal);
    }
}

#[test]
fn places_are_whole_sectors_without_gaps() {
    let is_partial = |fault| matches!(fault, Some(StepFault::PartialSector));
    let shift = |place: &mut Place| place.region = at(place.region.start().get() + 256, 0x1000);
    assert!(is_partial(fault_in(|plan| fetch_to(plan, shift))));
    let cut = |place: &mut Place| place.erasable = place.region.prefix(0x100);
    assert!(is_partial(fault_in(|plan| fetch_to(plan, cut))));
    let gap = |plan: &mut Plan| {
        for step in &mut plan.steps {
            if let Step::Fetch { routes, .. } = step {
                routes.iter_mut().for_each(|route| route.file_offset += SECTOR_BYTES);
            }
        }
    };
    assert_eq!(fault_in(gap), Some(StepFault::Gap));
}

#[test]
fn the_commit_comes_last_and_spares_the_running_code() {
    let late = |plan: &mut Plan| {
        let first = plan.steps[0].clone();
        plan.steps.push(first).unwrap();
    };
    assert_eq!(fault_in(late), Some(StepFault::AfterCommit));
    let onto = |region: Region| {
        move |plan: &mut Plan| {
            for step in &mut plan.steps {
                if let Step::Commit { to, .. } = step {
                    (to.region, to.erasable) = (region, region);
                }
            }
        }
    };
    for region in [PRIMARY, at(0x100, 0x1000)] {
        assert_eq!(fault_in(onto(region)), Some(StepFault::CommitPlace));
    }
}

#[test]
fn memory_and_artifacts_have_to_be_there() {
    let memory = |plan: &mut Plan| {
        if let Some(Step::Fetch { routes, .. }) =
            plan.steps.iter_mut().find(|step| matches!(step, Step::Fetch { .. }))
        {
            routes[0].to = Target::Memory { len_bytes: 1 };
        }
    };
    let fault = StepFault::Memory;
    let text = "step 1: too little memory to stage in";
    assert_eq!(fault_in(memory), Some(fault));
    assert_eq!(error_in(memory).unwrap().to_string(), text);
    let fetch = Step::Fetch { artifact: ArtifactIndex(9), routes: heapless::Vec::new() };
    let fault = StepFault::UnknownArtifact;
    assert_eq!(fault_in(|plan| plan.steps.insert(0, fetch).unwrap()), Some(fault));
}

/// Removes the steps that are asked for.
fn without(plan: &mut Plan, is_asked_for: impl Fn(&Step) -> bool) {
    plan.steps.retain(|step| !is_asked_for(step));
}

#[test]
fn what_is_committed_was_fetched_and_verified() {
    let is_fetch = |step: &Step| matches!(step, Step::Fetch { .. });
    assert_eq!(fault_in(|plan| without(plan, is_fetch)), Some(StepFault::NotFetched));
    let is_verify = |step: &Step| matches!(step, Step::Verify { .. });
    assert_eq!(fault_in(|plan| without(plan, is_verify)), Some(StepFault::NotVerified));
    // A fetch that comes later does not count.
    let late = |plan: &mut Plan| {
        let fetches = plan.steps.iter().position(is_fetch).unwrap();
        let verifies = plan.steps.iter().position(is_verify).unwrap();
        plan.steps.swap(fetches, verifies);
    };
    assert_eq!(fault_in(late), Some(StepFault::NotFetched));
}

#[test]
fn a_window_has_room_for_as_many_commits_as_a_migration_has_artifacts() {
    let more = |count: usize| {
        move |plan: &mut Plan| {
            let index =
                plan.steps.iter().position(|step| matches!(step, Step::Commit { .. })).unwrap();
            for _ in 1..count {
                let commit = plan.steps[index].clone();
                plan.steps.insert(index, commit).unwrap();
            }
        }
    };
    assert_eq!(fault_in(more(MAX_COMMITS)), None);
    let fault = StepFault::TooManyCommits;
    assert_eq!(fault_in(more(MAX_COMMITS + 1)), Some(fault));
}

#[test]
fn slots_have_trailers() {
    let region = SECONDARY.prefix(16);
    let confirm = Step::Confirm { slot: region };
    let fault = Some(StepFault::NoTrailer);
    assert_eq!(fault_in(|plan| plan.steps.insert(0, confirm).unwrap()), fault);
    let clean = Step::CleanScratch { scratch: region, erasable: region };
    assert_eq!(fault_in(|plan| plan.steps.insert(0, clean).unwrap()), fault);
}
