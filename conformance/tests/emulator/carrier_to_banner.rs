//! A carrier and a first stage on the emulated chip: the real loader starts a real MCUboot, up to
//! the application's banner.
//!
//! ```text
//!   mask ROM -> ESP-IDF bootloader -> carrier: loader -> copy 1 or 2 of MCUboot -> application
//!   mask ROM -> first stage:          loader -> copy 1 or 2 of MCUboot -> application
//! ```
//!
//! MCUboot and application are those of `banner`, named by the same environment variables. The
//! table has an app partition that lies outside of their slots and scratch area.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bootswap_migration::carrier::{
    CarrierOptions, LoaderImage, TargetBootloader, TrialOptions, carrier, first_stage,
};
use carrier_format::{COPIES_OFFSET_BYTES, TRIAL_OFFSET_BYTES};
use device_sim::{
    AppExit, Board, Device, DeviceEvent, EspIdfConfig, FlashBuilder, Machine, McubootConfig,
    RunningApp, synthetic,
};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::otadata::{OtaEntry, OtaState};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use nor_sim::NorMemory;
use tempfile::TempDir;

use crate::banner::{APP, BOOTLOADER, JUMP, banner, given};
use crate::device::FIRMWARE;
use crate::emulator::{self, Console, Ended, Power};
use crate::{CUTS, MANY_CUTS, difference};

const CHIP: Chip = Chip::Esp32c3;
/// MCUboot's primary slot.
const PRIMARY: FlashAddr = FlashAddr(0x1_0000);
/// The byte that says that the application is confirmed: `image_ok` of a slot of 1 MiB.
const IMAGE_OK: usize = 0x11_0000 - 16 - 8;
const OLD_FIRMWARE: FlashAddr = FlashAddr(0x11_0000);
const OTADATA: FlashAddr = FlashAddr(0xd000);
/// The partition of the carrier, after the scratch area.
pub const CARRIER: FlashAddr = FlashAddr(0x26_0000);
const SECOND_COPY: FlashAddr = FlashAddr(0x36_0000);
/// What the real bootloader says when it starts the old firmware.
const OLD_STARTS: &str = "boot: Loaded app from partition at offset 0x110000";

/// A device whose flash is a file.
struct Hosted {
    directory: TempDir,
    banner: Option<String>,
    /// Bytes of a copy in whole sectors.
    copy_bytes: usize,
    flash: Vec<u8>,
}

impl Hosted {
    /// A device with a carrier, which its otadata selects.
    fn with_carrier(options: CarrierOptions) -> Self {
        let (loader, bootloader) = parts();
        let file = carrier(&loader, &bootloader, options).unwrap();
        let old = esp_idf_bootloaders::bootloader(CHIP, FlashSize::Mb4.bytes()).unwrap();
        Self::new(&old, |flash| flash.data(CARRIER, &file))
    }

    /// A device with a first stage.
    fn with_first_stage() -> Self {
        let (loader, bootloader) = parts();
        let file = first_stage(&loader, &bootloader, SECOND_COPY).unwrap();
        Self::new(&file, |flash| flash.data(SECOND_COPY, bootloader.bytes()))
    }

    fn new(at_bootloader: &[u8], add: impl FnOnce(FlashBuilder) -> FlashBuilder) -> Self {
        let mut partitions = synthetic::example_partitions();
        let last = partitions.last_mut().unwrap();
        last.region = Region::clamped(CARRIER, last.region.len_bytes());
        let old = synthetic::app(CHIP, "old", "1.0", 0x1_0000, 3).unwrap();
        let entry = |seq| Some(OtaEntry::new(seq, OtaState::Undefined));
        let builder = FlashBuilder::new(CHIP, FlashSize::Mb4)
            .partitions(&partitions)
            .bootloader(at_bootloader)
            .otadata([entry(1), entry(2)])
            .data(PRIMARY, &given(CHIP, APP))
            .data(OLD_FIRMWARE, &old);
        let flash = add(builder).build().unwrap().to_bytes();
        let copy_bytes = given(CHIP, BOOTLOADER).len().next_multiple_of(SECTOR_BYTES as usize);
        let banner = banner(CHIP);
        Self { directory: TempDir::new().unwrap(), banner, copy_bytes, flash }
    }

