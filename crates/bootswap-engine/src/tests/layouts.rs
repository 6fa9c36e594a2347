//! Migrations of other kinds: staged by label or in memory, straight to the primary slot, unpadded,
//! merged, embedded, without MCUboot, of unknown length.

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::kit::*;
use crate::{CONTAINER_ALIGN_BYTES, ContainerEntry, ContainerHeader, Done, Failure, ImageFault};
use bootswap_plan::{Content, McubootMap, PARTITION_TABLE, Role, Staging};
use flash_region::{FlashAddr, Region};
use mcuboot_format::SwapKind;
use mcuboot_format::builder::Padding;
use nor_sim::{Driver, NorMemory, Power, Recorded};
use sha2::{Digest, Sha256};

/// Runs to the end, and again on the result, which must do nothing.
fn assert_migrates(scene: &Scene) -> (NorMemory, Log) {
    let (flash, log) = scene.migrated();
    scene.assert_done(&flash);
    assert!(flash.max_erase_count(at(0, FLASH_LEN)) <= 2);
    let again = Scene { flash: flash.clone(), ..scene.clone() };
    let mut server = again.server();
    let (ended, after, second) = again.run(&mut server);
    assert_eq!(ended, Ok(Done::NewBootloader), "{:#?}", second.lines);
    let embedded = scene.parts.iter().all(|part| part.embedded);
    assert!(embedded || server.asked.is_empty() || scene.memory_len > 0, "{:?}", server.asked);
    scene.assert_done(&after);
    (flash, log)
}

#[test]
fn any_swap_and_any_padding() {
    for swap in [SwapKind::Scratch, SwapKind::Overwrite, SwapKind::Move, SwapKind::Offset] {
        for (padding, confirm) in [
            (Padding::Confirmed, false),
            (Padding::Confirmed, true),
            (Padding::Pending, true),
            (Padding::None, true),
        ] {
            for (known_len, known_digest) in
                [(true, true), (true, false), (false, true), (false, false)]
            {
                let mut scene = Scene::example();
                scene.map = Some(map(swap));
                if matches!(swap, SwapKind::Move | SwapKind::Offset) {
                    // The image goes to the primary, so the migrator runs elsewhere.
                    scene.running = at(0x3_0000, SLOT_LEN);
                }
                let app = scene.part("app");
                app.bytes = app_for(swap, 20_001, padding);
                (app.confirm, app.known_len, app.known_digest) = (confirm, known_len, known_digest);
                let what =
                    std::format!("{swap:?} {padding:?} {confirm} {known_len} {known_digest}");
                std::println!("{what}");
                assert_migrates(&scene);
            }
        }
    }
}

/// Swap using move or offset starts an image in the primary slot without a trailer; it would
/// misread stale bytes there as a swap.
#[test]
fn straight_to_the_primary_no_trailer_is_needed_and_no_stale_one_stays() {
    for (known_len, end) in
        [(true, 20_000), (false, 20_000), (true, 0xd000 - 200), (false, 0xd000 - 200)]
    {
        let mut scene = Scene::example();
        scene.map = Some(map(SwapKind::Move));
        scene.running = at(0x3_0000, SLOT_LEN);
        scene.flash.load_noise(PRIMARY, 6);
        let app = scene.part("app");
        app.bytes = app_for(SwapKind::Move, end, Padding::None);
        app.known_len = known_len;
        assert_migrates(&scene);
    }
}

/// The end of an unpadded image and the trailer can share a sector.
#[test]
fn an_image_that_ends_in_the_trailers_sector() {
    let layout = map(SwapKind::Scratch).trailer(SECONDARY).unwrap();
    let longest = layout.offset_bytes() as usize;
    for known_len in [true, false] {
        for len in [longest, longest - 1, longest - 0x7d0, longest - 0x7d0 + 1] {
            let mut scene = Scene::example();
            let app = scene.part("app");
            // 32 bytes of header, 40 of TLVs.
            app.bytes = app_for(SwapKind::Scratch, len - 72, Padding::None);
            assert_eq!(app.bytes.len(), len);
            (app.confirm, app.known_len) = (true, known_len);
            assert_migrates(&scene);
        }
    }
}

