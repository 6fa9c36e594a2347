//! Which copy is started, and how the loader treats damaged files.

use esp_idf_format::image::update_checksums;
use esp_idf_format::partition::Partition;

use super::*;

fn boot(hosted: &Hosted) -> (LifeOutcome, Vec<String>, Device<NorMemory>) {
    let mut device = hosted.device();
    let mut lines = Vec::new();
    let life = device.live(8, &mut stay, &mut lines);
    (life.outcome, printed(&lines), device)
}

/// The console of the emulated chip, and flash untouched.
#[test]
fn a_carrier_starts_the_first_copy() {
    for chip in CHIPS {
        let hosted = Hosted::on(chip, 0);
        let (outcome, lines, device) = boot(&hosted);
        assert!(outcome.is_target(), "{chip}: {outcome}");
        assert_eq!(lines, ["loader: bootloader at 0x261000, copy 1"]);
        assert_eq!(device.supply().ops(), 0);
        assert_eq!(device.memory().first_difference(&hosted.memory), None);
    }
}

#[test]
fn a_damaged_copy_is_skipped() {
    for (damaged, line) in [
        (0x26_1000, "loader: bootloader at 0x268000, copy 2"),
        (0x26_8000, "loader: bootloader at 0x261000, copy 1"),
    ] {
        let (outcome, lines, _) = boot(&Hosted::new(0).damaged(FlashAddr(damaged)));
        assert!(outcome.is_target(), "{outcome}");
        assert_eq!(lines, [line]);
    }
}

/// The same bytes change as on the emulated chip: those of the carrier's entry in otadata.
#[test]
fn without_a_whole_copy_the_old_firmware_comes_back() {
    let hosted = Hosted::new(3).damaged(FlashAddr(0x26_1000)).damaged(FlashAddr(0x26_8000));
    let mut device = hosted.device();
    let mut lines = Vec::new();
    let life = device.live(8, &mut stay, &mut lines);
    assert_eq!(life.outcome.to_string(), "old firmware running: old 1.0 in ota_0");
    assert_eq!(life.boots, 2);
    assert_eq!(printed(&lines), ["loader: no copy is whole, back to the old firmware"]);
    let otadata = Region::clamped(OTADATA, 2 * SECTOR_BYTES);
    let (before, after) = (hosted.memory.bytes(otadata), device.memory().bytes(otadata));
    let changed: Vec<_> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
    assert_eq!(changed, [0x1000, 0x101c, 0x101d, 0x101e, 0x101f]);
}

/// Nothing to go back to and nothing to start: the device resets again and again, which counts as
/// lost.
#[test]
fn without_copies_and_without_a_way_back_the_device_is_lost() {
    let hosted = Hosted::new(0)
        .damaged(FlashAddr(0x26_1000))
        .damaged(FlashAddr(0x26_8000))
        .changed(SECONDARY.start(), &[0xff; 16])
        .changed(OTADATA, &[0xff; 2 * SECTOR_BYTES as usize]);
    let (outcome, lines, _) = boot(&hosted);
    assert_eq!(outcome, LifeOutcome::BootLoop);
    assert!(lines.iter().all(|line| line.starts_with("loader: no copy is whole")), "{lines:?}");
}

/// A right checksum is not enough for a copy to be whole, and a copy for another chip is not.
#[test]
fn the_sha_256_and_the_chip_decide() {
    let file = mcuboot(CHIP);
    let digest_off = {
        let mut file = file.clone();
        let last = file.len() - 1;
        file[last] ^= 1;
        file
    };
    let without_digest = {
        let mut file = file.clone();
        file[23] = 0;
        file
    };
    let for_another = {
        let mut file = file;
        file[12] = 13;
        update_checksums(&mut file).unwrap();
        file
    };
    for first in [digest_off, without_digest, for_another] {
        let hosted = Hosted::new(0).changed(FlashAddr(0x26_1000), &first);
        let (outcome, lines, _) = boot(&hosted);
        assert!(outcome.is_target(), "{outcome}");
        assert_eq!(lines, ["loader: bootloader at 0x268000, copy 2"]);
    }
}

/// Segments over the loader, or over the stack: the loader treats such an image as damaged.
#[test]
fn segments_over_the_loader_or_the_stack_are_not_loaded() {
    for chip in CHIPS {
        let memory = LoaderMemory::of(chip).unwrap();
        let image = |addr: u32, len: usize| {
            let builder = ImageBuilder::new(chip).flash_size(FlashSize::Mb4).entry_addr(addr);
            builder.segment(addr, &vec![0x13; len]).build().unwrap()
        };
        let load = memory.load_addr;
        let end = memory.segments.end_addr + (load - memory.data_addr(load));
        for (image, is_taken) in [
            (image(load + 0x2000, 64), true),
            (image(load + 0x1ffc, 64), false),
            (image(load, 64), false),
            (image(end - 64, 64), true),
            (image(end - 64, 68), false),
        ] {
            let hosted = Hosted::on(chip, 0);
            let board = hosted.board().mcuboot(&image, McubootConfig::example()).unwrap();
            let memory = hosted.changed(CARRIER, &carrier(chip, &image, None)).memory;
            let mut lines = Vec::new();
            let life = Device::new(board, memory).live(4, &mut stay, &mut lines);
            assert_eq!(life.outcome.is_target(), is_taken, "{chip}: {}", life.outcome);
            let line = if is_taken { "bootloader at 0x261000, copy 1" } else { "no copy is whole" };
            assert!(printed(&lines)[0].starts_with(&format!("loader: {line}")), "{chip}");
        }
    }
}

