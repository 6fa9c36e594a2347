use std::ops::Range;

use carrier_format::{RECORD_LEN_BYTES, find};
use device_sim::{
    AppExit, Board, Device, EspIdfConfig, FlashBuilder, LifeOutcome, Machine, McubootConfig,
    RunningApp, TargetAct, synthetic,
};
use esp_idf_format::Chip;
use esp_idf_format::bootloader_desc::BootloaderDescription;
use esp_idf_format::image::{self, FlashMode, FlashSize, RomFault};
use esp_idf_format::otadata::{OtaEntry, OtaState};
use esp_idf_format::partition::Partition;
use flash_region::{Region, is_blank};
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::trailer::magic_bytes;

use super::*;

const CHIPS: [Chip; 3] = [Chip::Esp32c3, Chip::Esp32c6, Chip::Esp32h2];
const OTADATA: FlashAddr = FlashAddr(0xd000);

fn mcuboot(chip: Chip) -> Vec<u8> {
    let config = McubootConfig::example();
    synthetic::mcuboot(chip, FlashSize::Mb4, 20_000, 7, &config).unwrap()
}

/// An image like a loader's: its record between bytes of code.
fn loader(chip: Chip) -> Vec<u8> {
    let memory = carrier_format::LoaderMemory::of(chip).unwrap();
    let record = LoaderRecord::blank(chip.image_chip_id()).to_bytes();
    let code = [vec![0x13; 1000], record.to_vec(), vec![0x13; 400]].concat();
    let builder = ImageBuilder::new(chip).entry_addr(memory.load_addr);
    builder.segment(memory.load_addr, &code).build().unwrap()
}

fn parts(chip: Chip) -> (LoaderImage, TargetBootloader) {
    let bootloader = TargetBootloader::new(mcuboot(chip), chip).unwrap();
    (LoaderImage::new(&loader(chip), chip).unwrap(), bootloader)
}

fn on_trial() -> CarrierOptions {
    let trial = TrialOptions { starts: 3, watchdog_s: 120 };
    CarrierOptions { otadata: Some(OTADATA), trial: Some(trial), secure_version: 4 }
}

fn range(start: u32, len_bytes: u32) -> Range<usize> {
    start as usize..(start + len_bytes) as usize
}

#[test]
fn a_carrier_is_an_app_with_two_whole_copies_behind_it() {
    for chip in CHIPS {
        let (loader, bootloader) = parts(chip);
        let file = carrier(&loader, &bootloader, on_trial()).unwrap();
        let info = image::verify(&file).unwrap();
        assert!(info.total_len_bytes <= IMAGE_MAX_BYTES);
        assert_eq!(info.app_desc.unwrap().secure_version, 4);
        assert_eq!(info.app_desc.unwrap().mmu_page_size_log2, 16);
        let (_, record) = find(&file[..info.total_len_bytes as usize]).unwrap();
        assert_eq!((record.place, record.otadata), (Some(Place::Carrier), Some(OTADATA)));
        for copy in record.copies {
            let copy = &file[range(copy.unwrap(), record.copy_len_bytes)];
            assert_eq!(copy, mcuboot(chip), "{chip}");
        }
        assert!(is_blank(&file[range(TRIAL_OFFSET_BYTES, 16)]), "the trial word is not erased");
    }
}

/// The rules of ESP-IDF's bootloader: a mapped segment's address has the same offset in its page as
/// its data has in flash, and on chips with one window there are exactly two.
#[test]
fn mapped_segments_are_where_the_bootloader_can_map_them() {
    for chip in CHIPS {
        let (loader, bootloader) = parts(chip);
        let file = carrier(&loader, &bootloader, CarrierOptions::default()).unwrap();
        let segments: Vec<_> = image::segments(&file).unwrap().map(Result::unwrap).collect();
        let mapped = |addr: u32| (0x3c00_0000..0x3c80_0000).contains(&addr) || addr >> 24 == 0x42;
        let mapped: Vec<_> = segments.iter().filter(|s| mapped(s.header.load_addr)).collect();
        assert_eq!(mapped.len(), 2, "{chip}");
        for segment in &mapped {
            assert_eq!(segment.header.load_addr % 0x1_0000, segment.data_offset_bytes, "{chip}");
        }
        let pages: Vec<_> = mapped.iter().map(|s| s.header.load_addr >> 16 & 0x7f).collect();
        assert_eq!(pages, [0, 1], "each its own entry of the cache's table, the first one first");
    }
}