/// A trailer that would overwrite the file's own is not written.
#[test]
fn a_slot_sized_file_without_magic_cannot_be_confirmed() {
    let mut scene = Scene::example();
    let app = scene.part("app");
    app.bytes = app_for(SwapKind::Scratch, 20_000, Padding::None);
    app.bytes.resize(SLOT_LEN as usize, 0xff);
    app.confirm = true;
    let (ended, flash, _) = scene.run(&mut scene.server());
    assert!(matches!(ended, Err(Failure::Image { fault: ImageFault::Trailer, .. })), "{ended:?}");
    assert!(flash.bytes(BOOT) == scene.flash.bytes(BOOT));
}

#[test]
fn an_unconfirmed_image_is_refused_unless_allowed() {
    let mut scene = Scene::example();
    scene.part("app").bytes = app_for(SwapKind::Scratch, 20_000, Padding::Pending);
    let (ended, ..) = scene.run(&mut scene.server());
    assert!(matches!(ended, Err(Failure::Image { fault: ImageFault::Trailer, .. })), "{ended:?}");
    scene.allow.test_image = true;
    assert_migrates(&scene);
}

/// Everything through a partition named by its label, one artifact after the other in the same
/// region.
#[test]
fn by_label() {
    for padding in [Padding::Confirmed, Padding::None] {
        for len in [20_000, 20_001, 20_002, 20_003] {
            for (known_len, known_digest) in [(true, true), (false, true), (false, false)] {
                let mut scene = Scene::example();
                scene.staging = Staging::Label("ota_1");
                scene.map.as_mut().unwrap().scratch = Some(at(0x4_0000, 0x4000));
                let app = scene.part("app");
                app.bytes = app_for(SwapKind::Scratch, len, padding);
                (app.confirm, app.known_len, app.known_digest) =
                    (padding == Padding::None, known_len, known_digest);
                let boot = scene.part("bootloader");
                (boot.known_len, boot.known_digest) = (known_len, known_digest);
                std::println!("{padding:?} {len} {known_len} {known_digest}");
                let (flash, _) = scene.migrated();
                scene.assert_done(&flash);
            }
        }
    }
}

/// A staged application that has arrived is not fetched again because something else is in its
/// staging region.
#[test]
fn by_label_what_has_arrived_is_not_fetched_again() {
    let mut scene = Scene::example();
    scene.staging = Staging::Label("ota_1");
    scene.map.as_mut().unwrap().scratch = Some(at(0x4_0000, 0x4000));
    let (flash, _) = scene.migrated();
    // All but the commit.
    let mut before = flash;
    before.load(FlashAddr(0), &scene.flash.bytes(BOOT));
    let again = Scene { flash: before, ..scene.clone() };
    let mut server = again.server();
    let (ended, after, _) = again.run(&mut server);
    assert_eq!(ended, Ok(Done::NewBootloader));
    assert_eq!(server.asked, vec![]);
    scene.assert_done(&after);
}

#[test]
fn in_memory() {
    for known_len in [true, false] {
        let mut scene = Scene::example();
        scene.staging = Staging::Memory;
        scene.memory_len = 0x8000;
        scene.part("bootloader").known_len = known_len;
        let (flash, _) = assert_migrates(&scene);
        // Nothing of the bootloader was written elsewhere.
        let start = &scene.part("bootloader").bytes[..256];
        let all = flash.bytes(at(0x8000, FLASH_LEN - 0x8000));
        assert!(!all.chunks(256).any(|page| page == start));
    }
}

/// With staging in memory, a reset causes another download of the bootloader and nothing else.
#[test]
fn memory_is_lost_with_the_power() {
    let mut scene = Scene::example();
    scene.staging = Staging::Memory;
    scene.memory_len = 0x8000;
    let mut flash = Driver::with_alignment(scene.flash.clone());
    let mut log = Log { veto: Some(crate::Veto::NotReady { code: 1 }), ..Log::default() };
    let ended = scene.run_with(&mut flash, &mut scene.server(), &mut log, &Power::new()).unwrap();
    assert!(matches!(ended, Err(Failure::Veto(_))));
    let again = Scene { flash: flash.into_device(), ..scene.clone() };
    let mut server = again.server();
    let (ended, flash, _) = again.run(&mut server);
    assert_eq!(ended, Ok(Done::NewBootloader));
    assert_eq!(server.asked.len(), 1);
    assert_eq!(server.asked[0].0, "http://lab/bootloader.bin");
    scene.assert_done(&flash);
}

