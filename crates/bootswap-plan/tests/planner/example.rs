//! The example, with one thing or another changed.

use bootswap_plan::*;
use esp_idf_format::Chip;
use esp_idf_format::partition::{PartitionType, subtype};
use flash_region::FlashAddr;
use mcuboot_format::SwapKind;

use crate::case::*;

#[test]
fn the_example_from_factory() {
    assert_eq!(
        example().steps(),
        [
            "fetch app to 0x110000..0x210000 (destination)",
            "fetch bootloader to 0x310000..0x316af0 (staging)",
            "clean 0x10e7d0..0x110000, the trailer area of the primary slot",
            "clean the header of the primary slot 0x10000..0x110000",
            "clean the end of the scratch area 0x210000..0x250000",
            "verify app in 0x110000..0x210000 (destination)",
            "verify bootloader in 0x310000..0x316af0 (staging)",
            "commit bootloader to 0x0..0x6af0",
            "reset",
        ]
    );
}

#[test]
fn the_commit_may_erase_up_to_the_partition_table_and_no_further() {
    let plan = example().plan().unwrap();
    assert_eq!(plan.commit_region(), Some(region(0, 0x8000)));
}

#[test]
fn the_example_from_ota_1_stages_outside_of_it() {
    let case = Case { running: "ota_1", ..example() };
    let plan = case.plan().unwrap();
    for region in changed_before_commit(&plan) {
        assert!(!region.overlaps(case.running()), "{region}");
    }
}

#[test]
fn without_unclaimed_flash_the_spare_slot_serves_for_staging() {
    let mut case = example();
    case.table[5].region = region(0x21_0000, 0x1f_0000);
    let steps = case.steps();
    // After the scratch area, at the start of the same slot.
    assert_eq!(steps[1], "fetch bootloader to 0x250000..0x256af0 (staging)");
}

#[test]
fn without_any_other_place_the_applications_slot_serves_for_staging() {
    let mut case = example();
    case.flash_len_bytes = 0x21_0000;
    case.wanted_flash_bytes = Some(0x21_0000);
    case.table.truncate(5);
    let map = case.map.as_mut().unwrap();
    (map.swap, map.scratch) = (SwapKind::Overwrite, None);
    case.artifacts[1].content = None;
    let plan = case.plan().unwrap();
    let slot = region(0x11_0000, MIB);
    let staged = plan.steps.iter().find_map(|step| match step {
        Step::Commit { from: Target::Flash(place), .. } => Some(place.erasable),
        _ => None,
    });
    let staged = staged.unwrap();
    assert!(slot.contains_region(staged));
    assert!(staged.start().get() >= slot.start().get() + APP_IMAGE_BYTES);
    // What is staged there is reserved when the application is written.
    let reserved = plan.steps.iter().find_map(|step| match step {
        Step::Fetch { routes, .. } => match routes[0].to {
            Target::Flash(place) => place.reserved,
            Target::Memory { .. } => None,
        },
        _ => None,
    });
    let reserved = reserved.unwrap();
    assert!(reserved.contains_region(staged));
    assert!(plan.journal.is_none_or(|journal| reserved.contains_region(journal)));
}

#[test]
fn a_labelled_staging_partition_takes_every_artifact() {
    let mut case =
        Case { staging: Staging::Label("storage"), flash_len_bytes: 8 * MIB, ..example() };
    case.table.push(partition("storage", PartitionType::Data, subtype::SPIFFS, 0x40_0000, 2 * MIB));
    let steps = case.steps();
    assert_eq!(steps[0], "fetch app to 0x400000..0x500000 (staging)");
    assert_eq!(steps[1], "copy app from 0x400000..0x500000 to 0x110000..0x210000");
    assert_eq!(steps[2], "fetch bootloader to 0x400000..0x406af0 (staging)");
}

