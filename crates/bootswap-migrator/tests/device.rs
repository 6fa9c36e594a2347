//! The migrator from start to reset, on simulated devices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod lab;

use bootswap_config::ConfigError;
use bootswap_engine::Veto;
use device_sim::McubootConfig;
use esp_idf_format::partition::{Partition, TABLE_ADDR};
use flash_region::{FlashAddr, Region};
use lab::DeviceUnderTest;
use mcuboot_format::key::PrivateKey;
use mcuboot_format::{DowngradePrevention, SwapKind};

const HOUR_MS: u32 = 60 * 60 * 1000;

#[test]
fn the_example_ends_in_the_target() {
    let mut lab = DeviceUnderTest::new("factory");
    assert!(lab.run(), "{}", lab.console.text());
    assert!(lab.quiet, "the radio is off for the commit");
    assert!(!lab.window.is_open());
    for words in [
        "I (0) bootswap: migrator on esp32c3, 4 MB of flash, running from factory at \
         0x10000..0x110000",
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
    let mut lab = DeviceUnderTest::with_rollback("ota_1");
    lab.online = false;
    assert!(lab.run());
    // Without that, the bootloader would go back now.
    let (outcome, started) = lab.boot();
    assert!(outcome.is_alive());
    assert_eq!(started, "bootswap");
}

/// Where it runs is where the chip has mapped it, and there nothing is written.
#[test]
fn from_every_partition_it_spares_itself() {
    let table = device_sim::synthetic::example_partitions();
    for running in ["factory", "ota_0", "ota_1"] {
        let place = table.iter().find(|p| p.label.as_str() == Some(running)).unwrap().region;
        let mut lab = DeviceUnderTest::new(running);
        let image = place.prefix(lab::MIGRATOR_LEN);
        let before = lab.read(image);
        assert!(lab.run(), "{running}: {}", lab.console.text());
        let told = format!("running from {running} at {place}");
        assert!(lab.console.has(&told), "{}", lab.console.text());
        assert!(lab.read(image) == before, "{running} was written over");
        assert!(lab.boot().0.is_target(), "{running}: {}", lab.console.text());
    }
}

#[test]
fn a_refused_migration_goes_back_to_the_old_firmware() {
    let mut lab = DeviceUnderTest::new("ota_0");
    lab.secure_boot = true;
    let before = lab.bootloader_in_place();
    assert!(lab.run());
    assert!(lab.console.has("refused (secure-boot): "));
    assert!(lab.console.has("going back to the firmware at 0x10000..0x110000"));
    assert_eq!(lab.bootloader_in_place(), before);
    assert_eq!(lab.boot().1, "old");
}

/// It is printed again and again, ever less often, and there is no reset loop.
#[test]
fn a_refused_migration_without_a_way_back_rests_before_it_resets() {
    let mut lab = DeviceUnderTest::new("factory");
    lab.secure_boot = true;
    let before = lab.everything();
    assert!(lab.run());
    assert!(lab.console.has("there is no firmware to go back to"));
    assert!(lab.console.has("attempt 3 of 3 failed; the device needs another image, by serial"));
    assert!(lab.console.has("the next series of attempts begins in 60 minutes"));
    assert_eq!(lab.console.count("refused (secure-boot): "), 3);
    assert_eq!(lab.waits_ms, [1000, 2000, HOUR_MS]);
    assert_eq!(lab.boot().1, "bootswap");
    assert!(lab.everything() == before, "flash was written");
}

#[test]
fn attempts_without_a_network_are_counted_until_it_goes_back() {
    let mut lab = DeviceUnderTest::new("ota_1");
    lab.online = false;
    let before = lab.bootloader_in_place();
    for attempt in 1..=8 {
        assert!(lab.run(), "attempt {attempt}");
        assert_eq!(lab.boot().1, "bootswap", "attempt {attempt}");
    }
    assert!(lab.console.has("no network could be joined"));
    assert!(lab.console.has("attempt 8"));
    assert!(lab.run());
    assert!(lab.console.has("given up after 8 attempts"));
    assert_eq!(lab.bootloader_in_place(), before);
    assert_eq!(lab.boot().1, "old");
}

#[test]
fn without_a_way_back_it_rests_and_tries_again() {
    let mut lab = DeviceUnderTest::new("factory");
    lab.online = false;
    for _ in 1..=9 {
        assert!(lab.run());
    }
    assert_eq!(lab.waits_ms.iter().max(), Some(&HOUR_MS));
    lab.online = true;
    assert!(lab.run(), "{}", lab.console.text());
    assert!(lab.boot().0.is_target());
}

#[test]
fn a_bootloader_that_does_not_verify_is_never_reset_into() {
    let mut lab = DeviceUnderTest::new("factory");
    lab.wear_out(0x1234);
    lab.patience = 30;
    assert!(!lab.run(), "{}", lab.console.text());
    assert!(lab.window.is_open());
    assert!(lab.console.has("do not reset"), "{}", lab.console.text());
    // It has been through more than one series of attempts.
    assert!(lab.console.has("given up after 8 attempts"), "{}", lab.console.text());
}

#[test]
fn a_weak_supply_leaves_everything_as_it_was() {
    let mut lab = DeviceUnderTest::new("factory");
    lab.veto = Some(Veto::WeakSupply { found_mv: 2900, wanted_mv: 3000 });
    let before = lab.bootloader_in_place();
    for _ in 0..20 {
        assert!(lab.run());
    }
    assert!(lab.console.has("the supply has 2900 mV, the commit needs 3000 mV"));
    assert!(!lab.quiet && !lab.window.is_open());
    assert_eq!(lab.bootloader_in_place(), before);
    lab.veto = None;
    assert!(lab.run());
    assert!(lab.boot().0.is_target());
}

/// Another attempt would read the same configuration, so there is only one.
#[test]
fn without_a_configuration_it_says_so_and_goes_back() {
    let cases = [
        (ConfigError::Empty, "the configuration is empty", "run `bootswap pack`"),
        (ConfigError::PayloadCrc { stored: 1, computed: 2 }, "damaged", "pack the migrator again"),
        (ConfigError::Version { major: 2, minor: 0 }, "of version 2.0", "of the same release"),
    ];
    for (error, what, what_to_do) in cases {
        let mut lab = DeviceUnderTest::new("ota_0");
        let before = lab.everything();
        assert!(lab.run_without_config(&error));
        let console = lab.console.text();
        let told = console.lines().find(|line| line.starts_with("E (0) bootswap: ")).unwrap();
        assert!(told.contains(what) && told.contains(what_to_do), "{console}");
        assert!(console.contains("going back to the firmware at 0x10000..0x110000"), "{console}");
        assert_eq!(lab.waits_ms, [1000]);
        let after = lab.everything();
        let (otadata, rest) = (0xd000..0xf000, 0xf000..);
        assert!(
            before[..otadata.start] == after[..otadata.start]
                && before[rest.clone()] == after[rest]
        );
        assert_eq!(lab.boot().1, "old");
    }
}

#[test]
fn without_a_configuration_and_without_a_way_back_it_rests_before_it_resets() {
    let mut lab = DeviceUnderTest::new("factory");
    let before = lab.everything();
    assert!(lab.run_without_config(&ConfigError::Empty));
    assert_eq!(lab.console.count("run `bootswap pack`"), 3);
    assert_eq!(lab.waits_ms, [1000, 2000, HOUR_MS]);
    assert!(lab.everything() == before, "flash was written");
}

/// A radio whose start hangs or panics: the watchdog or the panic resets the chip every time.
#[test]
fn starts_that_do_not_get_to_the_engine_count() {
    let mut lab = DeviceUnderTest::new("ota_1");
    (lab.hangs, lab.follows_reset) = (true, true);
    let before = lab.bootloader_in_place();
    for start in 1..=8 {
        assert!(!lab.run(), "start {start} reaches the engine");
        assert_eq!(lab.boot().1, "bootswap", "start {start}");
    }
    assert!(lab.run(), "{}", lab.console.text());
    assert!(lab.console.has("given up after 8 attempts"), "{}", lab.console.text());
    assert_eq!(lab.bootloader_in_place(), before);
    assert_eq!(lab.boot().1, "old");
    // Delivered again, to a device whose radio starts, it has all attempts again.
    let waited = lab.waits_ms.len();
    (lab.hangs, lab.follows_reset) = (false, false);
    assert!(lab.run());
    assert_eq!(lab.waits_ms.len(), waited);
    assert!(lab.boot().0.is_target());
}

/// Somebody switches it off while it waits before the next attempt, more than ten times.
#[test]
fn power_lost_in_a_wait_is_no_failed_attempt() {
    let mut lab = DeviceUnderTest::new("ota_1");
    lab.online = false;
    for _ in 1..=7 {
        assert!(lab.run());
    }
    for _ in 0..30 {
        lab.patience = 0;
        assert!(!lab.run(), "power goes in the wait");
        assert_eq!(lab.boot().1, "bootswap", "{}", lab.console.text());
    }
    // Nor while it looks for a network, or before that.
    (lab.patience, lab.hangs) = (1000, true);
    for _ in 0..30 {
        assert!(!lab.run());
        assert_eq!(lab.boot().1, "bootswap");
    }
    (lab.online, lab.hangs) = (true, false);
    assert!(lab.run(), "{}", lab.console.text());
    assert!(lab.boot().0.is_target());
}

/// The example's table with a change, as its bytes.
fn table(change: impl FnOnce(&mut Vec<Partition>)) -> Vec<u8> {
    let mut entries = device_sim::synthetic::example_partitions();
    change(&mut entries);
    let mut table: Vec<u8> = entries.iter().flat_map(Partition::to_bytes).collect();
    table.resize(0xc00, 0xff);
    table
}

/// Misaligned, overlapping and duplicate entries, and entries after the MD5, are no obstacle: the
/// old bootloader has booted from such a table.
#[test]
fn from_any_table_that_booted_it_ends_in_the_target() {
    let behind_md5 = {
        let mut table = vec![0; 0xc00];
        let entries = device_sim::synthetic::example_partitions();
        esp_idf_format::partition::emit(&entries, &mut table).unwrap();
        let mut late = entries[0];
        late.region = Region::clamped(FlashAddr(0x3f_0000), 0x1000);
        table[0xe0..0x100].copy_from_slice(&late.to_bytes());
        table
    };
    let tables = [
        ("misaligned", table(|e| e[0].region = Region::clamped(FlashAddr(0x9100), 0x3000))),
        ("overlaps", table(|e| e[2].region = Region::clamped(FlashAddr(0xe000), 0x2000))),
        ("same label", table(|e| e[2].label = e[0].label)),
        ("twice", table(|e| e.push(e[5]))),
        ("after its MD5", behind_md5),
    ];
    for (what, table) in tables {
        for running in ["factory", "ota_1"] {
            let mut lab = DeviceUnderTest::with_table(running, TABLE_ADDR, &table);
            assert!(lab.run(), "{what} {running}: {}", lab.console.text());
            assert!(lab.console.has("the partitions concerned are left alone"), "{what} {running}");
            assert!(lab.boot().0.is_target(), "{what} {running}: {}", lab.console.text());
        }
    }
}

#[test]
fn a_table_elsewhere_is_found_and_kept() {
    for addr in [0xc000, 0xf000] {
        let table_addr = FlashAddr(addr);
        // The layout of a project that moves its table.
        let table = table(|entries| {
            let first = table_addr.saturating_add(0x1000);
            entries[0].region = Region::clamped(first, 0x1000);
            let otadata = Region::clamped(FlashAddr(0x31_0000), 0x2000);
            entries[1].region = otadata;
            entries[2].region = Region::clamped(otadata.end(), 0x1000);
            entries.retain(|p| p.region.start() >= first);
            if addr == 0xf000 {
                entries.retain(|p| !p.is_nvs());
            }
        });
        for running in ["factory", "ota_1"] {
            let mut lab = DeviceUnderTest::with_table(running, table_addr, &table);
            let place = Region::clamped(table_addr, 0x1000);
            let before = lab.read(place);
            assert!(lab.run(), "{addr:#x} {running}: {}", lab.console.text());
            let told = format!("partition table at {table_addr}");
            assert!(lab.console.has(&told), "{running}: {}", lab.console.text());
            assert_eq!(lab.read(place), before, "{addr:#x} {running}");
            assert!(lab.boot().0.is_target(), "{addr:#x} {running}");
            // The way back is the same one.
            let mut lab = DeviceUnderTest::with_table("ota_0", table_addr, &table);
            lab.secure_boot = true;
            assert!(lab.run());
            assert_eq!(lab.boot().1, "old", "{addr:#x}: {}", lab.console.text());
        }
    }
}

/// Two tables that list the same otadata and apps are enough for the way back, and for nothing
/// else.
#[test]
fn of_two_tables_the_way_back_is_taken_if_it_is_the_same() {
    let first = table(|_| {});
    let mut lab = DeviceUnderTest::with_table("ota_1", TABLE_ADDR, &first);
    let mut second = table(|entries| entries.retain(|p| p.is_app() || p.is_otadata()));
    let put = |lab: &mut DeviceUnderTest, bytes: &[u8]| {
        lab.flash.inner_mut().load(FlashAddr(0x6000), bytes);
    };
    put(&mut lab, &second);
    assert!(lab.run());
    assert!(lab.console.has("refused (two-tables)"), "{}", lab.console.text());
    assert_eq!(lab.boot().1, "old");

    let mut lab = DeviceUnderTest::with_table("ota_1", TABLE_ADDR, &first);
    // The other one's otadata is NVS in this one.
    second = table(|entries| {
        entries.retain(|p| p.is_app() || p.is_otadata());
        entries[0].region = Region::clamped(FlashAddr(0x9000), 0x2000);
    });
    put(&mut lab, &second);
    let before = lab.everything();
    assert!(lab.run());
    assert!(lab.console.has("both list the running app, and disagree"), "{}", lab.console.text());
    assert!(lab.everything() == before, "flash was written");
}

/// The way back is written where the bootloader reads it: to the last otadata of the table.
#[test]
fn of_two_otadata_the_last_one_leads_back() {
    let table = table(|entries| {
        let region = Region::clamped(FlashAddr(0x31_0000), 0x2000);
        entries.insert(1, Partition { region, ..entries[1] });
    });
    let mut lab = DeviceUnderTest::with_table("ota_0", TABLE_ADDR, &table);
    lab.secure_boot = true;
    assert!(lab.run());
    assert!(lab.console.has("going back to the firmware at "), "{}", lab.console.text());
    assert_eq!(lab.boot().1, "old", "{}", lab.console.text());
}

/// Its entries cannot be written without their neighbours, so nothing is, and the device rests.
#[test]
fn otadata_that_does_not_begin_with_a_sector_is_no_way_back() {
    for otadata in [(0xd800, 0x2000), (0xd000, 0x1000)] {
        let table = table(|entries| {
            entries[1].region = Region::clamped(FlashAddr(otadata.0), otadata.1);
            entries[2].region = Region::clamped(FlashAddr(0x31_0000), 0x1000);
        });
        let mut lab = DeviceUnderTest::with_table("ota_0", TABLE_ADDR, &table);
        lab.secure_boot = true;
        let before = lab.everything();
        assert!(lab.run());
        let told = "there is no firmware to go back to";
        assert!(lab.console.has(told), "{otadata:?}: {}", lab.console.text());
        assert_eq!(lab.waits_ms.last(), Some(&HOUR_MS));
        assert!(lab.everything() == before, "{otadata:?}: flash was written");
    }
}

/// Whatever cannot be read, an immediate reset would not help.
#[test]
fn a_table_that_cannot_be_read_is_told_and_no_loop_of_resets() {
    let mut lab = DeviceUnderTest::new("ota_0");
    lab.wear_out(0x8000);
    assert!(lab.run());
    assert_eq!(lab.console.count("the partition table is not usable: "), 3);
    assert_eq!(lab.waits_ms.last(), Some(&HOUR_MS));
}

/// The planner has read the primary slot, and the later check of the application uses what it saw
/// there.
#[test]
fn what_is_in_the_primary_slot_counts_for_plan_and_application_alike() {
    let mut lab = DeviceUnderTest::new("ota_1");
    let map = McubootConfig {
        swap: SwapKind::Overwrite,
        scratch: None,
        downgrade_prevention: DowngradePrevention::Version,
        ..McubootConfig::example()
    };
    lab.build_mcuboot(&map, None);
    // Into a blank primary such a bootloader copies any version, over an ESP-IDF app none below
    // 0.0.256.
    lab.flash.inner_mut().load(map.primary.start(), &[0xff; 0x1000]);
    assert!(lab.run(), "{}", lab.console.text());
    assert!(lab.console.has("done, resetting"), "{}", lab.console.text());
    assert!(lab.boot().0.is_target());
}

/// The device checks RSA itself, before the commit: an image with another key is refused.
#[test]
fn an_rsa_signature_is_checked_on_the_device() {
    let rsa_2048 = include_str!("../../mcuboot-format/testdata/rsa-2048.pem");
    let rsa_3072 = include_str!("../../mcuboot-format/testdata/rsa-3072.pem");
    let [rsa_2048, rsa_3072] = [rsa_2048, rsa_3072].map(|pem| PrivateKey::from_pem(pem).unwrap());
    for (key, other) in [(&rsa_2048, &rsa_3072), (&rsa_3072, &rsa_2048)] {
        let map = McubootConfig { key: Some(key.public_key()), ..McubootConfig::example() };
        let mut lab = DeviceUnderTest::new("ota_1");
        lab.build_mcuboot(&map, Some(key));
        assert!(lab.run(), "{}", lab.console.text());
        assert!(lab.boot().0.is_target(), "{}", lab.console.text());

        let mut lab = DeviceUnderTest::new("ota_1");
        lab.build_mcuboot(&map, Some(other));
        let before = lab.bootloader_in_place();
        assert!(lab.run());
        assert!(lab.console.has("app is not usable: "), "{}", lab.console.text());
        assert_eq!(lab.bootloader_in_place(), before);
        assert_eq!(lab.boot().1, "bootswap");
    }
}

/// Files that arrive every time and are never the right ones do not keep a device busy for ever.
#[test]
fn attempts_with_the_wrong_file_are_counted_until_it_goes_back() {
    let mut lab = DeviceUnderTest::new("ota_1");
    lab.damaged = true;
    let before = lab.bootloader_in_place();
    let mut attempts = 0;
    while !lab.console.has("given up after 8 attempts") {
        assert!(lab.run());
        attempts += 1;
        assert!(attempts < 20, "{}", lab.console.text());
    }
    assert!(lab.console.has("app is not usable: "));
    assert_eq!(lab.bootloader_in_place(), before);
    assert_eq!(lab.boot().1, "old");
}
