//! What the bootloader was built with: sectors, downgrade prevention, slots of two sizes.

use bootswap_plan::*;
use mcuboot_format::{DowngradePrevention, ImageVersion, SwapKind};

use crate::case::*;

/// The example on a flash of 16 MB, with slots of these lengths after all partitions.
fn with_slots(primary_bytes: u32, secondary_bytes: u32, swap: SwapKind) -> Case {
    let mut case = example();
    case.flash_len_bytes = 16 * MIB;
    let start = 0x31_0000;
    case.map = Some(McubootMap {
        primary: region(start, primary_bytes),
        secondary: region(start + primary_bytes, secondary_bytes),
        scratch: (swap == SwapKind::Scratch)
            .then_some(region(start + primary_bytes + secondary_bytes, 0x4_0000)),
        swap,
        ..McubootMap::ESPRESSIF
    });
    case.artifacts[1].content = Some(Content::EspImage {
        chip_id: case.chip.image_chip_id(),
        image_len_bytes: 27_376,
        flash_len_bytes: Some(16 * MIB),
    });
    // Not padded: otherwise each case would need a file as long as its slot.
    case.artifacts[0].len_bytes = Some(APP_IMAGE_BYTES);
    case.artifacts[0].content = Some(Content::Mcuboot {
        image_len_bytes: APP_IMAGE_BYTES,
        padded: false,
        confirmed: false,
        signed: false,
        version: ImageVersion::default(),
    });
    case.artifacts[0].confirm = true;
    case
}

#[test]
fn slots_of_more_sectors_than_there_is_room_for_are_refused() {
    for swap in SwapKind::ALL {
        let mut case = with_slots(3 * MIB, 3 * MIB, swap);
        let text = case.plan().unwrap_err()[0].to_string();
        for part in ["primary slot", "768 sectors", "room for 512", "max_sectors"] {
            assert!(text.contains(part), "{swap}: {text}");
        }
        assert_eq!(case.codes(), ["too-many-sectors"; 2], "{swap}");
        case.map.as_mut().unwrap().max_sectors = 768;
        plan_judge_accepts(&case);
        // A scratch area is read into the same table.
        case.map.as_mut().unwrap().scratch = Some(region(0x91_0000, 3 * MIB + 0x1000));
        assert!(case.codes().contains(&"too-many-sectors"), "{swap}");
    }
}

fn plan_judge_accepts(case: &Case) {
    case.with(|migration, facts| {
        let plan = plan(migration, facts).unwrap_or_else(|reasons| panic!("{reasons:?}"));
        plan_judge::assert_safe(migration, facts, &plan);
    });
}

#[test]
fn a_trailer_for_more_sectors_is_longer() {
    let mut case = with_slots(MIB, MIB, SwapKind::Scratch);
    let trailer = |case: &Case| {
        let map = case.map.unwrap();
        map.trailer_area(map.primary).unwrap().len_bytes()
    };
    assert_eq!(trailer(&case), 512 * 12 + 0x30);
    case.map.as_mut().unwrap().max_sectors = 976;
    assert_eq!(trailer(&case), 976 * 12 + 0x30);
    // All of the trailer area is cleaned in the slot that the application does not fill.
    let steps = case.plan().unwrap().steps;
    let cleaned = steps.iter().any(
        |step| matches!(step, Step::Clean { region, .. } if region.len_bytes() == 976 * 12 + 0x30),
    );
    assert!(cleaned, "{steps:#?}");
    plan_judge_accepts(&case);
}

#[test]
fn slots_may_differ_by_the_sector_that_a_swap_needs() {
    let sector = 0x1000;
    for swap in SwapKind::ALL {
        for secondary in [MIB - 2 * sector, MIB - sector, MIB, MIB + sector, MIB + 2 * sector] {
            let case = with_slots(MIB, secondary, swap);
            // As measured with MCUboot's own code.
            let fits = secondary == MIB
                || (swap == SwapKind::Move && secondary == MIB - sector)
                || (swap == SwapKind::Offset && secondary == MIB + sector);
            if fits {
                plan_judge_accepts(&case);
            } else {
                assert_eq!(case.codes(), ["slots-differ"], "{swap}, {secondary:#x}");
            }
        }
    }
}

