use std::string::ToString;
use std::vec;
use std::vec::Vec;

use bootswap_plan::Allow;
use flash_region::Region;
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::espressif::{LoadFault, LoadHeader, LoadSegment, SegmentName};
use mcuboot_format::{SwapKind, ValidateError};
use proptest::prelude::*;

use super::*;
use crate::tests::kit::*;

/// The verdict on the scene's files, and the result on the device.
fn both(scene: &Scene) -> [Result<(), Failure<(), &'static str>>; 2] {
    let files: Vec<Option<&[u8]>> = scene.parts.iter().map(|p| Some(p.bytes.as_slice())).collect();
    let on_desk = scene.with_job(|job| {
        let mut first = Ok(());
        examine(job, &files, &mut |failure| {
            let Failure::Image { artifact, fault } = failure else { panic!("{failure}") };
            let found = scene.parts.iter().find(|part| part.name == artifact).unwrap();
            first = first.and(Err((found.name, fault)));
        });
        first.map_err(|(artifact, fault)| Failure::Image { artifact, fault })
    });
    let (ended, ..) = scene.run(&mut scene.server());
    let on_device = match ended {
        Ok(_) => Ok(()),
        Err(Failure::Image { artifact, fault }) => Err(Failure::Image { artifact, fault }),
        Err(other) => panic!("{other}"),
    };
    [on_desk, on_device]
}

fn fault_of(scene: &Scene) -> Option<ImageFault> {
    let [on_desk, on_device] = both(scene);
    assert_eq!(on_desk, on_device);
    match on_desk {
        Err(Failure::Image { fault, .. }) => Some(fault),
        _ => None,
    }
}

/// The example with an application of this load header.
fn loading(header: LoadHeader) -> Scene {
    let mut scene = Scene::example();
    let mut payload = header.to_bytes().to_vec();
    payload.resize(LoadHeader::RESERVED_LEN_BYTES, 0);
    payload.extend(noise(20_000, 1));
    let options = SignOptions {
        padding: Padding::Confirmed,
        ..SignOptions::espressif(SLOT_LEN, SwapKind::Scratch)
    };
    scene.part("app").bytes = sign(&payload, &options).unwrap();
    scene
}

#[test]
fn what_is_good_is_good_on_both() {
    assert_eq!(fault_of(&Scene::example()), None);
    assert_eq!(fault_of(&loading(LoadHeader::for_code(CHIP, 20_000))), None);
}

#[test]
fn an_application_without_load_header_is_refused() {
    // What is in an ESP-IDF app, signed.
    let mut scene = Scene::example();
    let options = SignOptions {
        padding: Padding::Confirmed,
        ..SignOptions::espressif(SLOT_LEN, SwapKind::Scratch)
    };
    scene.part("app").bytes = sign(&bootloader(9000, 3), &options).unwrap();
    let fault = fault_of(&scene);
    assert!(matches!(fault, Some(ImageFault::Load(LoadFault::Magic { .. }))), "{fault:?}");
    // A header of its own in front of the load header.
    let mut padded = loading(LoadHeader::for_code(CHIP, 20_000));
    let mut payload = vec![0; 32];
    payload.extend(&padded.part("app").bytes[32..10_000]);
    padded.part("app").bytes = sign(&payload, &options).unwrap();
    let fault = fault_of(&padded);
    assert!(matches!(fault, Some(ImageFault::Load(LoadFault::Magic { found: 0 }))), "{fault:?}");
}

#[test]
fn an_application_of_another_chip_is_refused() {
    use esp_idf_format::Chip;
    for chip in Chip::ALL.into_iter().filter(|chip| *chip != CHIP) {
        let fault = fault_of(&loading(LoadHeader::for_code(chip, 20_000)));
        let Some(ImageFault::Load(fault)) = fault else { panic!("{chip}: {fault:?}") };
        assert!(fault.is_of_another_chip(), "{chip}: {fault}");
    }
}

