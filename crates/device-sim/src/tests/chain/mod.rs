//! A device on which the old bootloader starts a carrier, or the ROM a first stage.
//!
//! Addresses, lengths and console lines are those that the emulated chip has in
//! `conformance/tests/emulator/carrier_to_banner.rs`.

mod behaviours;
mod cuts;
mod swap;
mod whole;

use carrier_format::{
    COPIES_OFFSET_BYTES, LoaderMemory, LoaderRecord, Place, TRIAL_OFFSET_BYTES, Trial,
};
use esp_idf_format::app_desc::AppDescription;
use esp_idf_format::image::{FlashSize, ImageBuilder};
use esp_idf_format::otadata::{OtaData, OtaEntry, OtaState};
use esp_idf_format::{Chip, FixedText};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::trailer::magic_bytes;
use nor_sim::{Cut, EraseUnit, NorDevice, NorMemory};

use super::{cuts_at, region, stay};
use crate::*;

const CHIP: Chip = Chip::Esp32c3;
const CHIPS: [Chip; 3] = [Chip::Esp32c3, Chip::Esp32c6, Chip::Esp32h2];
const PRIMARY: Region = Region::clamped(FlashAddr(0x1_0000), 0x10_0000);
const SECONDARY: Region = Region::clamped(FlashAddr(0x11_0000), 0x10_0000);
const OTADATA: FlashAddr = FlashAddr(0xd000);
const CARRIER: FlashAddr = FlashAddr(0x26_0000);
const SECOND_COPY: FlashAddr = FlashAddr(0x36_0000);
const IMAGE_OK: FlashAddr = FlashAddr(0x11_0000 - 16 - 8);
const TRIAL_WORD: Region = Region::clamped(FlashAddr(0x26_0000 + TRIAL_OFFSET_BYTES), 4);

/// A device that has a carrier in ota_1, the old firmware in ota_0, and the target in the primary
/// slot, where the factory app was. Otadata selects the carrier.
#[derive(Clone)]
struct Hosted {
    chip: Chip,
    rollback: bool,
    memory: NorMemory,
}

impl Hosted {
    /// With a trial of that many starts; without a trial if it is 0.
    fn new(starts: u32) -> Self {
        Self::on(CHIP, starts)
    }

    fn on(chip: Chip, starts: u32) -> Self {
        Self::with(chip, starts, 120_000)
    }

    fn with(chip: Chip, starts: u32, watchdog_ms: u32) -> Self {
        let trial = (starts > 0).then(|| trial(starts, watchdog_ms));
        let carrier = carrier(chip, &mcuboot(chip), trial);
        let entry = |seq| Some(OtaEntry::new(seq, OtaState::Undefined));
        let memory = base(chip)
            .bootloader(&old_bootloader(chip))
            .otadata([entry(1), entry(2)])
            .data(CARRIER, &carrier)
            .build()
            .unwrap();
        Self { chip, rollback: false, memory }
    }

    /// The old firmware runs, and has not selected the carrier yet.
    fn before_the_switch(mut self, first_entry: usize) -> Self {
        for sector in [0, SECTOR_BYTES] {
            self.memory.load(OTADATA.saturating_add(sector), &[0xff; SECTOR_BYTES as usize]);
        }
        let entry = OtaEntry::new(1, OtaState::Valid).to_bytes();
        let sector = if first_entry == 0 { 0 } else { SECTOR_BYTES };
        self.memory.load(OTADATA.saturating_add(sector), &entry);
        self
    }

    fn with_rollback(mut self, rollback: bool) -> Self {
        self.rollback = rollback;
        self
    }

    fn changed(mut self, addr: FlashAddr, bytes: &[u8]) -> Self {
        self.memory.load(addr, bytes);
        self
    }

    /// Flips bits in the middle of a copy.
    fn damaged(mut self, copy: FlashAddr) -> Self {
        let at = copy.saturating_add(0x1234);
        let [byte] = self.memory.bytes(Region::clamped(at, 1))[..] else { panic!() };
        self.memory.load(at, &[byte ^ 0x10]);
        self
    }

    fn board(&self) -> Board {
        let config = EspIdfConfig { rollback: self.rollback, ..EspIdfConfig::default() };
        Board::new(self.chip)
            .esp_idf(&old_bootloader(self.chip), config)
            .unwrap()
            .mcuboot(&mcuboot(self.chip), McubootConfig::example())
            .unwrap()
            .loader(&loader(self.chip))
            .unwrap()
    }

    fn device(&self) -> Device<NorMemory> {
        Device::new(self.board(), self.memory.clone())
    }
}

/// The flash without the bootloader and the app that it starts.
fn base(chip: Chip) -> FlashBuilder {
    let mut partitions = synthetic::example_partitions();
    let last = partitions.last_mut().unwrap();
    last.region = Region::clamped(CARRIER, last.region.len_bytes());
    FlashBuilder::new(chip, FlashSize::Mb4)
        .partitions(&partitions)
        .data(PRIMARY.start(), &target(chip, "1.0.0", 0xff))
        .app("ota_0", &synthetic::app(chip, "old", "1.0", 0x3000, 3).unwrap())
}

fn old_bootloader(chip: Chip) -> Vec<u8> {
    synthetic::bootloader(chip, FlashSize::Mb4, 10_000, 1).unwrap()
}

/// As long as the real one for ESP32-C3 that the emulated chip has.
fn mcuboot(chip: Chip) -> Vec<u8> {
    synthetic::bootloader(chip, FlashSize::Mb4, 26_400, 2).unwrap()
}

