//! The start of a device with a radio, recorded: what is done in which order, and what becomes of a
//! radio whose start hangs or panics.
//!
//! The chip and its network card are fakes. The rest is what runs on a device: the configuration of
//! a packed section, the planner, the journal in flash, the old firmware's NVS, the networks in
//! their order, and the old bootloader that starts the migrator again after every reset.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod lab;

use bootswap_config::{NetworkSettings, Wifi};
use flash_region::FlashAddr;
use lab::DeviceUnderTest;
use lab::radio::{Done, Ended, Radio, Record, Setting, turn_on};

/// NVS of an old firmware that was in the network `fleet`; made by ESP-IDF's own generator.
const NVS: &[u8] = include_bytes!("../testdata/nvs.bin");
/// Where the example's table has NVS.
const NVS_ADDR: FlashAddr = FlashAddr(0x9000);
/// Attempts before a device goes back.
const ATTEMPTS: usize = 8;

/// A device that was updated over the air, with the old firmware's network in NVS.
fn updated() -> DeviceUnderTest {
    let mut lab = DeviceUnderTest::new("ota_1");
    lab.flash.inner_mut().load(NVS_ADDR, NVS);
    lab
}

#[test]
fn nothing_comes_before_watchdog_first_line_and_counted_attempt() {
    for radio in [Radio::Runs, Radio::Fails, Radio::Hangs, Radio::Panics] {
        let (mut lab, record) = (updated(), Record::default());
        let _ = turn_on(&mut lab, Setting::of(radio), &record);
        let done = record.all();
        let first = Done::Line("I (0) bootswap: bootswap 1.2.3 for esp32c3".to_owned());
        assert_eq!(done[..2], [Done::Watchdog, first], "{radio:?}");
        // The only write before the radio is that of the counter, behind the plan.
        let started = record.place(|done| *done == Done::Radio).unwrap();
        let written = record.place(|done| *done == Done::Write).unwrap();
        let planned =
            |done: &Done| matches!(done, Done::Line(line) if line.contains("migration of "));
        let planned = record.place(planned).unwrap();
        assert!(planned < written && written < started, "{radio:?}: {done:?}");
        if radio != Radio::Runs {
            let next = Record::default();
            let _ = turn_on(&mut lab, Setting::of(radio), &next);
            assert!(next.lines().contains(", attempt 2"), "{radio:?}: {}", next.lines());
        }
    }
}

/// The watchdog ends a hang, the panic handler a panic; both reset the chip.
#[test]
fn a_radio_whose_start_hangs_or_panics_is_tried_eight_times_and_then_the_old_firmware_runs() {
    for (radio, ended) in [(Radio::Hangs, Ended::Hung), (Radio::Panics, Ended::Panicked)] {
        let (mut lab, before) = (updated(), updated().bootloader_in_place());
        for attempt in 1..=ATTEMPTS {
            let record = Record::default();
            assert_eq!(turn_on(&mut lab, Setting::of(radio), &record), ended, "{attempt}");
            assert!(!lab.window.is_open(), "a panic with an open window would not reset");
            assert_eq!(lab.boot().1, "bootswap", "{radio:?} {attempt}");
        }
        let record = Record::default();
        assert_eq!(turn_on(&mut lab, Setting::of(radio), &record), Ended::Reset);
        assert!(record.lines().contains("given up after 8 attempts"), "{}", record.lines());
        assert_eq!(record.place(|done| *done == Done::Radio), None, "it is not started again");
        assert_eq!(lab.bootloader_in_place(), before);
        assert_eq!(lab.boot().1, "old", "{radio:?}");
    }
}

/// A radio that hangs now and then costs attempts, not the migration.
#[test]
fn a_radio_that_starts_in_the_end_migrates() {
    let mut lab = updated();
    let starts = [Radio::Hangs, Radio::Panics, Radio::Fails, Radio::Hangs, Radio::Panics];
    for radio in starts {
        let _ = turn_on(&mut lab, Setting::of(radio), &Record::default());
        assert_eq!(lab.boot().1, "bootswap", "{radio:?}");
    }
    let record = Record::default();
    assert_eq!(turn_on(&mut lab, Setting::of(Radio::Runs), &record), Ended::Reset);
    assert_eq!(record.entered(), ["fleet"], "{}", record.lines());
    assert!(lab.boot().0.is_target(), "{}", record.lines());
}

