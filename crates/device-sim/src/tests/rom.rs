//! What the mask ROM loads.

use esp_idf_format::image::{FlashMode, ImageBuilder, ImageError};
use nor_sim::{EraseUnit, NorDevice};

use super::*;
use crate::LoadFailure;

const BOOTLOADER: FlashAddr = CHIP.bootloader_addr();

/// The flash with `change` made to the bootloader's bytes.
fn with_bootloader(change: impl FnOnce(&mut Vec<u8>)) -> NorMemory {
    let mut image = old_bootloader();
    change(&mut image);
    let mut memory = flash().build().unwrap();
    memory.load(BOOTLOADER, &image);
    memory
}

fn rom_failure(device: &mut Device<NorMemory>) -> RomFailure {
    match failure(device) {
        BootFailure::Rom(why) => why,
        other => panic!("{other}"),
    }
}

#[test]
fn an_erased_bootloader_bricks_the_device() {
    let mut memory = flash().build().unwrap();
    memory.erase(EraseUnit::Sector4K, BOOTLOADER).unwrap();
    let why = rom_failure(&mut device(memory));
    assert_eq!(why, RomFailure::Image(ImageError::BadMagic { offset_bytes: 0, found: 0xff }));
}

#[test]
fn every_chip_has_its_bootloader_where_its_rom_looks() {
    for chip in Chip::ALL {
        let bootloader = synthetic::bootloader(chip, FlashSize::Mb4, 20_000, 1).unwrap();
        let memory = FlashBuilder::new(chip, FlashSize::Mb4)
            .partitions(&synthetic::example_partitions())
            .bootloader(&bootloader)
            .app("factory", &synthetic::app(chip, "x", "1", 0x1000, 1).unwrap())
            .build()
            .unwrap();
        let board = Board::new(chip).esp_idf(&bootloader, EspIdfConfig::default()).unwrap();
        assert_eq!(name_of_running(&mut Device::new(board, memory)), "x", "{chip}");
    }
}

#[test]
fn a_flipped_bit_in_a_segment_fails_the_checksum() {
    let memory = with_bootloader(|image| image[1000] ^= 0x10);
    let why = rom_failure(&mut device(memory));
    assert!(matches!(why, RomFailure::Image(ImageError::Checksum { .. })), "{why}");
}

#[test]
fn a_wrong_digest_is_printed_and_the_bootloader_is_another() {
    let memory = with_bootloader(|image| *image.last_mut().unwrap() ^= 1);
    let mut lines = Vec::new();
    let mut damaged = device(memory.clone());
    let life = damaged.live(4, &mut stay, &mut lines);
    assert!(matches!(
        life.outcome,
        LifeOutcome::Bricked(BootFailure::Rom(RomFailure::UnknownBootloader { .. }))
    ));
    assert!(lines.iter().any(|line| matches!(line.event, DeviceEvent::RomDigestMismatch(_))));

    // A board with `any_esp_idf` treats it as ESP-IDF's.
    let board = Board::new(CHIP).any_esp_idf(EspIdfConfig::default());
    assert_eq!(name_of_running(&mut Device::new(board, memory)), "factory");
}

/// Two bits flipped in the same column leave the checksum right.
#[test]
fn what_the_checksum_misses_is_an_unknown_bootloader() {
    let memory = with_bootloader(|image| {
        image[1000] ^= 0x10;
        image[2000] ^= 0x10;
    });
    let why = rom_failure(&mut device(memory));
    assert!(matches!(why, RomFailure::UnknownBootloader { .. }), "{why}");
}

#[test]
fn a_bootloader_for_another_chip_does_not_run() {
    let other = synthetic::bootloader(Chip::Esp32c3, FlashSize::Mb4, 20_000, 1).unwrap();
    let why = rom_failure(&mut device(with_bootloader(|image| *image = other)));
    assert_eq!(why.to_string(), "image for esp32c3 on an esp32s3");
}

#[test]
fn a_flash_mode_that_the_board_is_not_wired_for_does_not_run() {
    let qio = ImageBuilder::new(CHIP)
        .flash_mode(FlashMode::Qio)
        .entry_addr(0x4038_0000)
        .segment(0x4038_0000, &[7; 4000])
        .build()
        .unwrap();
    let memory = with_bootloader(|image| *image = qio.clone());
    let board = || Board::new(CHIP).esp_idf(&qio, EspIdfConfig::default()).unwrap();
    assert_eq!(name_of_running(&mut Device::new(board(), memory.clone())), "factory");
    let two_wires = board().flash_modes(&[FlashMode::Dio, FlashMode::Dout]);
    let why = rom_failure(&mut Device::new(two_wires, memory));
    assert_eq!(why, RomFailure::FlashMode { mode: Some(FlashMode::Qio) });
}