#[test]
fn a_trial_reads_the_confirmation_where_mcuboot_writes_it() {
    let (loader, bootloader) = parts(Chip::Esp32c3);
    let file = carrier(&loader, &bootloader, on_trial()).unwrap();
    let trial = find(&file).unwrap().1.trial.unwrap();
    // bootutil_area.c: image_ok is one alignment before the magic, which ends the slot.
    assert_eq!(trial.image_ok, FlashAddr(0x11_0000 - 16 - 8));
    assert_eq!(trial.magic_end, FlashAddr(0x11_0000 - 4));
    assert_eq!(trial.magic.to_le_bytes(), magic_bytes(8)[12..]);
    assert_eq!((trial.starts, trial.watchdog_ms), (3, 120_000));
}

#[test]
fn a_carrier_of_a_carriers_loader_is_the_same() {
    let (loader, bootloader) = parts(Chip::Esp32c6);
    let stage = first_stage(&loader, &bootloader, FlashAddr(0x36_0000)).unwrap();
    let again = LoaderImage::new(&stage, Chip::Esp32c6).unwrap();
    let of = |loader| carrier(loader, &bootloader, on_trial()).unwrap();
    assert_eq!(of(&again), of(&loader));
}

#[test]
fn a_first_stage_has_its_first_copy_behind_it() {
    for chip in CHIPS {
        let (loader, bootloader) = parts(chip);
        let second = FlashAddr(0x36_0000);
        let file = first_stage(&loader, &bootloader, second).unwrap();
        let info = image::verify(&file).unwrap();
        assert!(info.total_len_bytes <= SECTOR_BYTES);
        assert_eq!(file[SECTOR_BYTES as usize..], mcuboot(chip));
        let record = find(&file).unwrap().1;
        assert_eq!(record.copies, [Some(SECTOR_BYTES), Some(second.get())]);
        for (second, file) in [(0x7000, "inside"), (0x36_0800, "between sectors")] {
            let made = first_stage(&loader, &bootloader, FlashAddr(second));
            assert!(matches!(made, Err(CarrierError::SecondCopy { .. })), "{file}");
        }
    }
}

#[test]
fn flash_pins_and_revisions_are_the_bootloaders() {
    let mut file = mcuboot(Chip::Esp32c3);
    file[2] = FlashMode::Qio.raw();
    file[3] = 0x3f;
    file[9] = 0x12;
    file[14] = 3;
    update_checksums(&mut file).unwrap();
    let bootloader = TargetBootloader::new(file.clone(), Chip::Esp32c3).unwrap();
    let loader = LoaderImage::new(&loader(Chip::Esp32c3), Chip::Esp32c3).unwrap();
    for made in [
        carrier(&loader, &bootloader, CarrierOptions::default()).unwrap(),
        first_stage(&loader, &bootloader, FlashAddr(0x36_0000)).unwrap(),
    ] {
        assert_eq!(
            (&made[2..4], &made[8..12], &made[14..19]),
            (&file[2..4], &file[8..12], &file[14..19])
        );
    }
}

/// Each kind of wrong bootloader, and its message.
#[test]
fn bootloaders_that_the_loader_could_not_start_are_refused() {
    let chip = Chip::Esp32c3;
    let error = |file| TargetBootloader::new(file, chip).unwrap_err();
    let good = mcuboot(chip);
    let mut damaged = good.clone();
    damaged[1000] ^= 1;
    assert!(matches!(error(damaged), CarrierError::Image(_)));
    assert!(matches!(error(good[..good.len() - 1].to_vec()), CarrierError::Image(_)));
    assert!(matches!(error(mcuboot(Chip::Esp32c6)), CarrierError::Chip { found: 13, .. }));
    assert!(matches!(error([good.clone(), vec![7]].concat()), CarrierError::Behind { .. }));
    assert!(TargetBootloader::new([good, vec![0xff; 64]].concat(), chip).is_ok());

    let image = |addr, hashed| {
        let builder = ImageBuilder::new(chip).entry_addr(addr).hash_appended(hashed);
        builder.segment(addr, &[0x13; 64]).build().unwrap()
    };
    assert!(matches!(error(image(0x403d_0000, false)), CarrierError::NoDigest));
    assert!(TargetBootloader::new(image(0x403d_0000, true), chip).is_ok());
    // Over the loader, and over memory into which the ROM's stack may grow.
    for addr in [0x4038_1000, 0x403d_d000] {
        assert!(matches!(error(image(addr, true)), CarrierError::Segment { .. }), "{addr:#x}");
    }
    let app = synthetic::app(chip, "old", "1.0", 0x1000, 1).unwrap();
    assert!(matches!(error(app), CarrierError::AnApp));
    let idf_ver = FixedText::new("v5.5").unwrap();
    let date_time = FixedText::EMPTY;
    let description = BootloaderDescription { secure_version: 0, version: 1, idf_ver, date_time };
    let builder = ImageBuilder::new(chip).entry_addr(0x403d_0050);
    let real = builder.bootloader_segment(0x403d_0000, &description, &[0x13; 64]).build().unwrap();
    assert!(matches!(error(real), CarrierError::EspIdf));
    let unsupported = TargetBootloader::new(mcuboot(chip), Chip::Esp32s3).unwrap_err();
    assert!(matches!(unsupported, CarrierError::NoLoader { chip: Chip::Esp32s3 }));
}

