//! A device with made-up images, in every situation that decides whether it boots.

mod chain;
mod esp_idf;
mod life;
mod mcuboot;
mod rom;

use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use flash_region::{FlashAddr, Region};
use nor_sim::{Cut, NorMemory, Phase};

use crate::*;

const CHIP: Chip = Chip::Esp32s3;

fn region(start: u32, len_bytes: u32) -> Region {
    Region::clamped(FlashAddr(start), len_bytes)
}

fn old_bootloader() -> Vec<u8> {
    synthetic::bootloader(CHIP, FlashSize::Mb4, 20_000, 1).unwrap()
}

fn new_bootloader() -> Vec<u8> {
    synthetic::bootloader(CHIP, FlashSize::Mb4, 27_000, 2).unwrap()
}

/// An app that is named after its partition.
fn app(name: &str) -> Vec<u8> {
    synthetic::app(CHIP, name, "1.0", 0x6000, name.len() as u64).unwrap()
}

/// The example's flash with noise in all slots and an app in `factory`.
fn flash() -> FlashBuilder {
    FlashBuilder::new(CHIP, FlashSize::Mb4)
        .partitions(&synthetic::example_partitions())
        .bootloader(&old_bootloader())
        .old_data(OldData::Noise { seed: 3 })
        .app("factory", &app("factory"))
}

fn board(rollback: bool) -> Board {
    Board::new(CHIP)
        .esp_idf(&old_bootloader(), EspIdfConfig { rollback, ..EspIdfConfig::default() })
        .unwrap()
        .mcuboot(&new_bootloader(), McubootConfig::example())
        .unwrap()
}

fn device(memory: NorMemory) -> Device<NorMemory> {
    Device::new(board(false), memory)
}

/// An app that has nothing to do.
fn stay(_: &RunningApp, _: Machine<'_>) -> AppExit {
    AppExit::Stay
}

/// The name of the app that keeps running after the device was switched on.
fn name_of_running(device: &mut Device<NorMemory>) -> String {
    match device.live(4, &mut stay, &mut ()).outcome {
        LifeOutcome::OldFirmwareRunning(app) => app.project_name(),
        other => panic!("{other}"),
    }
}

fn failure(device: &mut Device<NorMemory>) -> BootFailure {
    match device.live(4, &mut stay, &mut ()).outcome {
        LifeOutcome::Bricked(why) => why,
        other => panic!("{other}"),
    }
}

/// Before, in the middle of (torn in different ways) and after operation `op`.
fn cuts_at(op: u64) -> impl Iterator<Item = Cut> {
    let torn = (0..12).map(move |seed| Phase::Middle { seed: op * 100 + seed });
    [Phase::Before, Phase::After].into_iter().chain(torn).map(move |phase| Cut { op, phase })
}
