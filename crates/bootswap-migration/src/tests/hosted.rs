//! Migrations whose devices keep their bootloader, which starts a carrier.

use bootswap_plan::CommitWay;
use carrier_format::COPIES_OFFSET_BYTES;
use device_sim::McubootConfig;
use esp_idf_format::image::{FlashMode, FlashSettings, update_checksums};

use super::*;
use crate::carrier::{CarrierOptions, LoaderImage, TargetBootloader, TrialOptions, carrier};
use crate::facts;
use crate::plan::{judged, report};

const CHIP: Chip = Chip::Esp32c3;

fn mcuboot(config: &McubootConfig) -> Vec<u8> {
    synthetic::mcuboot(CHIP, FlashSize::Mb4, 0x6000, 2, config).unwrap()
}

/// The map of the example with its scratch area behind a carrier in `ota_1`.
fn config() -> McubootConfig {
    McubootConfig { scratch: Some(region(0x24_0000, 0x4_0000)), ..McubootConfig::example() }
}

fn options() -> CarrierOptions {
    CarrierOptions { otadata: Some(FlashAddr(0xd000)), ..CarrierOptions::default() }
}

fn composed(config: &McubootConfig, options: CarrierOptions) -> Vec<u8> {
    let loader = LoaderImage::new(&synthetic::loader(CHIP).unwrap(), CHIP).unwrap();
    let bootloader = TargetBootloader::new(mcuboot(config), CHIP).unwrap();
    carrier(&loader, &bootloader, options).unwrap()
}

fn text() -> String {
    EXAMPLE.replace("esp32s3", "esp32c3").replace("0x210000", "0x240000")
        + "\n[commit]\nhow = \"hosted\"\n"
}

/// The example with that file in `[bootloader]`.
fn with(file: &[u8], text: &str) -> OwnedMigration {
    let lab = ExampleDir::new();
    let options = SignOptions {
        padding: Padding::Confirmed,
        ..SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch)
    };
    let payload = synthetic::target_payload(CHIP, 0x2000, 1);
    lab.write("app_upd.bin", &sign(&payload, &options).unwrap());
    lab.write("mcuboot.bin", file);
    lab.load(text).unwrap()
}

fn codes_on(
    migration: &OwnedMigration,
    change: impl FnOnce(&mut crate::OwnedFacts),
) -> Vec<&'static str> {
    let mut found = facts::assumed(migration).unwrap();
    change(&mut found.facts);
    let reasons = judged(migration, found.facts.lend(), None).err().unwrap_or_default();
    reasons.iter().map(|reason| reason.code).collect()
}

fn codes(file: &[u8]) -> Vec<&'static str> {
    codes_on(&with(file, &text()), |_| {})
}

#[test]
fn a_carrier_is_read_and_its_mcuboot_compared_with_the_map() {
    let migration = with(&composed(&config(), options()), &text());
    assert_eq!(migration.commit, CommitWay::Hosted);
    assert!(matches!(migration.artifacts[1].content, Some(Content::Carrier(_))));
    assert_eq!((migration.against.len(), migration.assumed.len()), (0, 0));
    let plan = report(&migration, &facts::assumed(&migration).unwrap(), None);
    assert!(plan.is_safe(), "{plan}");
    let window = plan.commit_window.unwrap();
    assert_eq!((window.erase_ops, window.pages), (0, 0));
    assert!(plan.to_string().contains("commit window  none: the old bootloader stays"), "{plan}");
    // The map of the carrier's MCUboot is another.
    let other = with(&composed(&McubootConfig::example(), options()), &text());
    assert_eq!(codes_on(&other, |_| {}), ["bootloader-differs"]);
}

#[test]
fn a_bootloader_without_a_carrier_is_refused() {
    assert_eq!(codes(&mcuboot(&config())), ["wrong-content"]);
    // And a carrier without `hosted`, which would be written where the ROM looks.
    let replace = text().replace("\"hosted\"", "\"replace\"");
    let migration = with(&composed(&config(), options()), &replace);
    assert!(codes_on(&migration, |_| {}).contains(&"wrong-content"));
}

#[test]
fn a_carrier_that_would_not_start_the_target_is_refused() {
    let good = composed(&config(), options());
    let first = COPIES_OFFSET_BYTES as usize + 200;
    let second = good.len() - 200;
    for at in [first, second] {
        let mut file = good.clone();
        file[at] ^= 1;
        let codes = codes(&file);
        assert!(codes.contains(&"damaged-carrier"), "{codes:?}");
    }
}

#[test]
fn a_carrier_for_other_devices_is_refused() {
    let trial = Some(TrialOptions { starts: 3, watchdog_s: 0 });
    let otadata = Some(FlashAddr(0xe000));
    for (options, code) in [
        (CarrierOptions { otadata, ..options() }, "carrier-otadata"),
        (CarrierOptions { trial, ..options() }, "carrier-trial"),
    ] {
        assert_eq!(codes(&composed(&config(), options)), [code]);
    }
    let migration = with(&composed(&config(), options()), &text());
    let mut header = synthetic::bootloader(CHIP, FlashSize::Mb4, 0x1000, 1).unwrap();
    header[2] = FlashMode::Qio.raw();
    update_checksums(&mut header).unwrap();
    let qio = FlashSettings::from_bytes([header[2], header[3]]);
    let on_qio = codes_on(&migration, |facts| facts.bootloader_settings = Some(qio));
    assert_eq!(on_qio, ["flash-settings"]);
    let newer = codes_on(&migration, |facts| facts.secure_version = Some(1));
    assert_eq!(newer, ["secure-version"]);
    assert_eq!(codes_on(&migration, |facts| facts.chip = Chip::Esp32c6)[0], "wrong-chip");
}

#[test]
fn where_nothing_is_known_of_the_file_the_device_checks() {
    let text = text().replace("file   = \"mcuboot.bin\"\n", "");
    let migration = with(&[0xff; 8], &text);
    assert_eq!(codes_on(&migration, |_| {}), [""; 0]);
}

#[test]
fn other_ways_to_commit_are_listed() {
    let lab = ExampleDir::new();
    let text = format!("{EXAMPLE}\n[commit]\nhow = \"first\"\n");
    let problem = lab.load(&text).unwrap_err();
    assert_eq!(problem.field, "commit.how");
    assert!(problem.help.contains("replace or hosted"), "{}", problem.help);
}
