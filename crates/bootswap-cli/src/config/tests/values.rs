//! Editing values.

use device_sim::McubootConfig;
use flash_region::{FlashAddr, Region};

use super::*;

/// The session of an owner whose bootloader uses another kind of swap than the file says.
#[test]
fn a_change_is_judged_before_it_is_taken_and_saved_alone() {
    let mut lab = MenuSession::new();
    lab.goes_to("mcuboot.swap");
    assert!(lab.is_safe() && !lab.session.menu().is_modified());
    let strategy = |lab: &MenuSession| match &lab.session.menu().judged().judgement {
        Judgement::Safe(report) => report.strategy.unwrap_or_default(),
        verdict => panic!("{verdict:?}"),
    };
    assert_eq!(strategy(&lab), "secondary-and-swap");
    lab.keys(&[KeyCode::Enter, KeyCode::Down]);
    assert!(lab.session.menu().is_preview());
    assert_eq!(strategy(&lab), "relocate");
    lab.shows("swap-chosen-80x24", 80, 24);
    // Cancelled, and then done again and accepted.
    lab.keys(&[KeyCode::Esc]);
    assert_eq!(strategy(&lab), "secondary-and-swap");
    lab.keys(&[KeyCode::Enter, KeyCode::Down, KeyCode::Enter]);
    assert_eq!(strategy(&lab), "relocate");
    assert!(lab.session.menu().is_modified());
    assert_eq!(lab.file(), MIGRATION);
    lab.shows("swap-changed-120x36", 120, 36);

    lab.keys(&[KeyCode::F(2)]);
    assert_eq!(lab.file(), MIGRATION.replacen("= \"scratch\"", "= \"move\"", 1));
    assert!(!lab.session.menu().is_modified());
    assert_eq!(lab.press(KeyCode::Char('q')), Next::End);
}

#[test]
fn a_wrong_value_is_told_while_it_is_typed_and_not_taken() {
    let mut lab = MenuSession::new();
    lab.goes_to("mcuboot.secondary.offset");
    lab.keys(&[KeyCode::Enter]);
    lab.retypes("0x11000g");
    lab.shows("wrong-number-80x24", 80, 24);
    lab.keys(&[KeyCode::Enter]);
    assert!(matches!(lab.session.menu().mode(), Mode::Edit(_)));
    assert!(lab.session.menu().message().unwrap().is_error);
    assert_eq!(lab.session.menu().text(), MIGRATION);
    // A valid value is judged before it is accepted: the slots would overlap.
    lab.retypes("0x20000");
    assert!(lab.session.menu().is_preview());
    assert!(lab.reasons().contains(&"overlap"), "{:?}", lab.reasons());
    lab.keys(&[KeyCode::Enter]);
    assert!(matches!(lab.session.menu().mode(), Mode::Browse));
    lab.shows("refused-120x36", 120, 36);
    lab.types("v");
    lab.shows("refused-in-full-80x24", 80, 24);
    lab.keys(&[KeyCode::Esc]);
    lab.types("u");
    assert!(lab.is_safe() && !lab.session.menu().is_modified());
}

#[test]
fn the_parsers_own_words_are_below_the_line() {
    for (field, typed, words) in [
        ("app.url", "ftp://lab/a", "write a URL such as"),
        ("mcuboot.primary.size", "0", "the size is 0"),
        ("mcuboot.scratch.size", "0xffffffff", "beyond the largest address"),
        ("bootloader.size", "1X", "not a number of bytes, such as 0x100000"),
        ("app.size", "1M", "leave it out, since the slot's size is in [mcuboot]"),
        ("bootloader.name", "app", "a second artifact is called"),
        ("network.hostname", "a b", "letters, digits and hyphens"),
        ("network.rescue.ssid", "a name that is longer than 32 bytes", "at most 32"),
        ("network.rescue.password", "short", "8 to 63"),
    ] {
        let mut lab = MenuSession::new();
        lab.goes_to(field);
        lab.keys(&[KeyCode::Enter]);
        lab.retypes(typed);
        let Mode::Edit(edit) = lab.session.menu().mode() else { panic!("{field}") };
        let problem = edit.problem.clone().unwrap_or_default();
        assert!(problem.contains(words), "{field}: {problem}");
        lab.keys(&[KeyCode::Enter]);
        assert_eq!(lab.session.menu().text(), MIGRATION, "{field}");
    }
}

#[test]
fn units_are_understood() {
    let mut lab = MenuSession::new();
    lab.goes_to("bootloader.size");
    lab.keys(&[KeyCode::Enter]);
    lab.retypes("56K");
    lab.keys(&[KeyCode::Enter]);
    assert_eq!(lab.session.menu().text(), MIGRATION.replace("0xf000", "0xe000"));
}

#[test]
fn a_file_that_is_missing_is_no_obstacle_to_naming_it() {
    let mut lab = MenuSession::new();
    lab.goes_to("app.file");
    lab.keys(&[KeyCode::Enter]);
    lab.retypes("later.bin");
    lab.keys(&[KeyCode::Enter]);
    assert_eq!(lab.session.menu().judged().field_at_fault(), Some("app.file"));
    let screen = lab.screen(80, 24);
    assert!(screen.contains("\n >!File ") && screen.contains("\n NOT READY app.file:"), "{screen}");
    // The file is created, and read on request.
    fs::copy(lab.dir.path().join("app_upd.bin"), lab.dir.path().join("later.bin")).unwrap();
    lab.types("r");
    assert!(lab.is_safe());
}

