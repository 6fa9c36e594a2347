//! Files that every device would refuse, and therefore the desk refuses.

use esp_idf_format::image::{self, FlashMode, ImageBuilder};
use mcuboot_format::espressif::{LoadHeader, LoadSegment};

use super::*;
use crate::facts;
use crate::plan::{judged, judged_alone};

/// Codes of the reasons against the example with that application and that bootloader.
fn codes(app: &[u8], bootloader: &[u8]) -> Vec<&'static str> {
    let lab = ExampleDir::new();
    lab.write("app_upd.bin", app);
    lab.write("mcuboot.bin", bootloader);
    let migration = lab.load(EXAMPLE).unwrap();
    let mut found = facts::assumed(&migration).unwrap();
    found.facts.bootloader_flash_mode = Some(FlashMode::Dio);
    let reasons = judged(&migration, found.facts.lend(), None).err().unwrap_or_default();
    reasons.iter().map(|reason| reason.code).collect()
}

fn signed(payload: &[u8]) -> Vec<u8> {
    let options = SignOptions {
        padding: Padding::Confirmed,
        ..SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch)
    };
    sign(payload, &options).unwrap()
}

fn loading(header: &LoadHeader) -> Vec<u8> {
    let mut payload = header.to_bytes().to_vec();
    payload.resize(0x2000, 0x13);
    signed(&payload)
}

#[test]
fn applications_that_do_not_start() {
    let good = LoadHeader::for_code(Chip::Esp32s3, 0x1000);
    assert_eq!(codes(&loading(&good), &bootloader()), [""; 0]);
    let esp_idf = synthetic::app(Chip::Esp32s3, "app", "1.0", 0x8000, 1).unwrap();
    let twice = [&[0; 32], loading(&good).get(32..0x1000).unwrap()].concat();
    let entry = LoadHeader { entry_addr: 0x4200_0000, ..good };
    let iram = LoadSegment { len_bytes: 0x7_0000, ..good.iram };
    let over = LoadSegment { dest_addr: 0x403b_9000, len_bytes: 0x1001, ..good.iram };
    let lp_iram = LoadSegment { dest_addr: 0x5000_0000, offset_bytes: 0x80, len_bytes: 16 };
    for (name, app) in [
        ("an ESP-IDF app", signed(&esp_idf)),
        ("padded twice", signed(&twice)),
        ("entry in flash", loading(&entry)),
        ("to the end of RAM", loading(&LoadHeader { iram, ..good })),
        ("of a C3", loading(&LoadHeader::for_code(Chip::Esp32c3, 0x1000))),
        ("of an ESP32", loading(&LoadHeader::for_code(Chip::Esp32, 0x1000))),
        (
            "over the bootloader",
            loading(&LoadHeader { iram: over, entry_addr: 0x403b_9000, ..good }),
        ),
        ("RTC memory of another chip", loading(&LoadHeader { lp_iram, ..good })),
    ] {
        assert_eq!(codes(&app, &bootloader()), ["load-header"], "{name}");
    }
}

/// An application whose code is not right behind its load header, and that has no function at its
/// entry, may have been linked for any header.
#[test]
fn a_header_size_that_nothing_shows_is_assumed() {
    let good = LoadHeader::for_code(Chip::Esp32s3, 0x1000);
    let iram = LoadSegment { offset_bytes: 0x400, ..good.iram };
    for (header, wanted) in [(good, 0), (LoadHeader { iram, ..good }, 1)] {
        let lab = ExampleDir::new();
        lab.write("app_upd.bin", &loading(&header));
        lab.write("mcuboot.bin", &bootloader());
        let migration = lab.load(EXAMPLE).unwrap();
        let found = facts::assumed(&migration).unwrap();
        let report = crate::plan::report(&migration, &found, None);
        assert_eq!(report.reasons, []);
        let assumed = report.assumed.iter().filter(|assumed| assumed.key == "app.file");
        assert_eq!(assumed.count(), wanted);
    }
}

#[test]
fn bootloaders_that_this_board_does_not_start() {
    let quad = ImageBuilder::new(Chip::Esp32s3)
        .flash_size(FlashSize::Mb4)
        .flash_mode(FlashMode::Qio)
        .entry_addr(0x403b_a000)
        .segment(0x403b_a000, &[0x13; 0x1000])
        .build()
        .unwrap();
    let app = app(Padding::Confirmed, None);
    assert_eq!(codes(&app, &quad), ["flash-mode"]);
    // An unknown flash size counts as 2 MB.
    let mut unsized_ = bootloader();
    unsized_[3] |= 0xf0;
    image::update_checksums(&mut unsized_).unwrap();
    assert_eq!(codes(&app, &unsized_), ["map-behind-flash"]);
}

#[test]
fn bootloaders_that_no_rom_starts() {
    let app = app(Padding::Confirmed, None);
    let code = (0x403b_a000, 0x1000);
    let good = || ImageBuilder::new(Chip::Esp32s3).flash_size(FlashSize::Mb4).entry_addr(code.0);
    let with =
        |image: ImageBuilder, (addr, len): (u32, usize)| image.segment(addr, &vec![0x13; len]);
    let made = |image: ImageBuilder| codes(&app, &image.build().unwrap());
    assert_eq!(made(with(good(), code)), [""; 0]);
    for entry_addr in [0, 0x403b_b000, 0x4200_0000, u32::MAX] {
        let image = with(good().entry_addr(entry_addr), code);
        assert_eq!(made(image), ["rom-refuses"], "entry {entry_addr:#x}");
    }
    for segment in [
        (0, 0x10),
        (0x4200_0000, 0x10),
        (0x3fce_f000, 0x10),
        (0x3fce_b000, 0x710),
        (code.0, 0x10),
        (0x3fcc_a000, 0x10),
        (0x3fcf_fff0, 0x20),
    ] {
        let image = with(with(good(), code), segment);
        assert_eq!(made(image), ["rom-refuses"], "segment at {:#x}", segment.0);
    }
    for (at, number) in [(2, 6), (2, 0xff), (3, 0x23)] {
        let mut image = with(good(), code).build().unwrap();
        image[at] = number;
        image::update_checksums(&mut image).unwrap();
        assert_eq!(codes(&app, &image), ["rom-refuses"], "{number:#x} at {at}");
    }
}

#[test]
fn files_whose_end_no_device_accepts() {
    let good = app(Padding::Confirmed, None);
    let len = good.len();
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut file = good.clone();
        change(&mut file);
        codes(&file, &bootloader())
    };
    assert_eq!(changed(&|file| file[len - 32] = 1), ["bad-trailer"], "copy_done set");
    assert_eq!(changed(&|file| file[len - 0x1800] = 0), ["bad-trailer"], "old status");
    assert_eq!(changed(&|file| file[0x4000..len - 0x1830].fill(0)), ["padding"], "-R 0");
}

#[test]
fn what_is_wrong_with_a_file_needs_no_device() {
    let lab = ExampleDir::new();
    assert_eq!(judged_alone(&lab.load(EXAMPLE).unwrap()), []);
    lab.write("app_upd.bin", &signed(&[0x13; 4000]));
    let reasons = judged_alone(&lab.load(EXAMPLE).unwrap());
    let reason = reasons.first().unwrap();
    assert_eq!(reason.code, "load-header");
    assert!(reason.message.contains("app would not start"), "{}", reason.message);
}
