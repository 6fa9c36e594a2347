//! The old bootloader stays and starts a carrier.

use bootswap_plan::*;
use esp_idf_format::Chip;
use esp_idf_format::image::{EspImageHeader, FlashSettings};
use flash_region::FlashAddr;
use mcuboot_format::SwapKind;

use crate::case::*;

/// Bytes of the carrier of a MCUboot of 26,480 bytes.
const CARRIER_BYTES: u32 = 0xe770;

fn settings() -> FlashSettings {
    FlashSettings::of(&EspImageHeader::new(Chip::Esp32c3, 1, 0))
}

fn carrier() -> CarrierContent {
    CarrierContent {
        chip_id: Chip::Esp32c3.image_chip_id(),
        settings: settings(),
        otadata: Some(FlashAddr(0xd000)),
        secure_version: 0,
        has_trial: false,
    }
}

/// The example on ESP32-C3, whose MCUboot has its scratch area further up.
fn hosted() -> Case {
    let content = Some(Content::Carrier(carrier()));
    let carrier = Artifact { len_bytes: Some(CARRIER_BYTES), content, ..bootloader() };
    let map = example().map.unwrap();
    Case {
        chip: Chip::Esp32c3,
        device_chip: Chip::Esp32c3,
        commit: CommitWay::Hosted,
        settings: Some(settings()),
        map: Some(McubootMap { scratch: Some(region(0x24_0000, 0x4_0000)), ..map }),
        artifacts: vec![app(), carrier],
        ..example()
    }
}

fn with(change: impl FnOnce(&mut CarrierContent)) -> Case {
    let mut case = hosted();
    let mut content = carrier();
    change(&mut content);
    case.artifacts[1].content = Some(Content::Carrier(content));
    case
}

fn text(case: &Case) -> String {
    case.plan().expect_err("refused")[0].to_string()
}

#[test]
fn the_carrier_goes_to_its_partition_and_one_entry_of_otadata_is_the_commit() {
    let case = hosted();
    assert_eq!(
        case.steps(),
        [
            "fetch app to 0x110000..0x210000 (destination)",
            "fetch bootloader to 0x210000..0x220000 (destination)",
            "clean 0x10e7d0..0x110000, the trailer area of the primary slot",
            "clean the header of the primary slot 0x10000..0x110000",
            "clean the end of the scratch area 0x240000..0x280000",
            "verify app in 0x110000..0x210000 (destination)",
            "verify bootloader in 0x210000..0x220000 (destination)",
            "commit: let the old bootloader start bootloader in ota_1 (otadata 0xd000..0xf000)",
            "reset",
        ]
    );
    let plan = case.plan().unwrap();
    assert_safe(&case, &plan);
    assert_eq!(plan.strategy, Strategy::SecondaryAndSwap);
    let window = case.with(|migration, _| CostModel::new(migration).commit_window(&plan));
    assert_eq!(window, Some(Cost::NONE));
    let ways: Vec<&str> =
        case.with(|_, facts| plan.ways_back(facts).map(|way| way.code()).collect());
    assert_eq!(ways[..7], ["migrator"; 7]);
    assert_eq!(ways[7..], ["migrator-or-new-bootloader", "new-bootloader"]);
}

#[test]
fn a_migrator_in_the_only_partition_for_it_moves_first() {
    let case = Case { running: "ota_1", ..hosted() };
    let plan = case.plan().unwrap();
    assert_safe(&case, &plan);
    assert_eq!(plan.strategy, Strategy::Relocate);
    // In a slot of MCUboot it runs until the commit, and the application goes to the other.
    let case = Case { running: "ota_0", ..hosted() };
    let plan = case.plan().unwrap();
    assert_safe(&case, &plan);
    assert_eq!(plan.strategy, Strategy::StraightToPrimary);
}

#[test]
fn where_scratch_begins_with_the_partition_the_map_that_fits_is_named() {
    let mut case = hosted();
    case.map = example().map;
    assert_eq!(case.codes(), ["no-host"]);
    assert!(text(&case).contains("hosted fits with scratch at 0x240000"), "{}", text(&case));
    // A map that leaves no start out, wherever scratch is.
    case.map = Some(McubootMap {
        primary: region(0x1_0000, 0x18_0000),
        secondary: region(0x19_0000, 0x18_0000),
        scratch: None,
        swap: SwapKind::Overwrite,
        ..McubootMap::ESPRESSIF
    });
    assert_eq!(case.codes(), ["no-host"]);
    assert!(text(&case).contains("a map that leaves such a partition out"), "{}", text(&case));
    // One that is too large for what is left of the partition.
    let mut case = hosted();
    case.artifacts[1].len_bytes = Some(0x3_1000);
    case.artifacts[1].region_len_bytes = None;
    assert_eq!(case.codes(), ["no-host"]);
}