#[test]
fn burnt_efuses_require_a_prepared_bootloader() {
    for efuses in [
        Efuses { secure_boot: true, ..Efuses::default() },
        Efuses { flash_encryption: true, ..Efuses::default() },
    ] {
        let memory = flash().build().unwrap();
        let locked = board(false).efuses(efuses);
        let prepared = locked.clone().prepared(&old_bootloader()).unwrap();
        assert_eq!(name_of_running(&mut Device::new(prepared, memory.clone())), "factory");
        assert_eq!(rom_failure(&mut Device::new(locked, memory)), RomFailure::NotPrepared);
    }
}

/// Overwrites the bootloader without any precaution, and cuts power everywhere.
#[test]
fn a_cut_while_the_bootloader_is_overwritten_never_goes_unnoticed() {
    let mut recorded = nor_sim::Recorded::new(flash().build().unwrap());
    let image = new_bootloader();
    for sector in region(0, image.len() as u32).chunks(0x1000) {
        recorded.erase(EraseUnit::Sector4K, sector.start()).unwrap();
    }
    for (page, bytes) in region(0, image.len() as u32).chunks(256).zip(image.chunks(256)) {
        recorded.program_page(page.start(), bytes).unwrap();
    }
    let recording = recorded.take();
    let last = recording.len() as u64 - 1;
    let (mut old, mut new, mut dead) = (0, 0, 0);
    for cut in (0..=last).flat_map(cuts_at) {
        let memory = recording.cut(cut).unwrap();
        let bytes = memory.bytes(region(0, image.len() as u32));
        match device(memory).live(3, &mut stay, &mut ()).outcome {
            LifeOutcome::OldFirmwareRunning(_) => {
                old += 1;
                assert!(bytes.starts_with(&old_bootloader()), "{cut:?}");
            }
            // The new one is there, and finds no target, because none was written.
            LifeOutcome::Bricked(BootFailure::Mcuboot(_)) => {
                new += 1;
                assert_eq!(bytes, image, "{cut:?}");
            }
            LifeOutcome::Bricked(BootFailure::Rom(_)) => dead += 1,
            other => panic!("{cut:?}: {other}"),
        }
    }
    assert!(old >= 1 && new >= 1 && dead > 1000, "{old} {new} {dead}");
}

#[test]
fn a_bootloader_that_destroys_what_loads_it_does_not_run() {
    let loads = |entry: u32, segments: &[(u32, usize)]| {
        let image = segments
            .iter()
            .fold(ImageBuilder::new(Chip::Esp32c3).entry_addr(entry), |image, (addr, len)| {
                image.segment(*addr, &vec![7; *len])
            });
        crate::ram::load(Chip::Esp32c3, &image.build().unwrap(), None)
    };
    let good = (0x403c_7000, 0x400);
    assert_eq!(loads(0x403c_7000, &[good, (0x3fcd_5400, 0x1000)]), Ok(()));
    let entry = loads(0, &[good]);
    assert_eq!(entry, Err(LoadFailure::Entry { addr: 0 }));
    let data = loads(0x3fcd_5400, &[good, (0x3fcd_5400, 0x1000)]);
    assert_eq!(data, Err(LoadFailure::Entry { addr: 0x3fcd_5400 }));
    let nowhere = loads(0x403c_7000, &[good, (0x4200_0000, 4)]);
    assert_eq!(nowhere, Err(LoadFailure::NoMemory { addr: 0x4200_0000 }));
    let rom = loads(0x403c_7000, &[good, (0x3fcd_d000, 0x1400)]);
    assert_eq!(rom, Err(LoadFailure::Overwritten { addr: 0x3fcd_e160 }));
    let itself = loads(0x403c_7000, &[good, (0x3fcc_7000, 4)]);
    assert_eq!(itself, Err(LoadFailure::Overwritten { addr: 0x3fcc_7000 }));
    // A board that has it says so when it boots.
    let wrong = ImageBuilder::new(CHIP).segment(0x4038_0000, &[7; 4000]).build().unwrap();
    let board = Board::new(CHIP).esp_idf(&wrong, EspIdfConfig::default()).unwrap();
    let memory = with_bootloader(|image| *image = wrong.clone());
    let why = rom_failure(&mut Device::new(board, memory));
    assert_eq!(why, RomFailure::Load(LoadFailure::Entry { addr: 0 }));
}