    /// The same device with other bytes in its flash.
    fn changed(mut self, change: impl FnOnce(&mut [u8])) -> Self {
        change(&mut self.flash);
        self
    }

    /// Writes the flash to its file.
    fn device(&self) -> PathBuf {
        let path = self.directory.path().join("flash.bin");
        fs::write(&path, &self.flash).unwrap();
        path
    }

    /// Starts a device and waits for the banner.
    fn start(&self, device: &Path) -> Console {
        let power = self.banner.as_deref().map_or(Power::UntilPast(JUMP), Power::UntilSeen);
        let console = emulator::run(CHIP, device, false, power);
        assert_eq!(console.ended, Ended::Seen, "no banner:\n{}", console.text());
        console
    }

    /// The first byte of a copy in the carrier.
    fn copy(&self, number: usize) -> usize {
        (CARRIER.get() + COPIES_OFFSET_BYTES) as usize + (number - 1) * self.copy_bytes
    }
}

fn loader_file() -> Vec<u8> {
    let directory = env::var_os(FIRMWARE).expect("the variable of the firmware's directory");
    let path = PathBuf::from(directory).join("bootswap-esp32c3-loader.bin");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn parts() -> (LoaderImage, TargetBootloader) {
    let bootloader = TargetBootloader::new(given(CHIP, BOOTLOADER), CHIP).unwrap();
    (LoaderImage::new(&loader_file(), CHIP).unwrap(), bootloader)
}

pub fn options(starts: u32) -> CarrierOptions {
    let trial = (starts > 0).then_some(TrialOptions { starts, watchdog_s: 60 });
    CarrierOptions { otadata: Some(OTADATA), trial, ..CarrierOptions::default() }
}

/// The one line that the loader prints.
fn line(console: &Console) -> &str {
    let mut lines = console.lines.iter().filter(|(_, line)| line.starts_with("loader: "));
    let (_, line) = lines.next().unwrap_or_else(|| panic!("no line:\n{}", console.text()));
    assert!(lines.next().is_none(), "more than one line:\n{}", console.text());
    line
}

fn trial_word(flash: &[u8]) -> u32 {
    let at = (CARRIER.get() + TRIAL_OFFSET_BYTES) as usize;
    u32::from_le_bytes(flash[at..at + 4].try_into().unwrap())
}

/// Damages a byte in the middle of a copy.
fn damage(flash: &mut [u8], copy: usize) {
    flash[copy + 0x1234] ^= 0x10;
}

/// Where two flashes differ.
fn differences(before: &[u8], then: &[u8]) -> Vec<usize> {
    (0..before.len()).filter(|at| before[*at] != then[*at]).collect()
}

fn emulated_carrier() {
    let hosted = Hosted::with_carrier(options(0));
    let device = hosted.device();
    for _ in 0..2 {
        let console = hosted.start(&device);
        assert_eq!(line(&console), "loader: bootloader at 0x261000, copy 1");
        assert_eq!(differences(&hosted.flash, &fs::read(&device).unwrap()), [0; 0]);
    }
}

fn emulated_carrier_with_a_damaged_copy() {
    for (damaged, line_wanted) in [
        (1, "loader: bootloader at 0x268000, copy 2"),
        (2, "loader: bootloader at 0x261000, copy 1"),
    ] {
        let hosted = Hosted::with_carrier(options(0));
        let copy = hosted.copy(damaged);
        let hosted = hosted.changed(|flash| damage(flash, copy));
        let console = hosted.start(&hosted.device());
        assert_eq!(line(&console), line_wanted);
    }
}

/// Nothing can be started: the carrier invalidates its own otadata entry, and changes no other
/// byte.
fn emulated_carrier_without_a_whole_copy() {
    let hosted = Hosted::with_carrier(options(0));
    let copies = [hosted.copy(1), hosted.copy(2)];
    let hosted =
        hosted.changed(|flash| copies.map(|copy| damage(flash, copy)).into_iter().collect());
    let device = hosted.device();
    let console = emulator::run(CHIP, &device, false, Power::UntilReset);
    assert_eq!(line(&console), "loader: no copy is whole, back to the old firmware");
    let entry = (OTADATA.get() + SECTOR_BYTES) as usize;
    let changed = differences(&hosted.flash, &fs::read(&device).unwrap());
    assert_eq!(changed, [entry, entry + 28, entry + 29, entry + 30, entry + 31]);
    let console = emulator::run(CHIP, &device, false, Power::UntilSeen(OLD_STARTS));
    assert_eq!(console.ended, Ended::Seen, "{}", console.text());
}

fn emulated_first_stage() {
    let second = SECOND_COPY.get() as usize;
    for (damaged, line_wanted) in [
        (None, "loader: bootloader at 0x1000, copy 1"),
        (Some(COPIES_OFFSET_BYTES as usize), "loader: bootloader at 0x360000, copy 2"),
        (Some(second), "loader: bootloader at 0x1000, copy 1"),
    ] {
        let hosted = Hosted::with_first_stage();
        let hosted = hosted.changed(|flash| damaged.into_iter().for_each(|at| damage(flash, at)));
        let device = hosted.device();
        let console = hosted.start(&device);
        assert_eq!(line(&console), line_wanted);
        assert_eq!(differences(&hosted.flash, &fs::read(&device).unwrap()), [0; 0]);
    }
}

/// Never confirmed: three starts, then back in the old firmware.
fn emulated_trial_that_is_not_confirmed() {
    let hosted = Hosted::with_carrier(options(3)).changed(|flash| flash[IMAGE_OK] = 0xff);
    let device = hosted.device();
    for (start, word) in [(1, !1), (2, !3), (3, !7)] {
        let console = hosted.start(&device);
        let wanted = format!("loader: bootloader at 0x261000, copy 1, start {start} of 3");
        assert_eq!(line(&console), wanted);
        assert_eq!(trial_word(&fs::read(&device).unwrap()), word);
    }
    let console = emulator::run(CHIP, &device, false, Power::UntilReset);
    assert_eq!(line(&console), "loader: not confirmed, back to the old firmware");
    let console = emulator::run(CHIP, &device, false, Power::UntilSeen(OLD_STARTS));
    assert_eq!(console.ended, Ended::Seen, "{}", console.text());
}

/// Once confirmed it stays confirmed, even while MCUboot tests a later update of the target.
fn emulated_trial_that_is_confirmed() {
    let hosted = Hosted::with_carrier(options(1)).changed(|flash| flash[IMAGE_OK] = 0xff);
    let device = hosted.device();
    let console = hosted.start(&device);
    assert_eq!(line(&console), "loader: bootloader at 0x261000, copy 1, start 1 of 1");
    for image_ok in [0x01, 0xff] {
        let mut flash = fs::read(&device).unwrap();
        flash[IMAGE_OK] = image_ok;
        fs::write(&device, flash).unwrap();
        let console = hosted.start(&device);
        assert_eq!(line(&console), "loader: bootloader at 0x261000, copy 1, confirmed");
        assert_eq!(trial_word(&fs::read(&device).unwrap()), 0);
    }
}

/// Without an entry in force there is nothing to go back to, so the target keeps being started.
fn emulated_trial_without_a_way_back() {
    let hosted = Hosted::with_carrier(options(1)).changed(|flash| {
        let otadata = OTADATA.get() as usize;
        flash[otadata..otadata + 2 * SECTOR_BYTES as usize].fill(0xff);
        // Neither factory nor ota_0 has an app.
        flash[OLD_FIRMWARE.get() as usize..][..16].fill(0xff);
        flash[IMAGE_OK] = 0xff;
    });
    let device = hosted.device();
    hosted.start(&device);
    let console = hosted.start(&device);
    let lines = console.lines.iter().filter(|(_, line)| line.starts_with("loader: "));
    let lines: Vec<_> = lines.map(|(_, line)| line.as_str()).collect();
    assert_eq!(
        lines,
        ["loader: not confirmed, no way back", "loader: bootloader at 0x261000, copy 1"]
    );
}

/// The simulated device with the same flash and the same bootloaders.
fn modelled(hosted: &Hosted) -> Device<NorMemory> {
    let old = esp_idf_bootloaders::bootloader(CHIP, FlashSize::Mb4.bytes()).unwrap();
    let board = Board::new(CHIP).esp_idf(&old, EspIdfConfig::default()).unwrap();
    let board = board.mcuboot(&given(CHIP, BOOTLOADER), McubootConfig::example()).unwrap();
    Device::new(board.loader(&loader_file()).unwrap(), NorMemory::from_bytes(&hosted.flash))
}

/// Boots the simulated device too: it prints what the chip printed, and leaves the same flash.
fn compare(console: &Console, device: &Path, model: &mut Device<NorMemory>) {
    let mut lines = Vec::new();
    model.boot(&mut |_: &RunningApp, _: Machine<'_>| AppExit::Stay, &mut lines);
    let printed = lines.iter().filter_map(|line| match &line.event {
        DeviceEvent::Loader(event) => Some(event.to_string()),
        _ => None,
    });
    let found = console.lines.iter().filter(|(_, line)| line.starts_with("loader: "));
    let found: Vec<_> = found.map(|(_, line)| line.clone()).collect();
    assert_eq!(found, printed.collect::<Vec<_>>());
    let differs = difference(&fs::read(device).unwrap(), &model.memory().to_bytes());
    assert_eq!(differs, None, "{}", console.text());
}

/// Other tests rely on the simulated device, so it must do what the chip does, boot by boot.
fn emulated_carrier_as_simulated() {
    let on_trial = || Hosted::with_carrier(options(2)).changed(|flash| flash[IMAGE_OK] = 0xff);
    let confirmed = on_trial().changed(|flash| flash[IMAGE_OK] = 1);
    let copies = [1, 2].map(|number| confirmed.copy(number));
    let one_copy = on_trial().changed(|flash| damage(flash, copies[0]));
    let no_copy = on_trial().changed(|flash| copies.iter().for_each(|copy| damage(flash, *copy)));
    // How often the target starts, and whether the old firmware comes back then.
    for (hosted, starts, goes_back) in
        [(on_trial(), 2, true), (confirmed, 2, false), (one_copy, 1, false), (no_copy, 0, true)]
    {
        let (device, mut model) = (hosted.device(), modelled(&hosted));
        for _ in 0..starts {
            compare(&hosted.start(&device), &device, &mut model);
        }
        if goes_back {
            let console = emulator::run(CHIP, &device, false, Power::UntilReset);
            compare(&console, &device, &mut model);
            let console = emulator::run(CHIP, &device, false, Power::UntilSeen(OLD_STARTS));
            assert_eq!(console.ended, Ended::Seen, "{}", console.text());
            compare(&console, &device, &mut model);
        }
    }
}

/// Cuts power at many points spread over the way to the banner.
fn cut_often(cuts: u32) {
    let hosted = Hosted::with_carrier(options(3)).changed(|flash| flash[IMAGE_OK] = 0xff);
    let took: Duration = hosted.start(&hosted.device()).took;
    let word = (CARRIER.get() + TRIAL_OFFSET_BYTES) as usize;
    let mut counted = 0;
    for index in 0..cuts {
        let device = hosted.device();
        let console = emulator::run(CHIP, &device, false, Power::CutAfter(took * index / cuts));
        assert_eq!(console.ended, Ended::Killed, "it reset:\n{}", console.text());
        let flash = fs::read(&device).unwrap();
        match (trial_word(&flash), differences(&hosted.flash, &flash).as_slice()) {
            (u32::MAX, []) => {}
            (0xffff_fffe, [at]) if *at == word => counted += 1,
            (found, changed) => panic!("{found:#x}, {changed:?}:\n{}", console.text()),
        }
        let starts = trial_word(&flash).count_zeros() + 1;
        assert!(line(&hosted.start(&device)).ends_with(&format!("start {starts} of 3")));
    }
    println!("{cuts} times power was cut, {counted} of them after the start was counted");
    assert!(counted > 0 && counted < cuts, "the cuts were all on one side of the count");
}

fn emulated_power_cuts() {
    cut_often(CUTS);
}

fn emulated_many_power_cuts() {
    cut_often(MANY_CUTS);
}

on_esp32c3! {
    emulated_carrier_as_simulated
    emulated_carrier
    emulated_carrier_with_a_damaged_copy
    emulated_carrier_without_a_whole_copy
    emulated_first_stage
    emulated_trial_that_is_not_confirmed
    emulated_trial_that_is_confirmed
    emulated_trial_without_a_way_back
    emulated_power_cuts
    #[ignore = "takes minutes: hundreds of power cuts"]
    emulated_many_power_cuts
}