#[test]
fn a_named_destination_is_the_only_one_that_counts() {
    let mut case = hosted();
    case.artifacts[1].dest = Some(region(0x21_0000, 0x1_0000));
    assert_safe(&case, &case.plan().unwrap());
    case.artifacts[1].dest = Some(region(0x22_0000, 0x1_0000));
    assert_eq!(case.codes(), ["no-host"]);
}

#[test]
fn what_a_carrier_needs_is_refused_where_it_is_missing() {
    use Chip::Esp32s3;
    let other = FlashSettings::from_bytes([0, 0x2f]);
    let cases = [
        (Case { chip: Esp32s3, device_chip: Esp32s3, ..hosted() }, vec!["no-loader"]),
        (Case { map: None, ..hosted() }, vec!["not-hosted"]),
        (Case { artifacts: vec![app()], ..hosted() }, vec!["not-hosted"]),
        (with(|carrier| carrier.chip_id = Esp32s3.image_chip_id()), vec!["wrong-image-chip"]),
        (Case { settings: Some(other), ..hosted() }, vec!["flash-settings"]),
        (with(|carrier| carrier.otadata = Some(FlashAddr(0xe000))), vec!["carrier-otadata"]),
        (Case { secure_version: Some(1), ..hosted() }, vec!["secure-version"]),
        (with(|carrier| carrier.has_trial = true), vec!["carrier-trial"]),
    ];
    for (case, wanted) in cases {
        let codes = case.codes();
        assert!(wanted.iter().all(|code| codes.contains(code)), "{codes:?} for {wanted:?}");
    }
    // What is not known speaks against nothing, and neither does a carrier without a way back.
    for case in [
        Case { settings: None, secure_version: None, ..hosted() },
        with(|carrier| carrier.otadata = None),
        Case { secure_version: Some(3), ..with(|carrier| carrier.secure_version = 3) },
    ] {
        assert_safe(&case, &case.plan().unwrap());
    }
}

#[test]
fn without_otadata_nothing_selects_it() {
    let mut case = hosted();
    case.table.remove(1);
    assert_eq!(case.codes(), ["nothing-selects"]);
}

#[test]
fn the_old_system_stays_whatever_the_migration_allows() {
    let overwrite = &["otadata", "nvs", PARTITION_TABLE];
    let allow = Allow { overwrite, ..Allow::default() };
    let table = Artifact {
        dest: Some(region(0x8000, 0x1000)),
        len_bytes: Some(0xc00),
        content: Some(Content::Opaque),
        ..other("table")
    };
    let mut case = Case { allow, ..hosted() };
    case.artifacts.insert(1, table);
    assert_eq!(case.codes(), ["over-host"]);
    let scratch = Some(region(0xd000, 0x1000));
    let map = Some(McubootMap { scratch, ..hosted().map.unwrap() });
    assert!(Case { allow, map, ..hosted() }.codes().contains(&"over-host"));
}

#[test]
fn a_carrier_and_a_bootloader_are_not_taken_for_each_other() {
    let mut case = hosted();
    case.artifacts[1].content = bootloader().content;
    assert_eq!(case.codes(), ["wrong-content"]);
    assert!(text(&case).contains("image carrier"), "{}", text(&case));
    let case = Case { commit: CommitWay::Replace, ..hosted() };
    let reasons = case.plan().unwrap_err();
    let reason = reasons.iter().find(|reason| reason.code() == "wrong-content").unwrap();
    assert!(reason.to_string().contains("how = \"hosted\""), "{reason}");
}

#[test]
fn a_carrier_of_unknown_length_may_take_all_that_is_free() {
    let mut case = hosted();
    (case.artifacts[1].len_bytes, case.artifacts[1].content) = (None, None);
    let plan = case.plan().unwrap();
    assert_safe(&case, &plan);
    assert!(case.steps()[1].contains("0x210000..0x240000"), "{:?}", case.steps());
}

#[test]
fn the_previous_firmware_is_the_last_place_for_it() {
    let slot = |label, n, start| {
        let app = esp_idf_format::partition::PartitionType::App;
        partition(label, app, esp_idf_format::partition::subtype::OTA_0 + n, start, 0x8_0000)
    };
    let mut case = hosted();
    case.table.truncate(3);
    case.table.extend([
        slot("ota_0", 0, 0x30_0000),
        slot("ota_1", 1, 0x38_0000),
        slot("ota_2", 2, 0x28_0000),
    ]);
    (case.running, case.running_len_bytes) = ("ota_1", 0x6_0000);
    let host = |previous: Option<&str>| {
        case.with(|migration, facts| {
            let previous = case.table.iter().find(|p| p.label.as_str() == previous);
            let facts = DeviceFacts { previous: previous.map(|p| p.region), ..*facts };
            let plan = plan(migration, &facts).unwrap();
            plan_judge::assert_safe(migration, &facts, &plan);
            plan.steps.iter().find_map(|step| match step {
                Step::Host { app: App::Ota { index, .. }, .. } => Some(*index),
                _ => None,
            })
        })
    };
    assert_eq!(host(Some("ota_0")), Some(2));
    assert_eq!(host(Some("ota_2")), Some(0));
}
