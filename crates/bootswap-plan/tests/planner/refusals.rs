//! Every refusal, each with the change that provokes it.

use bootswap_plan::*;
use esp_idf_format::Chip;
use esp_idf_format::partition::{PartitionType, subtype};
use flash_region::FlashAddr;
use mcuboot_format::SwapKind;

use crate::case::*;
use crate::test_support::Example;

/// Each refusal: the change of the example, and the code of the reason.
#[test]
fn every_refusal_has_its_code() {
    type Change = fn(&mut Case);
    let table: &[(&str, Change)] = &[
        ("secure-boot", |c| c.secure_boot = true),
        ("flash-encryption", |c| c.flash_encryption = true),
        ("wrong-chip", |c| c.chip = Chip::Esp32c3),
        ("wrong-image-chip", |c| {
            c.artifacts[1].content =
                Some(Content::EspImage { chip_id: 0, image_len_bytes: 1, flash_len_bytes: None });
        }),
        ("flash-too-small", |c| c.wanted_flash_bytes = Some(8 * MIB)),
        ("flash-too-small", |c| {
            c.artifacts[1].content = Some(Content::EspImage {
                chip_id: Chip::Esp32s3.image_chip_id(),
                image_len_bytes: 1,
                flash_len_bytes: Some(16 * MIB),
            });
        }),
        ("map-behind-flash", |c| {
            c.artifacts[1].content = Some(Content::EspImage {
                chip_id: Chip::Esp32s3.image_chip_id(),
                image_len_bytes: 1,
                flash_len_bytes: Some(2 * MIB),
            });
        }),
        ("outside-flash", |c| c.map.as_mut().unwrap().scratch = Some(region(0x3f_0000, 0x2_0000))),
        ("above-16-mb", |c| {
            c.flash_len_bytes = 32 * MIB;
            c.map.as_mut().unwrap().scratch = Some(region(0xff_0000, 0x2_0000));
        }),
        ("above-16-mb", |c| {
            c.flash_len_bytes = 32 * MIB;
            c.map.as_mut().unwrap().secondary = region(0x100_0000, MIB);
        }),
        ("above-16-mb", |c| {
            c.flash_len_bytes = 32 * MIB;
            c.artifacts.push(Artifact { dest: Some(region(0x180_0000, MIB)), ..other("data") });
        }),
        ("above-16-mb", |c| {
            c.flash_len_bytes = 32 * MIB;
            let big = partition("big", PartitionType::App, subtype::OTA_0 + 2, 0x100_0000, MIB);
            c.table.push(big);
            c.staging = Staging::Label("big");
        }),
        ("above-16-mb", |c| {
            c.flash_len_bytes = 32 * MIB;
            let big = partition("big", PartitionType::App, subtype::OTA_0 + 2, 0x100_0000, MIB);
            c.table.push(big);
            c.running = "big";
        }),
        ("above-16-mb", |c| {
            c.flash_len_bytes = 32 * MIB;
            c.table[1].region = region(0x1ff_e000, 0x2000);
        }),
        ("misaligned", |c| c.map.as_mut().unwrap().scratch = Some(region(0x21_0800, 0x4_0000))),
        ("empty", |c| c.artifacts[0].len_bytes = Some(0)),
        ("empty", |c| c.artifacts[1].len_bytes = Some(0)),
        ("too-large", |c| c.artifacts[0].len_bytes = Some(MIB + 1)),
        ("too-large", |c| c.artifacts[1].len_bytes = Some(0xf001)),
        ("too-large", |c| c.artifacts[1].dest = Some(region(0, 0x6000))),
        ("reaches-trailer", |c| {
            c.artifacts[0].content = Some(Content::Mcuboot {
                image_len_bytes: 0xf_e7d1,
                padded: true,
                confirmed: true,
                signed: false,
                version: Default::default(),
            });
        }),
        ("shares-trailer-sector", |c| {
            c.table.truncate(5);
            c.artifacts[0].content = Some(Content::Mcuboot {
                image_len_bytes: 0xf_e001,
                padded: true,
                confirmed: true,
                signed: false,
                version: Default::default(),
            });
            c.artifacts[0].dest = Some(region(0x11_0000, MIB));
        }),
        ("over-running-code", |c| {
            c.running = "ota_0";
            c.artifacts[0].dest = Some(region(0x11_0000, MIB));
            c.artifacts.push(Artifact { dest: Some(region(0x20_0000, MIB)), ..other("data") });
            c.table.truncate(5);
        }),
        ("no-relocation", |c| {
            c.map.as_mut().unwrap().swap = SwapKind::Move;
            c.table.truncate(4);
        }),
        ("too-large", |c| {
            // From 0x0, although this chip's ROM looks at 0x1000: the image must be right from
            // there on.
            (c.chip, c.device_chip) = (Chip::Esp32s2, Chip::Esp32s2);
            c.artifacts[1].content = Some(Content::EspImage {
                chip_id: Chip::Esp32s2.image_chip_id(),
                image_len_bytes: 0x7001,
                flash_len_bytes: None,
            });
            c.artifacts[1].len_bytes = Some(0x7001);
            c.artifacts[1].dest = Some(region(0, 0x8000));
        }),
        ("bootloader-misplaced", |c| {
            // Anything in the bootloader's area that does not begin where the ROM looks.
            let astray = Artifact { dest: Some(region(0x7000, 0x1000)), ..other("data") };
            c.artifacts.push(Artifact { len_bytes: Some(100), ..astray });
        }),
        ("bootloader-misplaced", |c| {
            let astray = Artifact { dest: Some(region(0x1000, 0x4000)), ..other("boot") };
            c.artifacts[1] = Artifact { len_bytes: Some(0x4000), ..astray };
        }),
        ("over-kept", |c| c.artifacts[1].len_bytes = Some(39_776)),
        ("over-kept", |c| {
            let table = Artifact { dest: Some(region(0x8000, 0x1000)), ..other("table") };
            c.artifacts.push(Artifact { len_bytes: Some(0xc00), ..table });
        }),
        ("over-kept", |c| {
            let data = Artifact { dest: Some(region(0xd000, 0x2000)), ..other("otadata") };
            c.artifacts.push(Artifact { len_bytes: Some(0x2000), ..data });
        }),
        ("over-kept", |c| {
            let data = Artifact { dest: Some(region(0xf000, 0x1000)), ..other("phy") };
            c.artifacts.push(Artifact { len_bytes: Some(0x1000), ..data });
        }),
        ("over-kept", |c| {
            // The region may be erased as a whole, although the file ends before NVS.
            let data = Artifact { dest: Some(region(0x31_0000, 0x1_0000)), ..other("data") };
            c.artifacts.push(Artifact { len_bytes: Some(100), ..data });
            let files = partition("files", PartitionType::Data, 0x81, 0x31_8000, 0x1000);
            c.table.push(files);
        }),
        ("over-kept", |c| {
            // On the chips whose bootloader is at 0x1000, the sector before it belongs to secure
            // boot.
            (c.chip, c.device_chip) = (Chip::Esp32, Chip::Esp32);
            let data = Artifact { dest: Some(region(0, 0x1000)), ..other("data") };
            c.artifacts = vec![Artifact { len_bytes: Some(0x1000), ..data }];
        }),
        ("over-kept", |c| {
            c.table.push(partition("cfg", PartitionType::Custom(0x40), 0, 0x22_0000, 0x1000));
        }),
        ("over-kept", |c| {
            // Not where the file is written, but in its region.
            c.map = None;
            c.artifacts[0].dest = Some(region(0x11_0000, 0x10_0000));
            c.artifacts[0].len_bytes = Some(0x1000);
            let data = partition("data", PartitionType::Data, subtype::SPIFFS, 0x20_0000, 0x1000);
            c.table.retain(|p| p.label.as_str() != Some("ota_0"));
            c.table.push(data);
        }),
        ("overlap", |c| c.map.as_mut().unwrap().scratch = Some(region(0x20_0000, 0x4_0000))),
        ("overlap", |c| {
            // Neither file reaches the other, but a region may be erased as a whole.
            c.map = None;
            c.artifacts = vec![
                Artifact { dest: Some(region(0x11_0000, 0x4_0000)), ..other("first") },
                Artifact { dest: Some(region(0x13_0000, 0x4_0000)), ..other("second") },
            ];
            c.artifacts[0].len_bytes = Some(0x1000);
        }),
        ("overlap", |c| {
            // Half in a slot.
            c.artifacts[0].dest = Some(region(0x19_0000, 0x8_0000));
            c.artifacts[0].len_bytes = Some(0x1000);
        }),
        ("overlap", |c| {
            // A slot over the bootloader in place.
            let map = c.map.as_mut().unwrap();
            (map.primary, map.secondary) = (region(0x7000, 0x2000), region(0x1_0000, 0x2000));
        }),
        ("overlap", |c| {
            // The scratch area's end, which is cleaned, in otadata: the old bootloader still needs
            // it.
            c.map.as_mut().unwrap().scratch = Some(region(0xa000, 0x5000));
            c.allow.overwrite = &["nvs", "otadata"];
        }),
        ("overlap", |c| {
            // The primary's header, which is cleaned, in the partition table.
            let map = c.map.as_mut().unwrap();
            (map.primary, map.secondary) = (region(0x8000, 0x10_0000), region(0x11_0000, MIB));
            c.allow.overwrite = &["nvs", "phy_init", PARTITION_TABLE];
            c.running = "ota_1";
        }),
        ("second-application", |c| {
            let second = Artifact { dest: Some(region(0x11_0000, MIB)), ..c.artifacts[0] };
            c.artifacts[0].dest = Some(region(0x1_0000, MIB));
            c.artifacts.push(second);
            c.running = "ota_1";
        }),
        ("overlap", |c| {
            // NVS in the part of the slot that the image leaves free, which is erased before the
            // commit.
            c.table.push(partition("late", PartitionType::Data, subtype::NVS, 0x3f_0000, 0x1_0000));
            c.map.as_mut().unwrap().secondary = region(0x30_0000, MIB);
            c.artifacts[0].len_bytes = Some(APP_IMAGE_BYTES);
            c.artifacts[0].confirm = true;
            c.allow.overwrite = &["late"];
            c.table.retain(|p| p.label.as_str() != Some("ota_1"));
        }),
        ("overlap", |c| {
            // NVS under the trailer of a padded image.
            c.table.push(partition("late", PartitionType::Data, subtype::NVS, 0x3f_f000, 0x1000));
            c.map.as_mut().unwrap().secondary = region(0x30_0000, MIB);
            c.allow.overwrite = &["late"];
            c.table.retain(|p| p.label.as_str() != Some("ota_1"));
        }),
        ("overlap", |c| {
            // An application where the ROM looks for a bootloader.
            c.artifacts[0].dest = Some(region(0, 0x8000));
            c.artifacts[0].len_bytes = Some(0x4000);
            c.artifacts.truncate(1);
        }),
        ("nothing-to-start", |c| {
            // A merged image with a bootloader in it, and without an application.
            c.artifacts = vec![Artifact { dest: Some(region(0, 0x8000)), ..other("merged") }];
        }),
        ("no-otadata", |c| {
            // Without otadata the factory app is started, and that is the migrator.
            to_another_bootloader(c, "ota_0");
            c.table.retain(|p| !p.is_otadata());
        }),
        ("no-otadata", |c| {
            // Otadata that no entry can be written to without losing what is beside it.
            to_another_bootloader(c, "ota_0");
            c.table[1].region = region(0xd800, 0x2000);
        }),
        ("no-otadata", |c| {
            // A test app is not named by otadata.
            to_another_bootloader(c, "ota_1");
            c.table[5].subtype = subtype::TEST;
        }),
        ("map-behind-flash", |c| {
            // A bootloader that goes by the table, and refuses it.
            to_another_bootloader(c, "ota_0");
            c.artifacts[1].content = Some(Content::EspImage {
                chip_id: Chip::Esp32s3.image_chip_id(),
                image_len_bytes: 27_376,
                flash_len_bytes: Some(2 * MIB),
            });
        }),
        ("nothing-to-start", |c| {
            // Data, and no app but one for tests, which otadata cannot name.
            c.artifacts =
                vec![Artifact { dest: Some(region(0x32_0000, MIB / 2)), ..other("data") }];
            c.map = None;
            c.table.truncate(5);
            c.table[4].subtype = subtype::TEST;
        }),
        ("unknown-label", |c| c.staging = Staging::Label("nowhere")),
        ("staging-in-use", |c| {
            c.artifacts[0].dest = Some(region(0x11_0000, MIB));
            c.staging = Staging::Label("ota_0");
        }),
        ("staging-in-use", |c| {
            c.table[0].region = region(0x31_0000, 0xf_0000);
            c.artifacts[0].len_bytes = Some(0x8_0000);
            c.staging = Staging::Label("nvs");
        }),
        ("no-staging", |c| c.staging = Staging::Label("phy_init")),
        ("no-staging", |c| {
            // Memory has room for one artifact, and two must be staged until the commit.
            (c.staging, c.memory_bytes) = (Staging::Memory, 0x1_0000);
            let table = Artifact { dest: Some(region(0x8000, 0x1000)), ..other("table") };
            c.artifacts.push(Artifact { len_bytes: Some(0xc00), ..table });
            c.allow.overwrite = &[PARTITION_TABLE];
        }),
        ("trailer-under-running-code", |c| {
            c.running_len_bytes = 0xf_e7d1;
            c.table.truncate(5);
        }),
        ("trailer-under-running-code", |c| {
            // Naming the secondary slot as the destination makes no difference to the primary
            // slot's trailer.
            c.running_len_bytes = 0xf_f000;
            c.artifacts[0].dest = Some(region(0x11_0000, MIB));
            c.table.truncate(5);
        }),
        ("not-confirmed", |c| {
            c.artifacts[0].content = Some(Content::Mcuboot {
                image_len_bytes: APP_IMAGE_BYTES,
                padded: true,
                confirmed: false,
                signed: false,
                version: Default::default(),
            });
        }),
        ("not-confirmed", |c| {
            c.artifacts[0].len_bytes = Some(APP_IMAGE_BYTES);
            c.artifacts[0].content = Some(Content::Mcuboot {
                image_len_bytes: APP_IMAGE_BYTES,
                padded: false,
                confirmed: false,
                signed: false,
                version: Default::default(),
            });
        }),
        ("not-signed", |c| c.map.as_mut().unwrap().key_der = Some(&[])),
        ("no-scratch", |c| c.map.as_mut().unwrap().scratch = None),
        ("slots-differ", |c| c.map.as_mut().unwrap().primary = region(0x1_0000, 0xf_0000)),
        ("bad-map", |c| c.map.as_mut().unwrap().max_align_bytes = 7),
        ("no-destination", |c| c.map = None),
        ("wrong-content", |c| c.artifacts[0].content = Some(Content::Opaque)),
        ("wrong-content", |c| c.artifacts[1].content = Some(Content::Opaque)),
        ("artifact-count", |c| c.artifacts.clear()),
        ("bad-partition", |c| c.table[5].region = region(0x3f_0000, MIB)),
        ("unknown-running", |c| c.running = "nowhere"),
        ("two-tables", |c| c.other_table_addr = Some(FlashAddr(0x1_0000))),
        ("bootloader-misplaced", |c| c.artifacts[1].dest = Some(region(0x1000, 0x7000))),
    ];
    let mut numbers: Vec<(u16, &str)> = Vec::new();
    for (code, change) in table {
        let mut case = example();
        change(&mut case);
        let codes = case.codes();
        assert!(codes.contains(code), "wanted {code}, found {codes:?}");
        // A message names what is wrong and says what to do.
        for reason in case.plan().unwrap_err() {
            assert!(reason.to_string().len() > 30, "{reason}");
            let (number, code) = (reason.number(), reason.code());
            let clash = numbers.iter().find(|(n, c)| (*n == number) != (*c == code));
            assert_eq!(clash, None, "{number} and {code}");
            numbers.push((number, code));
        }
    }
}