/// Nothing can be executed at an address of the data bus.
#[test]
fn a_bootloader_that_cannot_run_where_it_is_loaded_does_not_run() {
    let addr = 0x3fcd_0000;
    let builder = ImageBuilder::new(CHIP).flash_size(FlashSize::Mb4).entry_addr(addr);
    let image = builder.segment(addr, &[0x13; 64]).build().unwrap();
    let hosted = Hosted::new(0).changed(CARRIER, &carrier(CHIP, &image, None));
    let board = hosted.board().mcuboot(&image, McubootConfig::example()).unwrap();
    let outcome = Device::new(board, hosted.memory).live(4, &mut stay, &mut ()).outcome;
    let why = "bricked: loader: jumps to 0x3fcd0000, where nothing was loaded that can be executed";
    assert_eq!(outcome.to_string(), why);
}

/// If it is unknown what would run, that counts as nothing.
#[test]
fn a_loader_and_a_bootloader_have_to_be_known() {
    let hosted = Hosted::new(0);
    let config = EspIdfConfig::default();
    let board = Board::new(CHIP).esp_idf(&old_bootloader(CHIP), config).unwrap();
    let board = board.mcuboot(&mcuboot(CHIP), McubootConfig::example()).unwrap();
    let life = Device::new(board, hosted.memory.clone()).live(4, &mut stay, &mut ());
    assert!(
        matches!(
            life.outcome,
            LifeOutcome::Bricked(BootFailure::Loader(LoaderFailure::UnknownLoader { .. }))
        ),
        "{}",
        life.outcome
    );
    let board = Board::new(CHIP).esp_idf(&old_bootloader(CHIP), config).unwrap();
    let board = board.loader(&loader(CHIP)).unwrap();
    let life = Device::new(board, hosted.memory).live(4, &mut stay, &mut ());
    let why = life.outcome.to_string();
    assert!(why.starts_with("bricked: loader: unknown MCUboot, its SHA-256 begins with"), "{why}");
    let no_loader = Board::new(CHIP).loader(&mcuboot(CHIP));
    assert_eq!(no_loader.unwrap_err(), UnknownLoader::NoRecord);
}

#[test]
fn a_first_stage_starts_the_first_whole_copy() {
    for chip in CHIPS {
        let place = chip.bootloader_addr();
        let first_copy = place.saturating_add(COPIES_OFFSET_BYTES);
        let hosted = Hosted::on(chip, 0);
        let builder = base(chip).bootloader(&first_stage(chip));
        let memory = builder.data(SECOND_COPY, &mcuboot(chip)).build().unwrap();
        let hosted = Hosted { memory, ..hosted };
        let whole = boot(&hosted);
        let line = format!("loader: bootloader at {first_copy}, copy 1");
        assert_eq!((whole.0.is_target(), whole.1), (true, vec![line.clone()]), "{chip}");
        let second = boot(&hosted.clone().damaged(first_copy));
        let line_2 = "loader: bootloader at 0x360000, copy 2".to_owned();
        assert_eq!((second.0.is_target(), second.1), (true, vec![line_2]));
        let first = boot(&hosted.clone().damaged(SECOND_COPY));
        assert_eq!((first.0.is_target(), first.1), (true, vec![line]));
        let none = boot(&hosted.clone().damaged(first_copy).damaged(SECOND_COPY));
        assert_eq!(none.0, LifeOutcome::BootLoop);
        assert_eq!(hosted.device().bootloader(), Ok(BootloaderKind::FirstStage));
    }
}

/// MCUboot takes the size of the flash from the header at the bootloader's place, which stays the
/// old one's.
#[test]
fn the_old_header_decides_how_much_flash_mcuboot_sees() {
    for (byte, runs) in [(0x20, true), (0x10, false)] {
        let mut old = old_bootloader(CHIP);
        old[3] = byte;
        update_checksums(&mut old).unwrap();
        let carrier_at = FlashAddr(0x1c_0000);
        let mut partitions: Vec<Partition> = synthetic::example_partitions();
        partitions.truncate(5);
        partitions[3].region = region(0x1_0000, 0x1_0000);
        partitions[4].region = region(carrier_at.get(), 0x4_0000);
        // The slots reach past 2 MB, the table does not.
        let map = McubootConfig {
            primary: region(0x2_0000, 0x10_0000),
            secondary: region(0x20_0000, 0x10_0000),
            scratch: Some(region(0x30_0000, 0x4_0000)),
            ..McubootConfig::example()
        };
        let memory = FlashBuilder::new(CHIP, FlashSize::Mb4)
            .partitions(&partitions)
            .bootloader(&old)
            .select_ota(0, OtaState::Undefined)
            .data(carrier_at, &carrier(CHIP, &mcuboot(CHIP), None))
            .data(map.primary.start(), &target(CHIP, "1.0.0", 1))
            .build()
            .unwrap();
        let board = Board::new(CHIP).esp_idf(&old, EspIdfConfig::default()).unwrap();
        let board = board.mcuboot(&mcuboot(CHIP), map).unwrap().loader(&loader(CHIP)).unwrap();
        let outcome = Device::new(board, memory).live(2, &mut stay, &mut ()).outcome;
        assert_eq!(outcome.is_target(), runs, "{outcome}");
    }
}