/// A bootloader has to be the same in a carrier as in the place that the ROM starts it from.
#[test]
fn bootloaders_that_the_rom_could_not_start_are_refused() {
    let chip = Chip::Esp32c3;
    let fault = |entry_addr, segments: &[u32]| {
        let builder =
            segments.iter().fold(ImageBuilder::new(chip).entry_addr(entry_addr), |image, addr| {
                image.segment(*addr, &[0x13; 64])
            });
        match TargetBootloader::new(builder.build().unwrap(), chip) {
            Ok(_) => None,
            Err(CarrierError::Rom(fault)) => Some(fault),
            Err(error) => panic!("{error}"),
        }
    };
    let code = 0x403d_0000;
    assert_eq!(fault(code, &[code, 0x3fcd_1000]), None);
    // In the cache, in RTC memory, over the ROM's stack.
    for addr in [0x4037_c000, 0x5000_0000] {
        assert!(matches!(fault(code, &[code, addr]), Some(RomFault::NoRam { index: 1, .. })));
    }
    let over = fault(code, &[code, 0x3fcd_e700]);
    assert!(matches!(over, Some(RomFault::OverRom { index: 1, .. })), "{over:?}");
    // The same RAM by the other bus, where the first segment would be overwritten.
    let twice = fault(code, &[code, 0x3fcd_0000]);
    assert!(matches!(twice, Some(RomFault::Overlap { index: 1, .. })), "{twice:?}");
    // Nowhere, and by the bus of data, on which nothing can be executed.
    for entry_addr in [0x403d_1000, 0x3fcd_0000] {
        assert_eq!(fault(entry_addr, &[code]), Some(RomFault::Entry { entry_addr }));
    }
    let entry = fault(0x3fcd_1000, &[code, 0x3fcd_1000]);
    assert_eq!(entry, Some(RomFault::Entry { entry_addr: 0x3fcd_1000 }));
}

#[test]
fn loaders_that_are_none_are_refused() {
    let chip = Chip::Esp32c3;
    let error = |file: &[u8]| LoaderImage::new(file, chip).unwrap_err();
    assert!(matches!(error(&loader(Chip::Esp32c6)), CarrierError::LoaderChip { found: 13, .. }));
    assert!(matches!(error(&mcuboot(chip)), CarrierError::NotALoader));
    assert!(matches!(error(&[0; 100]), CarrierError::LoaderImage(_)));
    let changed = |change: fn(&mut [u8])| {
        let mut file = loader(chip);
        let (at, _) = find(&file).unwrap();
        change(&mut file[at..at + RECORD_LEN_BYTES]);
        update_checksums(&mut file).unwrap();
        error(&file)
    };
    assert!(matches!(changed(|record| record[0] = 0), CarrierError::Record(_)));
    assert!(matches!(changed(|record| record[8] = 2), CarrierError::Record(_)));
    assert!(matches!(changed(|record| record[10] = 13), CarrierError::LoaderChip { .. }));
}

#[test]
fn trials_that_make_no_sense_are_refused() {
    let (loader, bootloader) = parts(Chip::Esp32c3);
    let error = |options| carrier(&loader, &bootloader, options).unwrap_err();
    assert_eq!(error(CarrierOptions { otadata: None, ..on_trial() }), CarrierError::NoWayBack);
    for starts in [0, MAX_STARTS + 1] {
        let trial = Some(TrialOptions { starts, watchdog_s: 0 });
        assert_eq!(
            error(CarrierOptions { trial, ..on_trial() }),
            CarrierError::Starts { found: starts }
        );
    }
    let plain = synthetic::bootloader(Chip::Esp32c3, FlashSize::Mb4, 20_000, 1).unwrap();
    let unknown = TargetBootloader::new(plain, Chip::Esp32c3).unwrap();
    assert_eq!(carrier(&loader, &unknown, on_trial()), Err(CarrierError::NoMap));
}

/// A dump of a device with the example's table.
fn dump(bootloader: &[u8], partitions: &[Partition]) -> Vec<u8> {
    let app = synthetic::app(Chip::Esp32c3, "old", "1.0", 0x1000, 1).unwrap();
    let builder = FlashBuilder::new(Chip::Esp32c3, FlashSize::Mb4).bootloader(bootloader);
    builder.partitions(partitions).app("factory", &app).build().unwrap().to_bytes()
}

