//! The example, from ROM to target application.

use std::cell::RefCell;

use esp_idf_format::Chip;

use super::demo::example;
use super::report::Report;
use super::simulate::{kept, live};
use super::story::Story;
use super::{Ending, Scene};
use crate::args::Until;

#[test]
fn the_example_reaches_its_target_on_every_chip() {
    for chip in Chip::ALL {
        let migration = example(chip).unwrap();
        let scene = Scene::synthetic(&migration).unwrap();
        let story = RefCell::new(Story::silent());
        let run = live(&migration, &scene, false, Vec::new(), Until::Boot, &story).unwrap();
        assert!(matches!(run.ending, Ending::TargetRunning { .. }), "{chip}: {}", run.ending);
        let report = Report::new(&run, &kept(&migration, &scene));
        assert!(report.kept.iter().all(|kept| kept.intact), "{chip}: {:?}", report.kept);
        assert!(report.flash.typ_ms <= 1400.0, "{chip}: {} ms", report.flash.typ_ms);
        let window = report.commit_window.unwrap();
        assert!(window.typ_ms <= 180.0, "{chip}: {} ms", window.typ_ms);
    }
}