/// A bootloader of unknown length: what is after it in its staging region is not part of it.
#[test]
fn an_unknown_length_commits_the_file_and_no_more() {
    let mut scene = Scene::example();
    scene.flash.load_noise(at(0x4_0000, 0xc_0000), 77);
    let boot = scene.part("bootloader");
    (boot.known_len, boot.known_digest) = (false, false);
    let mut flash = Driver::with_alignment(Recorded::new(scene.flash.clone()));
    let ended = scene.run_with(&mut flash, &mut scene.server(), &mut Log::default(), &Power::new());
    assert_eq!(ended, Some(Ok(Done::NewBootloader)));
    let ops: Vec<_> =
        flash.device().recording().ops().filter(|op| op.region().overlaps(BOOT)).collect();
    let pages = scene.parts[1].bytes.len().div_ceil(256);
    // Two sectors to erase, one by one.
    assert_eq!(ops.len(), 2 + pages, "{ops:?}");
    scene.assert_done(flash.device().inner());
}

/// Bootloader, partition table and application in one file.
fn merged(start: u32) -> Vec<u8> {
    let mut file = vec![0xff; 0x2_0000 - start as usize + 5000];
    let boot = bootloader(0x2000, 7);
    let boot_at = start as usize;
    assert_eq!(boot_at, 0, "this chip's bootloader is at 0");
    file[..boot.len()].copy_from_slice(&boot);
    // Its one app is the one that comes.
    let mut new = table();
    new.truncate(4);
    new[3].region = at(0x2_0000, SLOT_LEN);
    esp_idf_format::partition::emit(&new, &mut file[0x8000..0x8c00]).unwrap();
    file[0x2_0000..].copy_from_slice(&noise(5000, 9));
    file
}

fn merged_scene() -> Scene {
    let mut scene = Scene::example();
    scene.map = None;
    scene.running = at(0x3_0000, SLOT_LEN);
    scene.allow.overwrite = &[PARTITION_TABLE];
    let mut part = Part::new("merged", Role::Other, merged(0));
    part.dest = Some(at(0, 0x2_2000));
    part.content = Some(Content::Opaque);
    scene.parts = vec![part];
    scene
}

#[test]
fn merged_over_everything() {
    let scene = merged_scene();
    let (flash, log) = scene.migrated();
    let file = &scene.parts[0].bytes;
    for part in [at(0, 0x2000), at(0x8000, 0xc00), at(0x2_0000, 5000)] {
        let range = part.start().get() as usize..part.end().get() as usize;
        assert!(flash.bytes(part) == file[range], "{part}");
    }
    // NVS is in a gap of the image.
    assert!(flash.bytes(at(0x9000, 0x4000)) == scene.flash.bytes(at(0x9000, 0x4000)));
    assert_eq!(log.asked_to_commit, 1);
}

/// The critical part is staged for the commit, the rest is in place before it; after a cut anywhere
/// before the commit, what the device boots from is intact.
#[test]
fn merged_is_critical_only_in_the_commit() {
    let scene = merged_scene();
    let mut flash = Driver::with_alignment(Recorded::new(scene.flash.clone()));
    let ended = scene.run_with(&mut flash, &mut scene.server(), &mut Log::default(), &Power::new());
    assert_eq!(ended, Some(Ok(Done::NewBootloader)));
    let recording = flash.device().recording();
    let critical = |region: Region| region.overlaps(at(0, 0x9000));
    let first = recording.ops().position(|op| critical(op.region())).unwrap();
    assert!(recording.ops().skip(first).all(|op| critical(op.region())));
    assert!(first > 20);
}

/// ESP-IDF's bootloaders check the chip's revision when they start, and reset if it does not fit.
#[test]
fn a_bootloader_for_other_revisions_is_refused() {
    use esp_idf_format::image::{EspImageHeader, update_checksums};
    let table = [
        ((0, 0), true),
        ((REVISION, REVISION), true),
        ((0, u16::MAX), true),
        ((REVISION + 1, u16::MAX), false),
        ((0, REVISION - 1), false),
    ];
    for ((min, max), is_good) in table {
        let mut scene = Scene::example();
        let bytes = &mut scene.part("bootloader").bytes;
        bytes[15..17].copy_from_slice(&min.to_le_bytes());
        bytes[17..19].copy_from_slice(&max.to_le_bytes());
        update_checksums(bytes).unwrap();
        let header = EspImageHeader::parse(bytes).unwrap();
        assert_eq!((header.min_chip_rev_full, header.max_chip_rev_full), (min, max));
        let (ended, flash, _) = scene.run(&mut scene.server());
        let refused = Failure::Image {
            artifact: "bootloader",
            fault: ImageFault::ChipRevision { min, max, found: REVISION },
        };
        assert_eq!(ended, if is_good { Ok(Done::NewBootloader) } else { Err(refused) });
        assert!(is_good || flash.bytes(BOOT) == scene.flash.bytes(BOOT));
    }
    let fault = ImageFault::ChipRevision { min: 301, max: u16::MAX, found: 100 };
    assert!(fault.to_string().contains("v3.1 to any of the chip, but this one is v1.0"), "{fault}");
}