#[test]
fn the_old_system_has_to_go_with_mcuboot() {
    let chip = Chip::Esp32c3;
    let (_, bootloader) = parts(chip);
    let partitions = synthetic::example_partitions();
    let old = synthetic::bootloader(chip, FlashSize::Mb4, 20_000, 3).unwrap();
    let system = OldSystem::read(chip, &dump(&old, &partitions)).unwrap();
    assert_eq!(system.otadata(), Ok(OTADATA));
    assert_eq!(system.check_flash_settings(&bootloader), Ok(()));

    // Mode, frequency, size; with 2 MB, the table has to be that small as well.
    for (at, byte) in [(2, FlashMode::Qio.raw()), (3, 0x2f), (3, 0x10)] {
        let mut other = old.clone();
        other[at] = byte;
        update_checksums(&mut other).unwrap();
        let system = OldSystem::read(chip, &dump(&other, &partitions[..4])).unwrap();
        let error = system.check_flash_settings(&bootloader).unwrap_err();
        let CarrierError::FlashSettings { old, .. } = error else { panic!("{error}") };
        assert_eq!(old.to_bytes(), other[2..4]);
    }

    let without: Vec<_> = partitions.into_iter().filter(|p| !p.is_otadata()).collect();
    let system = OldSystem::read(chip, &dump(&old, &without)).unwrap();
    assert_eq!(system.otadata(), Err(CarrierError::NoOtadata));
    assert!(OldSystem::read(chip, &[0xff; 4 << 20]).is_err());
}

/// The simulated device reads these files by itself: it starts them, counts, sees the target's own
/// confirmation, and goes back.
#[test]
fn the_simulated_device_starts_what_is_composed() {
    let (place, second) = (FlashAddr(0x26_0000), FlashAddr(0x36_0000));
    let mut partitions = synthetic::example_partitions();
    partitions[5].region = Region::clamped(place, 0x10_0000);
    for chip in CHIPS {
        let (image, bootloader) = parts(chip);
        let old = synthetic::bootloader(chip, FlashSize::Mb4, 20_000, 3).unwrap();
        let app = synthetic::app(chip, "old", "1.0", 0x1000, 1).unwrap();
        let options = SignOptions::espressif(0x10_0000, SwapKind::Scratch);
        let options = SignOptions { padding: Padding::Confirmed, ..options };
        let mut target = sign(&synthetic::target_payload(chip, 5000, 1), &options).unwrap();
        target[0x10_0000 - 24] = 0xff;
        let board = Board::new(chip)
            .esp_idf(&old, EspIdfConfig::default())
            .unwrap()
            .mcuboot(&mcuboot(chip), McubootConfig::example())
            .unwrap()
            .loader(&loader(chip))
            .unwrap();
        let flash = |at_bootloader: &[u8]| {
            FlashBuilder::new(chip, FlashSize::Mb4)
                .partitions(&partitions)
                .bootloader(at_bootloader)
                .app("ota_0", &app)
                .data(FlashAddr(0x1_0000), &target)
        };
        let entry = |seq| Some(OtaEntry::new(seq, OtaState::Undefined));
        let file = carrier(&image, &bootloader, on_trial()).unwrap();
        let hosted = flash(&old).otadata([entry(1), entry(2)]).data(place, &file).build().unwrap();
        let lives = |act, lives| {
            let mut device = Device::new(board.clone(), hosted.clone()).with_target(&[act]);
            let stay = &mut |_: &RunningApp, _: Machine<'_>| AppExit::Stay;
            let ends = (0..lives).map(|_| match device.live(4, stay, &mut ()).outcome {
                LifeOutcome::TargetRunning(target) => target.start.to_string(),
                other => other.to_string(),
            });
            ends.collect::<Vec<_>>()
        };
        let [one, two, three] = [1, 2, 3].map(|number| format!(", start {number} of 3"));
        let back = "old firmware running: old 1.0 in ota_0".to_owned();
        assert_eq!(lives(TargetAct::Stay, 4), [one.clone(), two, three, back], "{chip}");
        assert_eq!(lives(TargetAct::Confirm, 2), [one, ", confirmed".to_owned()], "{chip}");

        let file = first_stage(&image, &bootloader, second).unwrap();
        let staged = flash(&file).data(second, bootloader.bytes()).build().unwrap();
        let mut device = Device::new(board.clone(), staged);
        let life = device.live(1, &mut |_: &RunningApp, _: Machine<'_>| AppExit::Stay, &mut ());
        assert!(life.outcome.is_target(), "{chip}: {}", life.outcome);
    }
}