#[test]
fn what_waits_in_a_labelled_partition_is_not_written_over() {
    let mut case =
        Case { staging: Staging::Label("storage"), flash_len_bytes: 8 * MIB, ..example() };
    case.table.push(partition("storage", PartitionType::Data, subtype::SPIFFS, 0x40_0000, 2 * MIB));
    let table = Artifact { dest: Some(region(0x8000, 0x1000)), ..other("table") };
    case.artifacts.push(Artifact { len_bytes: Some(0xc00), ..table });
    case.allow.overwrite = &[PARTITION_TABLE];
    let steps = case.steps();
    // The application was copied on to its slot; these two are staged until the end.
    assert_eq!(steps[2], "fetch table to 0x400000..0x400c00 (staging)");
    assert_eq!(steps[3], "fetch bootloader to 0x401000..0x407af0 (staging)");
}

#[test]
fn what_waits_in_a_labelled_partition_is_not_where_scratch_is_cleaned() {
    // The label is that of the partition in which the scratch area of one sector begins.
    let mut case = Case { staging: Staging::Label("ota_1"), ..example() };
    let ota_1 = case.table.iter().find(|p| p.label.as_str() == Some("ota_1")).unwrap().region;
    case.map.as_mut().unwrap().scratch = Some(ota_1.prefix(0x1000));
    let staged = |case: &Case| case.steps().into_iter().find(|step| step.contains("bootloader"));
    let behind = "fetch bootloader to 0x211000..0x217af0 (staging)";
    assert_eq!(staged(&case).as_deref(), Some(behind));
    // The application is copied on to its slot, so it may be staged anywhere.
    assert!(case.steps()[0].starts_with("fetch app to 0x210000"), "{:?}", case.steps());
    // If no room is left after it, there is no plan.
    case.map.as_mut().unwrap().scratch = Some(region(0x21_0000, 0x7_f000));
    let last = case.table.iter_mut().find(|p| p.label.as_str() == Some("ota_1")).unwrap();
    last.region = region(0x28_a000, 0x8000);
    let bootloader = |reason: &Reason| match reason {
        Reason::NoStaging { artifact, largest_bytes, .. } if artifact.as_str() == "bootloader" => {
            Some(*largest_bytes)
        }
        _ => None,
    };
    let reasons = case.plan().unwrap_err();
    // 0x8000 bytes of partition, of which the scratch area's last sector halves the first 0x6000.
    assert_eq!(reasons.iter().find_map(bootloader), Some(0x4000), "{reasons:?}");
}

#[test]
fn an_nvs_that_is_given_up_lasts_until_everything_else_is_ready() {
    let mut case = example();
    // As in tables with NVS at the end of the flash, where the map has its scratch area.
    case.table.push(partition("late", PartitionType::Data, subtype::NVS, 0x3f_0000, 0x1_0000));
    case.map.as_mut().unwrap().scratch = Some(region(0x3f_0000, 0x1_0000));
    assert!(case.codes().contains(&"over-kept"));
    case.allow.overwrite = &["late"];
    let steps = case.steps();
    let at = |what: &str| steps.iter().position(|step| step.starts_with(what)).unwrap();
    let verified = steps.iter().rposition(|step| step.starts_with("verify")).unwrap();
    assert_eq!(at("clean the end of the scratch"), verified + 1, "{steps:#?}");
    assert_eq!(at("commit"), verified + 2);
    // Other trailers are cleaned before anything is verified.
    assert!(at("clean 0x1") < at("verify"), "{steps:#?}");
}

#[test]
fn memory_stages_the_bootloader_where_the_owner_asks_for_it() {
    let case = Case { staging: Staging::Memory, memory_bytes: 32 * 1024, ..example() };
    assert_eq!(case.steps()[1], "fetch bootloader to memory (staging)");
    let small = Case { memory_bytes: 16 * 1024, ..case };
    assert!(small.codes().contains(&"no-staging"));
}

#[test]
fn swap_kinds_that_read_the_primary_get_the_application_there() {
    for swap in [SwapKind::Move, SwapKind::Offset] {
        let mut case = Case { running: "ota_1", ..example() };
        let map = case.map.as_mut().unwrap();
        (map.swap, map.scratch) = (swap, None);
        assert_eq!(case.steps()[1], "fetch app to 0x10000..0x110000 (destination)");
        assert_eq!(case.plan().unwrap().strategy, Strategy::StraightToPrimary);
        // From factory that would be the running code, so the migrator moves first.
        case.running = "factory";
        assert_eq!(case.plan().unwrap().strategy, Strategy::Relocate);
    }
}