/// No artifact is blamed for it, and the attempts count, so the device goes back.
#[test]
fn a_key_that_cannot_be_used_is_its_own_failure() {
    let mut scene = Scene::example();
    scene.map = Some(McubootMap { key_der: Some(b"not a key"), ..map(SwapKind::Scratch) });
    for _ in 0..8 {
        let mut server = scene.server();
        let (ended, flash, _) = scene.run(&mut server);
        assert_eq!((ended, server.asked), (Err(Failure::Key), vec![]));
        scene.flash = flash;
    }
    let (ended, ..) = scene.run(&mut scene.server());
    assert_eq!(ended, Err(Failure::GivenUp { attempts: 8 }));
}

/// A merged image for another chip is detected, although its rules are those of a file without a
/// format.
#[test]
fn merged_is_checked_for_its_chip() {
    let mut scene = merged_scene();
    let boot = esp_idf_format::image::ImageBuilder::new(esp_idf_format::Chip::Esp32s3);
    let boot = boot.segment(0x4038_0000, &noise(4000, 1)).build().unwrap();
    scene.parts[0].bytes[..boot.len()].copy_from_slice(&boot);
    let (ended, flash, _) = scene.run(&mut scene.server());
    assert!(
        matches!(ended, Err(Failure::Image { fault: ImageFault::Chip { .. }, .. })),
        "{ended:?}"
    );
    assert!(flash.bytes(BOOT) == scene.flash.bytes(BOOT));
}

/// Any number of files, each with an explicit destination, without MCUboot.
#[test]
fn files_with_places_of_their_own() {
    let mut scene = Scene::example();
    scene.map = None;
    let mut app = Part::new("app", Role::Other, noise(0x5123, 20));
    app.dest = Some(at(0x2_0000, 0x8000));
    let mut data = Part::new("data", Role::Other, noise(0x1001, 21));
    data.dest = Some(at(0x5_0000, 0x2000));
    let boot = Part::new("bootloader", Role::Bootloader, bootloader(0x2000, 7));
    scene.parts = vec![app, data, boot];
    let mut server = scene.server();
    server.files[1].0 = "http://lab/other.bin";
    let (ended, flash, log) = scene.run(&mut server);
    assert_eq!(ended, Ok(Done::NewBootloader), "{:#?}", log.lines);
    scene.assert_done(&flash);
    // Without a digest, nothing covers a file without a format.
    scene.parts[1].known_digest = false;
    let (ended, ..) = scene.run(&mut scene.server());
    assert!(matches!(ended, Err(Failure::Image { fault: ImageFault::NoDigest, .. })), "{ended:?}");
}

/// A file whose bytes look like the start of an image or a page, and are neither.
#[test]
fn a_bare_file_may_begin_with_anything() {
    for begin in [b"\xe9\x01".as_slice(), b"<?xml version", b"<settings>"] {
        let mut scene = Scene::example();
        scene.map = None;
        let mut data = Part::new("data", Role::Other, [begin, &noise(3000, 4)].concat());
        data.dest = Some(at(0x5_0000, 0x2000));
        data.content = Some(Content::Opaque);
        scene.parts = vec![data];
        let (flash, _) = scene.migrated();
        scene.assert_done(&flash);
    }
}

/// Packs the parts after the running image.
fn embed(scene: &mut Scene, align: u32) {
    let start = RUNNING_LEN.next_multiple_of(CONTAINER_ALIGN_BYTES);
    let mut header = ContainerHeader::default();
    let mut data = vec![];
    let directory = ContainerHeader::directory_len(scene.parts.len());
    for part in &mut scene.parts {
        part.embedded = true;
        let offset = (directory + data.len()).next_multiple_of(align as usize);
        data.resize(offset - directory, 0xff);
        data.extend_from_slice(&part.bytes);
        let len_bytes = part.bytes.len() as u32;
        let sha256 = Sha256::digest(&part.bytes).into();
        header
            .entries
            .push(ContainerEntry::new(part.name, offset as u32, len_bytes, sha256).unwrap())
            .unwrap();
    }
    header.len_bytes = (directory + data.len()) as u32;
    let mut container = vec![0; directory];
    header.emit(&mut container).unwrap();
    container.extend(data);
    let at = scene.running.start().saturating_add(start);
    scene.flash.load(at, &container);
    scene.container = Some(Region::clamped(at, container.len() as u32));
}