#[test]
fn likely_values_are_suggested() {
    let mut lab = MenuSession::new();
    lab.goes_to("staging.label");
    lab.keys(&[KeyCode::Enter]);
    lab.shows("suggestions-80x24", 80, 24);
    lab.keys(&[KeyCode::Up, KeyCode::Enter]);
    let text = lab.session.menu().text();
    assert!(text.ends_with("\n[staging]\nlabel = \"ota_1\"\n"), "{text}");
    lab.goes_to("app.file");
    lab.keys(&[KeyCode::Enter]);
    let Mode::Edit(edit) = lab.session.menu().mode() else { panic!("no line") };
    assert_eq!(edit.suggestions, ["app_upd.bin", "mcuboot.bin", "partitions.csv"]);
    let typed = |lab: &MenuSession| match lab.session.menu().mode() {
        Mode::Edit(edit) => edit.editor.text().to_owned(),
        mode => panic!("{mode:?}"),
    };
    // The typed text is completed; without typed text, all suggestions come one after the other.
    lab.retypes("m");
    lab.keys(&[KeyCode::Tab]);
    assert_eq!(typed(&lab), "mcuboot.bin");
    lab.keys(&[KeyCode::Tab]);
    assert_eq!(typed(&lab), "mcuboot.bin");
    lab.retypes("");
    for wanted in ["app_upd.bin", "mcuboot.bin", "partitions.csv", "app_upd.bin"] {
        lab.keys(&[KeyCode::Tab]);
        assert_eq!(typed(&lab), wanted);
    }
    lab.keys(&[KeyCode::BackTab]);
    assert_eq!(typed(&lab), "partitions.csv");
}

#[test]
fn values_are_taken_out_and_come_back() {
    let mut lab = MenuSession::new();
    lab.goes_to("mcuboot.scratch.size");
    lab.types("d");
    let commented = MIGRATION.replace("\nscratch ", "\n# scratch ");
    assert_eq!(lab.session.menu().text(), commented);
    assert_eq!(lab.session.menu().judged().field_at_fault(), Some("mcuboot.scratch"));
    lab.keys(&[KeyCode::Enter]);
    lab.types("0x40000");
    lab.keys(&[KeyCode::Enter]);
    assert_eq!(lab.session.menu().text(), MIGRATION);
    lab.goes_to("chip");
    lab.types("d");
    assert_eq!(lab.session.menu().text(), MIGRATION);
    assert!(lab.session.menu().message().unwrap().is_error);
    // An empty line removes a value, too.
    lab.goes_to("app.url");
    lab.keys(&[KeyCode::Enter]);
    lab.retypes("");
    lab.keys(&[KeyCode::Enter]);
    assert!(lab.session.menu().text().contains("# url    = \"http://192.168.100.101:8070/app_upd"));
}

#[test]
fn yes_and_no_are_turned_with_one_key() {
    let mut lab = MenuSession::new();
    lab.goes_to("allow.test_image");
    lab.types(" ");
    assert!(lab.session.menu().text().ends_with("\n[allow]\ntest_image = true\n"));
    lab.types(" ");
    assert!(lab.session.menu().text().ends_with("\n[allow]\ntest_image = false\n"));
}

#[test]
fn a_value_of_the_wrong_type_is_marked_and_can_be_mended() {
    let mut lab = MenuSession::with(&MIGRATION.replace("\"esp32s3\"", "32"));
    assert_eq!(lab.session.menu().judged().field_at_fault(), Some("chip"));
    lab.shows("wrong-type-80x24", 80, 24);
    lab.keys(&[KeyCode::Enter, KeyCode::Down, KeyCode::Down, KeyCode::Enter]);
    assert_eq!(lab.session.menu().text(), MIGRATION);
    assert!(lab.is_safe());
}

#[test]
fn a_bootloaders_file_brings_its_map() {
    let mut lab = MenuSession::new();
    let slot = |start| Region::clamped(FlashAddr(start), 0xf_0000);
    let config = McubootConfig {
        primary: slot(0x1_0000),
        secondary: slot(0x12_0000),
        ..McubootConfig::example()
    };
    let file = synthetic::mcuboot(Chip::Esp32s3, FlashSize::Mb4, 0x6000, 1, &config).unwrap();
    fs::write(lab.dir.path().join("other.bin"), &file).unwrap();
    lab.goes_to("bootloader.file");
    lab.keys(&[KeyCode::Enter]);
    lab.retypes("other.bin");
    // The map is unchanged.
    assert!(lab.reasons().contains(&"bootloader-differs"), "{:?}", lab.reasons());
    lab.keys(&[KeyCode::Enter]);
    let text = lab.session.menu().text().to_owned();
    assert!(text.contains("{ offset = 0x120000, size = 0xf0000 }"), "{text}");
    assert!(!lab.reasons().contains(&"bootloader-differs"), "{:?}", lab.reasons());
    let message = lab.session.menu().message().unwrap();
    assert!(message.text.contains("other.bin") && !message.is_error, "{message:?}");
    // One undo restores the map, and keeps the new file.
    lab.keys(&[KeyCode::Char('u')]);
    assert!(lab.session.menu().text().contains("other.bin"));
    assert!(lab.reasons().contains(&"bootloader-differs"), "{:?}", lab.reasons());
}