#[test]
fn a_merged_image_is_divided_between_now_and_the_commit() {
    let merged = Artifact {
        name: "merged",
        role: Role::Other,
        dest: Some(region(0, 0x20_0000)),
        len_bytes: Some(0x18_0000),
        content: None,
        // No gap from NVS up to the application.
        blanks: Blanks::from_bytes(&[9, 0, 7, 0]),
        ..app()
    };
    let mut case = Case { running: "ota_1", map: None, artifacts: vec![merged], ..example() };
    case.allow.overwrite = &[PARTITION_TABLE];
    let plan = case.plan().unwrap();
    assert_safe(&case, &plan);
    let Step::Fetch { routes, .. } = &plan.steps[1] else { panic!("{plan:?}") };
    // Bootloader, table, NVS, otadata and phy_init are staged; the rest is written straight to its
    // region.
    assert_eq!(routes.len(), 2);
    assert_eq!((routes[0].file_offset, routes[1].file_offset), (0, 0x1_0000));
    let Target::Flash(direct) = routes[1].to else { panic!("{routes:?}") };
    assert_eq!(direct.start(), FlashAddr(0x1_0000));
    let commit = plan.steps.iter().find_map(|step| match step {
        Step::Commit { to, merge, .. } => Some((to.region, *merge)),
        _ => None,
    });
    assert_eq!(commit, Some((region(0, 0x1_0000), Merge::KeepUnderBlank)));
    // What is not blank is lost, and must be named in `[allow]`.
    case.artifacts[0].blanks = Blanks::from_bytes(&[10, 0, 3, 0]);
    let kept: Vec<String> = case
        .plan()
        .unwrap_err()
        .iter()
        .map(|reason| match reason {
            Reason::OverKept { kept, region, .. } => format!("{kept} {region}"),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(kept, ["nvs 0x9000..0xa000", "otadata 0xd000..0xf000", "phy_init 0xf000..0x10000"]);
}

#[test]
fn any_number_of_artifacts_with_places_of_their_own() {
    let place = |name, start, len| Artifact {
        name,
        role: Role::Other,
        dest: Some(region(start, len)),
        len_bytes: Some(len),
        content: None,
        ..app()
    };
    let artifacts = vec![
        place("a", 0x11_0000, 0x1_0000),
        place("b", 0x12_0000, 0x1_0000),
        place("c", 0x13_0000, 0x1_0000),
        Artifact { content: None, ..bootloader() },
    ];
    let case = Case { map: None, artifacts, ..example() };
    let fetched = case.steps().iter().filter(|step| step.starts_with("fetch")).count();
    assert_eq!(fetched, 4);
}

#[test]
fn nothing_critical_changes_before_the_commit() {
    for running in ["factory", "ota_1"] {
        let case = Case { running, ..example() };
        let plan = case.plan().unwrap();
        for changed in changed_before_commit(&plan) {
            for kept in [region(0, 0x9000), region(0x9000, 0x6000)] {
                assert!(!changed.overlaps(kept), "{running}: {changed} over {kept}");
            }
            let image = case.running().prefix(case.running_len_bytes);
            assert!(!changed.overlaps(image), "{running}: {changed} over the running image");
        }
    }
}

#[test]
fn an_image_up_to_the_trailer_is_fine() {
    let mut case = example();
    case.artifacts[0].content = Some(Content::Mcuboot {
        image_len_bytes: 0xf_e7d0,
        padded: true,
        confirmed: true,
        signed: false,
        version: Default::default(),
    });
    case.running_len_bytes = 0xf_e7d0;
    case.map.as_mut().unwrap().swap = SwapKind::Overwrite;
    assert_eq!(case.plan().unwrap().strategy, Strategy::SecondaryAndSwap);
    // A swap using scratch is not safe for the last sector, so the image is written straight to the
    // primary slot, out of which the migrator moves first.
    case.map.as_mut().unwrap().swap = SwapKind::Scratch;
    assert_eq!(case.plan().unwrap().strategy, Strategy::Relocate);
}

#[test]
fn what_the_owner_gives_up_by_name_may_be_overwritten() {
    let mut case = example();
    case.artifacts[1].len_bytes = Some(39_776);
    case.allow.overwrite = &[PARTITION_TABLE, "nvs"];
    let plan = case.plan().unwrap();
    // Table and NVS are critical: they change only in the commit.
    assert!(changed_before_commit(&plan).iter().all(|r| !r.overlaps(region(0, 0xd000))));
    assert_eq!(plan.commit_region(), Some(region(0, 0xa000)));
}

#[test]
fn reasons_come_all_at_once() {
    let mut case = Case { secure_boot: true, chip: Chip::Esp32, ..example() };
    case.map.as_mut().unwrap().swap = SwapKind::Move;
    let codes = case.codes();
    for code in ["secure-boot", "wrong-chip", "over-running-code"] {
        assert!(codes.contains(&code), "{codes:?}");
    }
}

#[test]
fn from_the_secondary_slot_the_application_goes_straight_to_the_primary() {
    let case = Case { running: "ota_0", ..example() };
    let plan = case.plan().unwrap();
    assert_eq!(plan.strategy, Strategy::StraightToPrimary);
    assert_eq!(
        case.steps(),
        [
            "let the old bootloader start ota_0 for good (otadata 0xd000..0xf000)",
            "fetch app to 0x10000..0x110000 (destination)",
            "fetch bootloader to 0x310000..0x316af0 (staging)",
            "clean 0x20e7d0..0x210000, the trailer area of the secondary slot",
            "clean the end of the scratch area 0x210000..0x250000",
            "verify app in 0x10000..0x110000 (destination)",
            "verify bootloader in 0x310000..0x316af0 (staging)",
            "commit bootloader to 0x0..0x6af0",
            "reset",
        ]
    );
}

#[test]
fn the_migrator_moves_where_it_is_in_the_way() {
    let mut case = example();
    case.map.as_mut().unwrap().swap = SwapKind::Move;
    assert_eq!(
        case.steps(),
        [
            "copy the migrator itself from 0x10000..0xb0000 to 0x110000..0x1b0000",
            "let the old bootloader start ota_0 for good (otadata 0xd000..0xf000)",
            "reset into the copy, which continues from there",
        ]
    );
    // Half of ota_0 is too short for it.
    let whole = core::mem::replace(&mut case.table[4].region, region(0x11_0000, MIB / 2));
    assert_eq!(
        case.steps()[0],
        "copy the migrator itself from 0x10000..0xb0000 to 0x210000..0x2b0000"
    );
    case.table[4].region = whole;
    // Without otadata the old bootloader would never start the copy.
    case.table.retain(|p| !p.is_otadata());
    assert!(case.codes().contains(&"no-relocation"));
}

#[test]
fn the_factory_app_is_where_the_migrator_moves_if_no_slot_will_do() {
    let mut case = Case { running: "ota_0", ..example() };
    // Slots that span both OTA partitions, as MCUboot's own map for the ESP32 has them.
    let map = case.map.as_mut().unwrap();
    map.primary = region(0x11_0000, 0x8_0000);
    map.secondary = region(0x19_0000, 0x8_0000);
    case.artifacts[0].len_bytes = Some(0x8_0000);
    case.running_len_bytes = 0xa_0000;
    case.table[5].region = region(0x21_0000, 0x4_0000);
    let steps = case.steps();
    assert_eq!(steps[1], "copy the migrator itself from 0x110000..0x1b0000 to 0x10000..0xb0000");
    assert_eq!(steps[2], "let the old bootloader start factory again (otadata 0xd000..0xf000)");
}

#[test]
fn an_app_only_table_without_otadata_needs_none() {
    let mut case = example();
    case.table.retain(|p| !p.is_otadata() && p.ota_index().is_none());
    let plan = case.plan().unwrap();
    assert!(plan.steps.iter().all(|step| !matches!(step, Step::Select { .. })));
    assert_safe(&case, &plan);
}