#[test]
fn a_bootloader_without_anything_to_start_is_refused() {
    for swap in SwapKind::ALL {
        let mut example = Example::new(Chip::Esp32c3, 5);
        example.map.swap = swap;
        let reasons = example.with(|migration, facts| {
            let alone = &migration.artifacts[1..];
            plan(&Migration { artifacts: alone, ..*migration }, facts).unwrap_err()
        });
        assert!(reasons.iter().any(|r| matches!(r, Reason::NothingToStart { .. })), "{reasons:?}");
    }
}

#[test]
fn an_application_goes_to_no_slot_that_it_is_not_started_from() {
    for swap in [SwapKind::Move, SwapKind::Offset] {
        let mut example = Example::new(Chip::Esp32c3, 3);
        (example.map.swap, example.map.scratch) = (swap, None);
        example.app.dest = Some(example.map.secondary);
        let reasons = example.with(|migration, facts| {
            // With the bootloader in another migration.
            let alone = &migration.artifacts[..1];
            plan(&Migration { artifacts: alone, ..*migration }, facts).unwrap_err()
        });
        assert!(reasons.iter().any(|r| matches!(r, Reason::NothingToStart { .. })), "{reasons:?}");
    }
}

#[test]
fn an_old_trailer_is_not_left_under_the_running_code() {
    for swap in SwapKind::ALL {
        let mut example = Example::new(Chip::Esp32c3, 3);
        example.map.swap = swap;
        example.running_len_bytes = 0x10_0000;
        let reasons = example.with(|migration, facts| {
            let alone = &migration.artifacts[1..];
            plan(&Migration { artifacts: alone, ..*migration }, facts).unwrap_err()
        });
        let found = reasons.iter().any(|r| matches!(r, Reason::TrailerUnderRunningCode { .. }));
        assert!(found, "{swap}: {reasons:?}");
    }
}