#[test]
fn an_application_over_its_bootloader_is_refused() {
    let good = LoadHeader::for_code(CHIP, 20_000);
    let iram = LoadSegment { dest_addr: 0x403c_f000, ..good.iram };
    let over = loading(LoadHeader { iram, entry_addr: 0x403c_f000, ..good });
    let fault = fault_of(&over);
    let found = matches!(
        fault,
        Some(ImageFault::Load(LoadFault::OverLoader { name: SegmentName::Iram, .. }))
    );
    assert!(found, "{fault:?}");
    // The segments for deep sleep, which only the bootloader at hand decides about.
    let lp_iram = LoadSegment { dest_addr: 0x600f_e000, offset_bytes: 0x80, len_bytes: 16 };
    let mut deep = loading(LoadHeader { lp_iram, ..good });
    let fault = fault_of(&deep);
    let lp = SegmentName::LpIram;
    assert!(
        matches!(fault, Some(ImageFault::Load(LoadFault::Memory { name, .. })) if name == lp),
        "{fault:?}"
    );
    // A bootloader whose file does not mention them does not check them.
    let mut old = noise(0x2000, 7);
    old[500..539].copy_from_slice(b"IRAM region in load header is not valid");
    deep.part("bootloader").bytes = bootloader_of(&old);
    assert_eq!(fault_of(&deep), None);
}

#[test]
fn an_application_with_another_header_size_is_refused() {
    // Linked for 0x20, as `LoadHeader::for_code` is.
    let mut scene = loading(LoadHeader::for_code(CHIP, 20_000));
    let options = SignOptions {
        padding: Padding::Confirmed,
        header_len_bytes: 0x400,
        ..SignOptions::espressif(SLOT_LEN, SwapKind::Scratch)
    };
    let payload = scene.part("app").bytes[32..20_128].to_vec();
    scene.part("app").bytes = sign(&payload, &options).unwrap();
    let fault = fault_of(&scene);
    assert!(matches!(fault, Some(ImageFault::Load(LoadFault::OverHeader { .. }))), "{fault:?}");
}

#[test]
fn trailers_are_judged_as_on_the_device() {
    let whole = Scene::example().part("app").bytes.clone();
    let len = whole.len();
    let broken = |change: &dyn Fn(&mut Vec<u8>), confirm: bool| {
        let mut scene = Scene::example();
        change(&mut scene.part("app").bytes);
        scene.part("app").confirm = confirm;
        fault_of(&scene)
    };
    let trailer = Some(ImageFault::Trailer);
    for confirm in [false, true] {
        assert_eq!(broken(&|_| {}, confirm), None, "{confirm}");
        // copy_done set, with imgtool's layout of fields of 8 bytes.
        assert_eq!(broken(&|app| app[len - 32] = 1, confirm), trailer, "{confirm}");
        // Old bytes, or padding of zeros, in the status area.
        assert_eq!(broken(&|app| app[len - 0x1800] = 0, confirm), trailer, "{confirm}");
        // The magic of another alignment.
        assert_eq!(broken(&|app| app[len - 16] = 0x10, confirm), trailer, "{confirm}");
        // Neither set nor unset.
        assert_eq!(broken(&|app| app[len - 24] = 3, confirm), trailer, "{confirm}");
        // Padded for a slot of half the size.
        let short = broken(&|app| app.truncate(len / 2), confirm);
        assert_eq!(short, if confirm { None } else { trailer }, "{confirm}");
        // Not confirmed.
        let pending = broken(&|app| app[len - 24] = 0xff, confirm);
        assert_eq!(pending, if confirm { None } else { trailer }, "{confirm}");
    }
    // Padded with zeros.
    let zeros = |app: &mut Vec<u8>| app[0x6000..len - 0x1830].fill(0);
    let padding = Some(ImageFault::Padding { offset: 0x6000, found: 0 });
    assert_eq!(broken(&zeros, false), padding);
    let mut trial = Scene::example();
    trial.allow = Allow { test_image: true, ..Allow::default() };
    trial.part("app").bytes[len - 24] = 0xff;
    assert_eq!(fault_of(&trial), None);
}

#[test]
fn the_device_decides_about_the_bootloader_too() {
    let mut scene = Scene::example();
    scene.part("bootloader").bytes[0x20] ^= 1;
    assert!(matches!(fault_of(&scene), Some(ImageFault::Esp(_))));
    let mut scene = Scene::example();
    let app = noise(9000, 1);
    scene.part("app").bytes = app;
    let magic = matches!(fault_of(&scene), Some(ImageFault::Mcuboot(ValidateError::Header(_))));
    assert!(magic, "{}", fault_of(&scene).unwrap().to_string());
}