#[test]
fn a_radio_that_does_not_start_is_said_and_no_network_is_tried() {
    let (mut lab, record) = (updated(), Record::default());
    assert_eq!(turn_on(&mut lab, Setting::of(Radio::Fails), &record), Ended::Reset);
    let lines = record.lines();
    for wanted in ["the radio does not start: no calibration data", "no network could be joined"] {
        assert!(lines.contains(wanted), "{wanted:?} is missing:\n{lines}");
    }
    assert!(record.entered().is_empty());
    assert!(!lines.contains("the old firmware"), "NVS is not read:\n{lines}");
}

/// Access points, whether the old firmware's network may be tried, and what is tried.
type Case<'a> = (&'a [(&'a str, &'a str)], bool, &'a [&'a str]);

/// The owner's networks, then the old firmware's, then the rescue network, as the migration has
/// them; a wrong password in NVS is no obstacle.
#[test]
fn networks_are_tried_in_their_order() {
    let wifi = |ssid: &'static str, password| Wifi::new(ssid, password).unwrap();
    let owners = [wifi("first", "battery staple"), wifi("second", "")];
    let network = NetworkSettings {
        wifi: &owners,
        rescue: Some(wifi("rescue", "last resort")),
        ..NetworkSettings::default()
    };
    let all = ["first", "second", "fleet", "rescue"];
    let cases: [Case<'_>; 6] = [
        (&[("first", "battery staple"), ("rescue", "last resort")], true, &all[..1]),
        (&[("first", "changed since"), ("second", "")], true, &all[..2]),
        (&[("fleet", "correct horse")], true, &all[..3]),
        (&[("fleet", "changed since"), ("rescue", "last resort")], true, &all),
        (&[("rescue", "last resort")], false, &["first", "second", "rescue"]),
        (&[], true, &all),
    ];
    for (access_points, old_credentials, entered) in cases {
        let (mut lab, record) = (updated(), Record::default());
        let network = NetworkSettings { old_credentials, ..network };
        let setting = Setting { network, access_points, ..Setting::of(Radio::Runs) };
        assert_eq!(turn_on(&mut lab, setting, &record), Ended::Reset);
        let lines = record.lines();
        // Where no network is found, all are tried again for each attempt to fetch the file.
        let tried = record.entered();
        assert!(tried.chunks(entered.len()).all(|round| round == entered), "{lines}");
        assert_eq!(tried.len() > entered.len(), access_points.is_empty(), "{lines}");
        assert_eq!(lab.boot().0.is_target(), !access_points.is_empty(), "{lines}");
        assert_eq!(lines.contains("the old firmware was in the network fleet"), old_credentials);
        for secret in ["battery staple", "correct horse", "last resort"] {
            assert!(!lines.contains(secret), "a password is on the console:\n{lines}");
        }
    }
}

/// NVS is the old firmware's: whatever it holds, the owner's networks are tried.
#[test]
fn an_nvs_that_cannot_be_read_does_not_keep_the_owners_networks_from_being_tried() {
    let mut lab = DeviceUnderTest::new("ota_1");
    let owners = [Wifi::new("first", "battery staple").unwrap()];
    let network = NetworkSettings { wifi: &owners, ..NetworkSettings::default() };
    let access_points = [("first", "battery staple")];
    let setting = Setting { network, access_points: &access_points, ..Setting::of(Radio::Runs) };
    let record = Record::default();
    assert_eq!(turn_on(&mut lab, setting, &record), Ended::Reset);
    let lines = record.lines();
    assert!(lines.contains("the old firmware's network is not tried: "), "{lines}");
    assert!(lab.boot().0.is_target(), "{lines}");
}