#[test]
fn nothing_goes_where_a_slot_is_cleaned() {
    // Header and trailer of the primary, trailer of the secondary with an app in the primary,
    // scratch.
    let places = [
        (0x1_0000, 0x11_0000),
        (0x10_f000, 0x11_0000),
        (0x20_f000, 0x1_0000),
        (0x24_f000, 0x11_0000),
    ];
    for (start, app) in places {
        let mut example = Example::new(Chip::Esp32c3, 5);
        example.table[5].region = region(0x31_0000, 0xf_0000);
        example.app.dest = Some(region(app, 0x10_0000));
        let mut data = example.app;
        (data.name, data.role, data.content) = ("data", Role::Other, None);
        (data.dest, data.len_bytes) = (Some(region(start, 0x1000)), Some(100));
        let reasons = example.with(|migration, facts| {
            let artifacts = [migration.artifacts[0], data, migration.artifacts[1]];
            plan(&Migration { artifacts: &artifacts, ..*migration }, facts).unwrap_err()
        });
        let overlaps =
            |r: &Reason| matches!(r, Reason::Overlap { first, .. } if first.as_str() == "data");
        assert!(reasons.iter().any(overlaps), "{start:#x}: {reasons:?}");
    }
}

/// MCUboot swaps what is in its slots and writes over its scratch area: nothing else stays there.
#[test]
fn nothing_is_placed_where_mcuboot_swaps() {
    let with = |start, swap| {
        let mut case = example();
        case.running = "ota_1";
        let map = case.map.as_mut().unwrap();
        if swap != SwapKind::Scratch {
            map.scratch = None;
        }
        map.swap = swap;
        case.artifacts.push(Artifact {
            dest: Some(region(start, 0x1000)),
            len_bytes: Some(0x1000),
            ..other("data")
        });
        case.codes()
    };
    // In the slots, in their trailers, and in the scratch area where there is one.
    for swap in [SwapKind::Scratch, SwapKind::Move, SwapKind::Offset, SwapKind::Overwrite] {
        for start in [0x5_0000, 0x10_f000, 0x11_0000, 0x20_f000] {
            assert!(with(start, swap).contains(&"overlap"), "{start:#x}, {swap:?}");
        }
    }
    let mut case = example();
    case.artifacts.push(Artifact {
        dest: Some(region(0x23_0000, 0x1000)),
        len_bytes: Some(0x1000),
        ..other("data")
    });
    assert_eq!(case.codes(), ["overlap"]);
    case.artifacts.last_mut().unwrap().dest = Some(region(0x25_0000, 0x1000));
    assert_safe(&case, &case.plan().unwrap());
}