/// The largest images that MCUboot's own code booted from such slots, to the byte.
#[test]
fn the_longest_image_is_that_of_mcuboot() {
    let sector = 0x1000;
    for (swap, secondary, longest) in [
        (SwapKind::Scratch, MIB, 0xf_e7d0),
        (SwapKind::Move, MIB, 0xf_d000),
        (SwapKind::Offset, MIB, 0xf_d000),
        (SwapKind::Offset, MIB + sector, 0xf_e000),
        (SwapKind::Overwrite, MIB, 0xf_ffd8),
    ] {
        let map = with_slots(MIB, secondary, swap).map.unwrap();
        let limits = map.limits().unwrap();
        assert_eq!(limits.max_image_len_bytes, longest, "{swap}, {secondary:#x}");
    }
}

/// The example with the application sent to the secondary slot by name.
fn replacing(prevention: DowngradePrevention, version: ImageVersion) -> Case {
    let mut case = example();
    case.map.as_mut().unwrap().downgrade_prevention = prevention;
    case.artifacts[0].dest = Some(region(0x11_0000, MIB));
    let Some(Content::Mcuboot { version: of_app, .. }) = &mut case.artifacts[0].content else {
        unreachable!()
    };
    *of_app = version;
    case
}

#[test]
fn an_application_that_would_be_erased_as_a_downgrade_is_refused() {
    let version = DowngradePrevention::Version;
    let case = replacing(version, ImageVersion::new(0, 0, 255));
    assert!(case.codes().contains(&"downgrade"), "{:?}", case.codes());
    let text = case.plan().unwrap_err()[0].to_string();
    for part in ["0.0.255", "0.0.256", "0x10000", "--version"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for (prevention, admitted) in [
        (version, ImageVersion::new(0, 0, 256)),
        (DowngradePrevention::None, ImageVersion::default()),
        (DowngradePrevention::SecurityCounter, ImageVersion::default()),
    ] {
        plan_judge_accepts(&replacing(prevention, admitted));
    }
}

#[test]
fn what_a_device_has_in_its_primary_slot_decides() {
    let refused = |start: [u8; 32], version| {
        let case = replacing(DowngradePrevention::Version, version);
        case.with(|migration, facts| {
            let facts = DeviceFacts { primary: Some(primary_rank(&start)), ..*facts };
            plan(migration, &facts).is_err()
        })
    };
    let oldest = ImageVersion::default();
    assert!(!refused([0; 32], oldest));
    assert!(refused([0xff; 32], ImageVersion::new(9, 0, 0)));
}

#[test]
fn an_application_too_old_for_a_swap_goes_straight_to_the_primary_slot() {
    let mut case = replacing(DowngradePrevention::Version, ImageVersion::default());
    case.artifacts[0].dest = None;
    case.running = "ota_1";
    case.map.as_mut().unwrap().scratch = Some(region(0x31_0000, 0x4_0000));
    assert_eq!(case.plan().unwrap().strategy, Strategy::StraightToPrimary);
    plan_judge_accepts(&case);
}

#[test]
fn what_the_files_say_refuses_whatever_the_device_is() {
    let case = example();
    let against = [
        Reason::bootloader_differs("mcuboot.primary", "0x10000+0x100000", "0x20000+0x150000"),
        Reason::not_mcuboot("bootloader", "ESP-IDF"),
    ];
    let reasons = case.with(|migration, facts| {
        plan(&Migration { against: &against, ..*migration }, facts).unwrap_err()
    });
    assert_eq!(reasons, against);
    let text = reasons[0].to_string();
    for part in ["mcuboot.primary", "0x10000+0x100000", "0x20000+0x150000"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(reasons[1].to_string().contains("ESP-IDF's bootloader"), "{}", reasons[1]);
}

/// Its slots are cleaned before the commit, and until then the old bootloader starts the migrator.
#[test]
fn no_slot_is_where_the_old_bootloader_is() {
    let mut case = example();
    case.artifacts = vec![Artifact { dest: Some(region(0x32_0000, 0x1_0000)), ..other("data") }];
    for (slot, codes) in [(0x1000, &["overlap"][..]), (0x31_0000, &[])] {
        let map = case.map.as_mut().unwrap();
        (map.primary, map.secondary) = (region(slot, 0x6000), region(0x11_0000, 0x6000));
        let reasons = case.plan().err().unwrap_or_default();
        let found: Vec<_> = reasons.iter().map(Reason::code).collect();
        assert_eq!(found, codes, "{reasons:?}");
    }
}
