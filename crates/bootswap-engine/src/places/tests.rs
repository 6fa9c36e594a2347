use bootswap_plan::{ArtifactIndex, Purpose};

use super::*;
use crate::tests::kit::*;

/// Runs `objection` over the example's plan, changed.
fn objection_to(change: impl FnOnce(&mut bootswap_plan::Plan)) -> Option<&'static str> {
    Scene::example().with_job(|job| {
        let mut plan = std::boxed::Box::new(job.plan.clone());
        change(&mut plan);
        objection(&Job { plan: &plan, ..*job }, 0)
    })
}

fn fetch_to(plan: &mut bootswap_plan::Plan, change: impl Fn(&mut Place)) {
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
    assert_eq!(objection_to(|_| {}), None);
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
        let text = Some("a place overlaps what the device boots from");
        let moved = |place: &mut Place| (place.region, place.erasable) = (region, region);
        assert_eq!(objection_to(|plan| fetch_to(plan, moved)), text, "{region}");
        let clean = Step::Clean { region, erasable: region, purpose: Purpose::PrimaryTrailer };
        assert_eq!(objection_to(|plan| plan.steps.insert(0, clean).unwrap()), text, "{region}");
        let text = Some("the journal is not a free sector");
        assert_eq!(objection_to(|plan| plan.journal = Some(region)), text, "{region}");
    }
    // Right behind the running image is free.
    let free = at(PRIMARY.start().get() + RUNNING_LEN, SECTOR_BYTES);
    assert_eq!(objection_to(|plan| plan.journal = Some(free)), None);
}

#[test]
fn the_journal_is_in_nobodys_way() {
    let sector = SECONDARY.prefix(SECTOR_BYTES);
    let text = Some("the journal is in the way of a place");
    assert_eq!(objection_to(|plan| plan.journal = Some(sector)), text);
    // Unless the place leaves it out.
    let reserve = |plan: &mut bootswap_plan::Plan| {
        plan.journal = Some(sector);
        fetch_to(plan, |place| {
            if place.slot.is_some() {
                place.reserved = Some(sector);
            }
        });
    };
    assert_eq!(objection_to(reserve), None);
    assert!(objection_to(|plan| plan.journal = Some(at(0x5_0000, 0x2000))).is_some());
    assert!(objection_to(|plan| plan.journal = Some(at(0x5_0100, 0x1000))).is_some());
}

#[test]
fn places_are_whole_sectors_without_gaps() {
    let text = Some("a place is not made of whole sectors");
    let shift = |place: &mut Place| place.region = at(place.region.start().get() + 256, 0x1000);
    assert_eq!(objection_to(|plan| fetch_to(plan, shift)), text);
    let cut = |place: &mut Place| place.erasable = place.region.prefix(0x100);
    assert_eq!(objection_to(|plan| fetch_to(plan, cut)), text);
    let gap = |plan: &mut bootswap_plan::Plan| {
        for step in &mut plan.steps {
            if let Step::Fetch { routes, .. } = step {
                routes.iter_mut().for_each(|route| route.file_offset += SECTOR_BYTES);
            }
        }
    };
    assert_eq!(objection_to(gap), Some("the places of an artifact have gaps"));
}

#[test]
fn the_commit_comes_last_and_spares_the_running_code() {
    let late = |plan: &mut bootswap_plan::Plan| {
        let first = plan.steps[0].clone();
        plan.steps.push(first).unwrap();
    };
    assert_eq!(objection_to(late), Some("something is to be done after the commit"));
    let onto = |region: Region| {
        move |plan: &mut bootswap_plan::Plan| {
            for step in &mut plan.steps {
                if let Step::Commit { to, .. } = step {
                    (to.region, to.erasable) = (region, region);
                }
            }
        }
    };
    let text = Some("the commit is not in its place");
    assert_eq!(objection_to(onto(PRIMARY)), text);
    assert_eq!(objection_to(onto(at(0x100, 0x1000))), text);
}

#[test]
fn memory_and_artifacts_have_to_be_there() {
    let memory = |plan: &mut bootswap_plan::Plan| {
        if let Some(Step::Fetch { routes, .. }) =
            plan.steps.iter_mut().find(|step| matches!(step, Step::Fetch { .. }))
        {
            routes[0].to = Target::Memory { len_bytes: 1 };
        }
    };
    assert_eq!(objection_to(memory), Some(crate::verify::MEMORY));
    let text = Some("an artifact that the migration does not name");
    let fetch = Step::Fetch { artifact: ArtifactIndex(9), routes: heapless::Vec::new() };
    assert_eq!(objection_to(|plan| plan.steps.insert(0, fetch).unwrap()), text);
}

#[test]
fn bytes_find_their_place() {
    let flash =
        |start, len| Target::Flash(Place::plain(at(start, len), at(start, len), Purpose::Staging));
    let routes = [
        Route { file_offset: 0, to: Target::Memory { len_bytes: 0x2000 } },
        Route { file_offset: 0x2000, to: flash(0x5_0000, 0x3000) },
    ];
    let addr = |offset| place_of(&routes, offset).map(|(_, addr)| addr.get());
    assert_eq!(addr(0), Some(0));
    assert_eq!(addr(0x1fff), Some(0x1fff));
    assert_eq!(addr(0x2000), Some(0x5_0000));
    assert_eq!(addr(0x4fff), Some(0x5_2fff));
    assert_eq!(addr(0x5000), None);
    assert_eq!(place_of(&[], 0), None);
}
