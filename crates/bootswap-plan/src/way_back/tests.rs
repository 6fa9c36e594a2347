//! The way back at each step of the example's plans.

extern crate std;

use std::string::{String, ToString};
use std::vec::Vec;

use esp_idf_format::Chip;
use mcuboot_format::SwapKind;

use super::*;
use crate::test_support::{Example, FACTORY, OTA_0};

/// The ways back, each with the number of consecutive steps that have it.
fn told(example: &Example) -> Vec<(usize, String)> {
    example.with_plan(|_, facts, plan| {
        let ways: Vec<WayBack> = plan.ways_back(facts).collect();
        assert_eq!(ways.len(), plan.steps.len());
        // The device has a way back except in the commit.
        for (step, way) in plan.steps.iter().zip(&ways) {
            assert_eq!(matches!(step, Step::Commit { .. }), *way == WayBack::None, "{step:?}");
        }
        let runs = ways.chunk_by(|a, b| a == b);
        runs.map(|run| (run.len(), run[0].to_string())).collect()
    })
}

fn said(count: usize, text: &str) -> (usize, String) {
    (count, text.to_string())
}

#[test]
fn from_factory_the_migrator_comes_back_until_the_commit() {
    let example = Example::new(Chip::Esp32s3, FACTORY);
    let before = example.with_plan(|_, _, plan| plan.steps.len()) - 2;
    assert_eq!(
        told(&example),
        [
            said(before, "boots this migrator again, from factory"),
            said(1, "none: this is the commit window"),
            said(1, "MCUboot boots and swaps the application in"),
        ]
    );
}

#[test]
fn from_an_ota_slot_the_migrator_may_be_on_trial_at_first() {
    let told = told(&Example::new(Chip::Esp32s3, OTA_0));
    assert_eq!(
        told[0],
        said(
            1,
            "boots this migrator again, from ota_0, or the previous firmware while the migrator \
            is on trial"
        )
    );
    assert_eq!(told[1].1, "boots this migrator again, from ota_0");
    assert_eq!(told.last(), Some(&said(1, "MCUboot boots and starts the application")));
}

#[test]
fn a_move_can_be_interrupted_everywhere() {
    let mut example = Example::new(Chip::Esp32s3, FACTORY);
    (example.map.swap, example.map.scratch) = (SwapKind::Move, None);
    assert_eq!(
        told(&example),
        [
            said(1, "boots this migrator again, from factory"),
            said(1, "boots this migrator again, from factory or as the copy in ota_0"),
            said(1, "boots the migrator's copy, from ota_0"),
        ]
    );
}

#[test]
fn codes_are_distinct() {
    let label = Label::default();
    let ways = [
        WayBack::Migrator { label },
        WayBack::MigratorOrPrevious { label },
        WayBack::MigratorOrCopy { label, copy: label },
        WayBack::Copy { label },
        WayBack::None,
        WayBack::NewBootloader { strategy: Strategy::AsNamed },
    ];
    let mut codes: Vec<&str> = ways.iter().map(WayBack::code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), ways.len());
}