/// An application for the partition with that label, and a bootloader that goes by the table.
fn to_another_bootloader(case: &mut Case, label: &str) {
    let to = case.table.iter().find(|p| p.label.as_str() == Some(label)).unwrap().region;
    case.map = None;
    case.artifacts[0].dest = Some(to);
    case.artifacts[0].len_bytes = Some(0x8_0000);
    case.artifacts[0].content = Some(Content::EspImage {
        chip_id: Chip::Esp32s3.image_chip_id(),
        image_len_bytes: 0x8_0000,
        flash_len_bytes: None,
    });
}

#[test]
fn a_bootloader_that_goes_by_the_table_comes_to_the_application() {
    let codes = |change: &dyn Fn(&mut Case)| {
        let mut case = example();
        to_another_bootloader(&mut case, "ota_0");
        change(&mut case);
        case.plan().err().unwrap_or_default().iter().map(Reason::code).collect::<Vec<_>>()
    };
    // The migrator selects it in otadata.
    assert_eq!(codes(&|_| {}), [""; 0]);
    // Without otadata the factory app comes first, and then the slots in their order.
    assert_eq!(codes(&|c| c.table.retain(|p| !p.is_otadata())), ["no-otadata"]);
    for (running, to, said) in [
        ("ota_0", "factory", &[][..]),
        ("ota_1", "factory", &[]),
        ("ota_1", "ota_0", &[]),
        ("ota_0", "ota_1", &["no-otadata"]),
    ] {
        let codes = codes(&|c| {
            to_another_bootloader(c, to);
            c.table.retain(|p| !p.is_otadata());
            c.running = running;
        });
        assert_eq!(codes, said, "from {running} to {to}");
    }
    // If it does not read the table, it is not known what it starts.
    let apart = codes(&|c| {
        c.table.retain(|p| !p.is_otadata() && p.label.as_str() != Some("ota_1"));
        c.artifacts[0].dest = Some(region(0x21_0000, MIB));
    });
    assert_eq!(apart, [""; 0]);
}