#[test]
fn embedded_at_any_offset_and_of_any_length() {
    for (align, len) in [(16, 3000), (16, 3001), (4, 3002), (1, 3003), (1, 3001)] {
        let mut scene = Scene::example();
        scene.running = at(0x3_0000, SLOT_LEN);
        scene.map.as_mut().unwrap().scratch = Some(at(0x4_0000, 0x4000));
        scene.part("app").bytes = app(len, Padding::None);
        scene.part("app").confirm = true;
        embed(&mut scene, align);
        assert_migrates(&scene);
    }
}

#[test]
fn what_is_not_embedded_or_damaged_is_said_at_once() {
    let mut scene = Scene::example();
    scene.running = at(0x3_0000, SLOT_LEN);
    scene.map.as_mut().unwrap().scratch = Some(at(0x4_0000, 0x4000));
    scene.part("app").bytes = app(3000, Padding::None);
    scene.part("app").confirm = true;
    embed(&mut scene, 16);
    let mut missing = scene.clone();
    missing.part("app").name = "application";
    let (ended, _, log) = missing.run(&mut missing.server());
    assert!(ended.unwrap_err().to_string().contains("is not embedded in the migrator"));
    assert_eq!(log.delays_ms, [] as [u32; 0]);
    let mut none = scene.clone();
    none.container = None;
    let (ended, ..) = none.run(&mut none.server());
    assert!(ended.unwrap_err().to_string().contains("is not embedded in the migrator"));
    let start = scene.container.unwrap().start();
    let mut damaged = scene.clone();
    damaged.flash.load(start.saturating_add(40), &[0x55]);
    let (ended, ..) = damaged.run(&mut damaged.server());
    assert!(ended.unwrap_err().to_string().contains("pack the migrator again"));
    let mut damaged = scene.clone();
    damaged.flash.load(start.saturating_add(400), &[0; 16]);
    let (ended, flash, _) = damaged.run(&mut damaged.server());
    assert!(matches!(ended, Err(Failure::Image { .. })), "{ended:?}");
    assert!(flash.bytes(BOOT) == scene.flash.bytes(BOOT));
}

/// A file for which there is room only in the padding of the application's own slot.
#[test]
fn the_bootloader_waits_in_the_applications_slack() {
    let mut scene = Scene::example();
    scene.map = Some(map(SwapKind::Overwrite));
    // Only the slot itself is free.
    scene.partitions.push(esp_idf_format::partition::Partition {
        label: esp_idf_format::FixedText::new("storage").unwrap(),
        kind: esp_idf_format::partition::PartitionType::Data,
        subtype: 0x82,
        region: at(0x4_0000, FLASH_LEN - 0x4_0000),
        flags: 0,
    });
    scene.partitions.retain(|p| p.label.as_str() != Some("ota_1"));
    scene.partitions.push(esp_idf_format::partition::Partition {
        label: esp_idf_format::FixedText::new("more").unwrap(),
        kind: esp_idf_format::partition::PartitionType::Data,
        subtype: 0x82,
        region: at(0x3_0000, 0x1_0000),
        flags: 0,
    });
    let app = scene.part("app");
    app.bytes = app_for(SwapKind::Overwrite, 20_000, Padding::Confirmed);
    app.content = Some(Content::Mcuboot {
        image_len_bytes: 20_072,
        padded: true,
        confirmed: true,
        signed: false,
        version: Default::default(),
    });
    let kept = at(0x3_0000, FLASH_LEN - 0x3_0000);
    let (flash, _) = assert_migrates(&scene);
    assert!(flash.bytes(kept) == scene.flash.bytes(kept));
    // It is still staged there.
    let boot = &scene.parts[1].bytes;
    let slot = flash.bytes(SECONDARY);
    assert!(slot.windows(0x1000).step_by(0x1000).any(|sector| sector == &boot[..0x1000]));
}