/// At the desk the file is there and the migration names a length, as a changed file has it.
#[test]
fn a_file_of_another_length_than_named_is_refused() {
    let scene = Scene::example();
    let files: Vec<Option<&[u8]>> = scene.parts.iter().map(|p| Some(p.bytes.as_slice())).collect();
    for more in [0, 1] {
        let mut told = Vec::new();
        scene.with_job(|job| {
            let mut artifacts = job.migration.artifacts.to_vec();
            let len_bytes = artifacts[1].len_bytes.map(|len_bytes| len_bytes + more);
            (artifacts[1].len_bytes, artifacts[1].sha256) = (len_bytes, None);
            let migration = Migration { artifacts: &artifacts, ..*job.migration };
            let mut tell = |failure: Failure<Infallible, &str>| told.push(failure.to_string());
            examine(&Job { migration: &migration, ..*job }, &files, &mut tell);
        });
        assert_eq!(told.len(), more as usize, "{told:?}");
        assert!(told.iter().all(|said| said.contains("bytes")), "{told:?}");
    }
}

/// What is wrong with a file in several ways is told all at once, the device's fault first.
#[test]
fn every_fault_of_a_file_is_told() {
    let mut scene = loading(LoadHeader::for_code(esp_idf_format::Chip::Esp32s3, 20_000));
    let len = scene.part("app").bytes.len();
    scene.part("app").bytes[len - 24] = 0xff;
    scene.part("bootloader").bytes[2] = 0x77;
    let files: Vec<Option<&[u8]>> = scene.parts.iter().map(|p| Some(p.bytes.as_slice())).collect();
    let mut told = Vec::new();
    scene.with_job(|job| {
        examine(job, &files, &mut |failure| {
            let Failure::Image { artifact, fault } = failure else { panic!("{failure}") };
            told.push((artifact.to_string(), fault));
        });
    });
    let [(app, load), (same, trailer), (bootloader, other)] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!([app, same, bootloader], ["app", "app", "bootloader"]);
    assert!(matches!(load, ImageFault::Load(fault) if fault.is_of_another_chip()), "{load:?}");
    assert_eq!(*trailer, ImageFault::Trailer);
    // Its checksum does not cover the header, its digest does.
    assert!(matches!(other, ImageFault::FlashSetting { .. } | ImageFault::Esp(_)), "{other:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One byte of one file is changed.
    #[test]
    fn no_change_tells_them_apart(
        app in any::<bool>(),
        at in any::<prop::sample::Index>(),
        near_the_end in any::<bool>(),
        byte: u8,
        confirm: bool,
    ) {
        let mut scene = Scene::example();
        scene.part("app").confirm = confirm;
        let name = if app { "app" } else { "bootloader" };
        let bytes = &mut scene.part(name).bytes;
        let len = bytes.len();
        let at = if near_the_end { len - 1 - at.index(64) } else { at.index(len) };
        bytes[at] = byte;
        let [on_desk, on_device] = both(&scene);
        prop_assert_eq!(on_desk, on_device);
    }
}

/// An ESP-IDF app for the factory partition, and a file that the bootloader boots from.
fn app_and(name: &'static str, dest: Region, file: Vec<u8>) -> Scene {
    let mut scene = Scene::example();
    scene.map = None;
    scene.running = at(0x3_0000, SLOT_LEN);
    scene.allow.overwrite = &[bootswap_plan::PARTITION_TABLE, "otadata"];
    let mut app = Part::new("app", Role::Application, bootloader(9000, 3));
    app.dest = Some(PRIMARY);
    let mut chain = Part::new(name, Role::Other, file);
    chain.dest = Some(dest);
    scene.parts = vec![app, chain];
    scene
}

#[test]
fn otadata_names_what_comes() {
    use esp_idf_format::otadata::{OtaData, OtaState};
    let place = at(0xd000, 0x2000);
    let naming = |index: u8| {
        let mut file = vec![0xff; 0x2000];
        let (_, entry) = OtaData::parse(&[], &[]).entry_for(index, 2).unwrap();
        assert_eq!(entry.state, OtaState::Undefined);
        let bytes = entry.to_bytes();
        file[..bytes.len()].copy_from_slice(&bytes);
        file
    };
    // Nothing named: the factory app.
    assert_eq!(fault_of(&app_and("otadata", place, vec![0xff; 0x2000])), None);
    // The migrator's slot, and another to which nothing is written.
    for (index, start) in [(1, 0x3_0000), (0, 0x2_0000)] {
        let start = Some(flash_region::FlashAddr(start));
        let other = Some(ImageFault::StartsOther { start });
        assert_eq!(fault_of(&app_and("otadata", place, naming(index))), other);
    }
    // Another app that comes, too, is not the application.
    let mut beside = app_and("otadata", place, naming(0));
    let mut other = Part::new("bootloader", Role::Other, bootloader(3000, 4));
    other.dest = Some(at(0x2_0000, SLOT_LEN));
    beside.parts.push(other);
    let start = Some(flash_region::FlashAddr(0x2_0000));
    assert_eq!(fault_of(&beside), Some(ImageFault::StartsOther { start }));
    // Nothing selects another app, so the migrator would be started for ever.
    let mut alone = app_and("otadata", place, Vec::new());
    alone.parts.truncate(1);
    assert!(matches!(fault_of(&alone), Some(ImageFault::StartsOther { .. })));
}

/// The migrator, which selects itself in otadata, and such a file would write over each other for
/// ever.
#[test]
fn what_is_written_over_one_entry_of_otadata_brings_both() {
    let fault = |start, len: usize| {
        let room = at(start, u32::try_from(len).unwrap());
        fault_of(&app_and("data", room, vec![0xff; len]))
    };
    for (start, len) in [(0xd000, 0x1000), (0xe000, 0x1000)] {
        assert_eq!(fault(start, len), Some(ImageFault::HalfOtadata), "{start:#x}, {len:#x}");
    }
    assert_ne!(fault(0xd000, 0x2000), Some(ImageFault::HalfOtadata));
}

/// Of two slots with the same number the bootloader knows the last one.
#[test]
fn otadata_names_the_slot_that_is_kept() {
    use esp_idf_format::otadata::{OtaEntry, OtaState};
    use esp_idf_format::partition::subtype;
    let mut file = vec![0xff; 0x2000];
    let entry = OtaEntry::new(1, OtaState::Valid).to_bytes();
    file[..entry.len()].copy_from_slice(&entry);
    let mut scene = app_and("otadata", at(0xd000, 0x2000), file);
    // The application's place, and behind it another one.
    scene.partitions[3].subtype = subtype::OTA_0;
    let start = Some(scene.partitions[4].region.start());
    assert_eq!(fault_of(&scene), Some(ImageFault::StartsOther { start }));
    scene.partitions.swap(3, 4);
    assert_eq!(fault_of(&scene), None);
}

#[test]
fn a_table_is_read_as_the_bootloader_reads_it() {
    let place = at(0x8000, 0x1000);
    let with = |change: &dyn Fn(&mut Vec<esp_idf_format::partition::Partition>)| {
        let mut partitions = table();
        partitions.truncate(4);
        change(&mut partitions);
        let mut file = vec![0xff; 0xc00];
        esp_idf_format::partition::emit(&partitions, &mut file).unwrap();
        fault_of(&app_and("table", place, file))
    };
    assert_eq!(with(&|_| {}), None);
    // Without any other app the bootloader starts the test app.
    assert_eq!(with(&|table| table[3].subtype = esp_idf_format::partition::subtype::TEST), None);
    let beyond = with(&|table| table[3].region = at(0x1_0000, 2 * FLASH_LEN));
    assert!(matches!(beyond, Some(ImageFault::Table(_))), "{beyond:?}");
    for region in [at(0x2_0000, SLOT_LEN), at(0x1_0000, 0x1000)] {
        let slot = with(&|table| table[3].region = region);
        assert!(matches!(slot, Some(ImageFault::NoSlot { .. })), "{slot:?}");
    }
    let text = b"nvs,data,nvs,0x9000,0x4000\n".to_vec();
    let csv = fault_of(&app_and("table", place, text));
    assert!(matches!(csv, Some(ImageFault::Table(_))), "{csv:?}");
}

/// The example's table, changed, as a file.
fn table_file(change: &dyn Fn(&mut Vec<esp_idf_format::partition::Partition>)) -> Vec<u8> {
    let mut partitions = table();
    change(&mut partitions);
    let mut file = vec![0xff; 0xc00];
    esp_idf_format::partition::emit(&partitions, &mut file).unwrap();
    file
}

/// What comes by a table counts its slots and finds its otadata by that table.
#[test]
fn a_table_that_moves_otadata_brings_otadata_too() {
    let place = at(0x8000, 0x1000);
    let with = |change: &dyn Fn(&mut Vec<esp_idf_format::partition::Partition>)| {
        let mut scene = app_and("table", place, table_file(change));
        // To the slot that the migrator's entry names by the new table.
        scene.part("app").dest = Some(SECONDARY);
        fault_of(&scene)
    };
    let swapped = |table: &mut Vec<esp_idf_format::partition::Partition>| {
        (table[4].region, table[5].region) = (table[5].region, table[4].region);
    };
    assert_eq!(with(&swapped), None);
    let moved = with(&|table| {
        swapped(table);
        table.retain(|p| p.label.as_str() != Some("phy_init"));
        table[1].region = at(0xe000, 0x2000);
    });
    let otadata = at(0xe000, 0x2000);
    assert_eq!(moved, Some(ImageFault::OtadataMoves { otadata }));
    // Another slot, and the same entry names another one.
    let more = with(&|table| {
        swapped(table);
        let more = esp_idf_format::partition::Partition {
            label: esp_idf_format::FixedText::new("ota_2").unwrap(),
            subtype: table[5].subtype + 1,
            region: at(0x4_0000, SLOT_LEN),
            ..table[5]
        };
        table.push(more);
    });
    assert_eq!(more, Some(ImageFault::OtadataMoves { otadata: at(0xd000, 0x2000) }));
    // Without otadata the first slot is started, and nothing else counts.
    let none = with(&|table| table.retain(|p| !p.is_otadata() && !p.is_factory()));
    assert_eq!(none, None);
    let factory = with(&|table| table.retain(|p| !p.is_otadata()));
    let start = Some(flash_region::FlashAddr(0x1_0000));
    assert_eq!(factory, Some(ImageFault::StartsOther { start }));
}

/// Otadata whose entry a bootloader with rollback gives up at the first start.
#[test]
fn otadata_names_the_app_with_and_without_rollback() {
    use esp_idf_format::otadata::{OtaEntry, OtaState};
    let place = at(0xd000, 0x2000);
    for (state, good) in [
        (OtaState::Valid, true),
        (OtaState::New, true),
        (OtaState::Undefined, true),
        (OtaState::PendingVerify, false),
        (OtaState::Aborted, false),
    ] {
        let mut file = vec![0xff; 0x2000];
        let entry = OtaEntry::new(1, state).to_bytes();
        file[..entry.len()].copy_from_slice(&entry);
        let mut scene = app_and("otadata", place, file);
        scene.part("app").dest = Some(SECONDARY);
        assert_eq!(fault_of(&scene).is_none(), good, "{state:?}");
    }
}

/// A bootloader that says it is ESP-IDF's goes by the table, and starts apps.
#[test]
fn esp_idf_s_own_bootloader_needs_an_app_in_a_partition() {
    use esp_idf_format::FixedText;
    use esp_idf_format::bootloader_desc::BootloaderDescription;
    let described = |text: &str| {
        let description = BootloaderDescription {
            secure_version: 0,
            version: 1,
            idf_ver: FixedText::new(text).unwrap(),
            date_time: FixedText::default(),
        };
        bootloader_of(&[&description.to_bytes()[..], &noise(0x1000, 4)].concat())
    };
    let scene = |boot: Vec<u8>, dest: Region, app: Vec<u8>| {
        let mut scene = app_and("bootloader", BOOT, boot);
        scene.part("bootloader").role = Role::Bootloader;
        scene.part("app").dest = Some(dest);
        scene.part("app").bytes = app;
        fault_of(&scene)
    };
    let free = at(0x5_0000, SLOT_LEN);
    let app = bootloader(9000, 3);
    assert_eq!(scene(described("v5.4"), PRIMARY, app.clone()), None);
    let needed_bytes = u32::try_from(app.len()).unwrap();
    let no_slot = ImageFault::NoPartition { start: free.start(), needed_bytes };
    assert_eq!(scene(described("v5.4"), free, app.clone()), Some(no_slot));
    let no_app = ImageFault::NoApp { start: PRIMARY.start() };
    assert_eq!(scene(described("v5.4"), PRIMARY, noise(9000, 5)), Some(no_app));
    // What only looks like a description says nothing.
    assert_eq!(scene(described("\u{1}"), free, app), None);
}

/// Of a bootloader that does not say whose it is, nobody knows where it looks for its app.
#[test]
fn an_unknown_bootloader_may_find_its_app_in_no_partition() {
    let mut scene = app_and("bootloader", BOOT, bootloader(0x2000, 4));
    scene.part("bootloader").role = Role::Bootloader;
    scene.part("app").dest = Some(at(0x5_0000, SLOT_LEN));
    assert_eq!(fault_of(&scene), None);
    scene.part("app").bytes = noise(9000, 5);
    assert_eq!(fault_of(&scene), None);
}
