//! The migrator from start to reset, on simulated devices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod lab;

use bootswap_app::Next;
use bootswap_config::ConfigError;
use bootswap_engine::Veto;
use lab::Lab;

#[test]
fn the_example_ends_in_the_target() {
    let mut lab = Lab::new("factory");
    assert_eq!(lab.run(), Some(Next::Reset), "{}", lab.console.text());
    assert!(lab.quiet, "the radio is off for the commit");
    assert!(!lab.window.is_open());
    for words in [
        "I (0) bootswap: migrator on esp32c3, 4 MB of flash, running from factory at 0x10000..0x110000",
        "I (0) bootswap: migration of 9 steps",
        "D (0) bootswap:       app: ",
        "I (0) bootswap:       commit window closed: read back and equal",
        "I (0) bootswap: done, resetting into the new bootloader",
    ] {
        assert!(lab.console.has(words), "{words} is missing:\n{}", lab.console.text());
    }
    let (outcome, _) = lab.boot();
    assert!(outcome.is_target(), "{outcome}");
}

#[test]
fn from_an_ota_slot_it_marks_itself_valid_first() {
    let mut lab = Lab::new("ota_1");
    lab.online = false;
    assert_eq!(lab.run(), Some(Next::Reset));
    // A bootloader with rollback would have gone back by now.
    let (outcome, started) = lab.boot();
    assert!(outcome.is_alive());
    assert_eq!(started, "bootswap");
}

#[test]
fn a_refused_migration_goes_back_to_the_old_firmware() {
    let mut lab = Lab::new("ota_0");
    lab.secure_boot = true;
    let before = lab.bootloader_in_place();
    assert_eq!(lab.run(), Some(Next::Reset));
    assert!(lab.console.has("refused (secure-boot): "));
    assert!(lab.console.has("going back to the firmware at 0x10000..0x110000"));
    assert_eq!(lab.bootloader_in_place(), before);
    assert_eq!(lab.boot().1, "old");
}

#[test]
fn a_refused_migration_without_a_way_back_stays() {
    let mut lab = Lab::new("factory");
    lab.secure_boot = true;
    assert_eq!(lab.run(), Some(Next::Stay));
    assert!(lab.console.has("there is no firmware to go back to"));
    assert_eq!(lab.boot().1, "bootswap");
}

#[test]
fn attempts_without_a_network_are_counted_until_it_goes_back() {
    let mut lab = Lab::new("ota_1");
    lab.online = false;
    let before = lab.bootloader_in_place();
    for attempt in 1..=8 {
        assert_eq!(lab.run(), Some(Next::Reset), "attempt {attempt}");
        assert_eq!(lab.boot().1, "bootswap", "attempt {attempt}");
    }
    assert!(lab.console.has("no network could be joined"));
    assert!(lab.console.has("attempt 8"));
    assert_eq!(lab.run(), Some(Next::Reset));
    assert!(lab.console.has("given up after 8 attempts"));
    assert_eq!(lab.bootloader_in_place(), before);
    assert_eq!(lab.boot().1, "old");
}

#[test]
fn without_a_way_back_it_rests_and_tries_again() {
    let mut lab = Lab::new("factory");
    lab.online = false;
    for _ in 1..=9 {
        assert_eq!(lab.run(), Some(Next::Reset));
    }
    assert_eq!(lab.longest_wait_ms, 60 * 60 * 1000);
    lab.online = true;
    assert_eq!(lab.run(), Some(Next::Reset), "{}", lab.console.text());
    assert!(lab.boot().0.is_target());
}

#[test]
fn a_bootloader_that_does_not_verify_is_never_reset_into() {
    let mut lab = Lab::new("factory");
    lab.wear_out(0x1234);
    lab.patience = 30;
    assert_eq!(lab.run(), None, "{}", lab.console.text());
    assert!(lab.window.is_open());
    assert!(lab.console.has("do not reset"), "{}", lab.console.text());
    // It has been through more than one series of attempts.
    assert!(lab.console.has("given up after 8 attempts"), "{}", lab.console.text());
}

#[test]
fn a_weak_supply_leaves_everything_as_it_was() {
    let mut lab = Lab::new("factory");
    lab.veto = Some(Veto::WeakSupply { found_mv: 2900, wanted_mv: 3000 });
    let before = lab.bootloader_in_place();
    for _ in 0..20 {
        assert_eq!(lab.run(), Some(Next::Reset));
    }
    assert!(lab.console.has("the supply gives 2900 mV, the commit wants 3000 mV"));
    assert!(!lab.quiet && !lab.window.is_open());
    assert_eq!(lab.bootloader_in_place(), before);
    lab.veto = None;
    assert_eq!(lab.run(), Some(Next::Reset));
    assert!(lab.boot().0.is_target());
}

#[test]
fn without_a_configuration_it_says_so_and_goes_back() {
    let mut lab = Lab::new("ota_0");
    let error = ConfigError::Version { major: 2, minor: 0 };
    assert_eq!(lab.run_without_config(&error), Some(Next::Reset));
    assert!(lab.console.has("E (0) bootswap: the configuration is of version 2.0"));
    assert_eq!(lab.boot().1, "old");

    let mut lab = Lab::new("factory");
    assert_eq!(lab.run_without_config(&ConfigError::Empty), Some(Next::Stay));
    assert!(lab.console.has("run `bootswap pack`"));
}