/// An application for a slot, whose trailer has that `image_ok`.
fn target(chip: Chip, version: &str, image_ok: u8) -> Vec<u8> {
    let mut options = SignOptions::espressif(PRIMARY.len_bytes(), SwapKind::Scratch);
    options.version = version.parse().unwrap();
    options.padding = Padding::Confirmed;
    let mut image = sign(&synthetic::target_payload(chip, 6_000, 9), &options).unwrap();
    image[IMAGE_OK.bytes_since(PRIMARY.start()) as usize] = image_ok;
    image
}

fn trial(starts: u32, watchdog_ms: u32) -> Trial {
    Trial {
        word_offset_bytes: TRIAL_OFFSET_BYTES,
        starts,
        watchdog_ms,
        image_ok: IMAGE_OK,
        magic_end: FlashAddr(PRIMARY.end().get() - 4),
        magic: u32::from_le_bytes(*magic_bytes(8).last_chunk().unwrap()),
    }
}

/// A loader as it is built: its record between bytes of code.
fn loader(chip: Chip) -> Vec<u8> {
    let record = LoaderRecord::blank(chip.image_chip_id());
    let addr = LoaderMemory::of(chip).unwrap().load_addr;
    ImageBuilder::new(chip).entry_addr(addr).segment(addr, &code(&record)).build().unwrap()
}

fn code(record: &LoaderRecord) -> Vec<u8> {
    [vec![0x13; 1000], record.to_bytes().to_vec(), vec![0x37; 400]].concat()
}

fn carrier(chip: Chip, bootloader: &[u8], trial: Option<Trial>) -> Vec<u8> {
    let len_bytes = u32::try_from(bootloader.len()).unwrap();
    let second = (COPIES_OFFSET_BYTES + len_bytes).next_multiple_of(SECTOR_BYTES);
    let record = LoaderRecord {
        place: Some(Place::Carrier),
        copies: [Some(COPIES_OFFSET_BYTES), Some(second)],
        copy_len_bytes: len_bytes,
        otadata: Some(OTADATA),
        trial,
        ..LoaderRecord::blank(chip.image_chip_id())
    };
    let addr = LoaderMemory::of(chip).unwrap().load_addr;
    let window = if chip == Chip::Esp32c3 { 0x3c00_0020 } else { 0x4200_0020 };
    let text = |text| FixedText::new(text).unwrap();
    let description = AppDescription::new(text("carrier"), text("1.0"));
    let mut file = ImageBuilder::new(chip)
        .entry_addr(addr)
        .app_segment(window, &description, &[])
        .segment(addr, &code(&record))
        .build()
        .unwrap();
    file.resize(COPIES_OFFSET_BYTES as usize, 0xff);
    file.extend(bootloader);
    file.resize(second as usize, 0xff);
    file.extend(bootloader);
    file
}

/// A first stage with its first copy behind it; the second one is MCUboot itself.
fn first_stage(chip: Chip) -> Vec<u8> {
    let bootloader = mcuboot(chip);
    let place = chip.bootloader_addr();
    let record = LoaderRecord {
        place: Some(Place::FirstStage),
        copies: [Some(COPIES_OFFSET_BYTES), Some(SECOND_COPY.bytes_since(place))],
        copy_len_bytes: u32::try_from(bootloader.len()).unwrap(),
        ..LoaderRecord::blank(chip.image_chip_id())
    };
    let addr = LoaderMemory::of(chip).unwrap().load_addr;
    let builder = ImageBuilder::new(chip).flash_size(FlashSize::Mb4).entry_addr(addr);
    let mut file = builder.segment(addr, &code(&record)).build().unwrap();
    file.resize(COPIES_OFFSET_BYTES as usize, 0xff);
    file.extend(bootloader);
    file
}

/// What the loader has printed.
fn printed(lines: &[Line]) -> Vec<String> {
    let loader = |line: &Line| match &line.event {
        DeviceEvent::Loader(event) => Some(event.to_string()),
        _ => None,
    };
    lines.iter().filter_map(loader).collect()
}

fn trial_word(device: &Device<NorMemory>) -> u32 {
    u32::from_le_bytes(device.memory().bytes(TRIAL_WORD).try_into().unwrap())
}

/// The old firmware: selects the carrier as long as the carrier was never started; after that, it
/// keeps running.
fn old_firmware(_: &RunningApp, machine: Machine<'_>) -> AppExit {
    let Machine { flash, .. } = machine;
    let mut word = [0; 4];
    let mut entries = [[0; 32]; 2];
    let [first, second] = &mut entries;
    let read = flash
        .read(TRIAL_WORD.start(), &mut word)
        .and_then(|()| flash.read(OTADATA, first))
        .and_then(|()| flash.read(OTADATA.saturating_add(SECTOR_BYTES), second));
    if read.is_err() || word != [0xff; 4] {
        return AppExit::Stay;
    }
    let (index, entry) = OtaData::parse(&entries[0], &entries[1]).entry_for(1, 2).unwrap();
    let addr = OTADATA.saturating_add(if index == 0 { 0 } else { SECTOR_BYTES });
    let written = flash
        .erase(EraseUnit::Sector4K, addr)
        .and_then(|()| flash.program_page(addr, &entry.to_bytes()));
    if written.is_ok() { AppExit::Reset } else { AppExit::PowerLost }
}
