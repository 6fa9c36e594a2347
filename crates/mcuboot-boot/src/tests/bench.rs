//! A device under test: flash, bootloader, and images to put there.

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::builder::{SignOptions, sign};
use mcuboot_format::key::PrivateKey;
use mcuboot_format::trailer::{TrailerConfig, TrailerLayout, TrailerState};
use mcuboot_format::{ImageVersion, SwapKind};
use nor_sim::{Driver, NorDevice, NorMemory, Recorded, Recording};

use crate::{AreaName, BootConfig, BootEvent, FlashMap, McubootOutcome, boot};

/// Bytes that header and TLVs of an unsigned image take.
const OVERHEAD_BYTES: u32 = 32 + 4 + 4 + 32;

/// How many sectors the areas have.
#[derive(Clone, Copy, Debug)]
pub struct Sectors {
    pub primary: u32,
    pub secondary: u32,
    pub scratch: u32,
}

pub const fn equal(slots: u32, scratch: u32) -> Sectors {
    Sectors { primary: slots, secondary: slots, scratch }
}

pub fn config(trailer: TrailerConfig, sectors: Sectors) -> BootConfig {
    let area = |start, sectors| Region::clamped(FlashAddr(start), sectors * SECTOR_BYTES);
    let map = FlashMap {
        primary: area(0x1_0000, sectors.primary),
        secondary: area(0x11_0000, sectors.secondary),
        scratch: Some(area(0x21_0000, sectors.scratch)),
    };
    BootConfig::new(map, trailer).unwrap()
}

/// The bootloader of the example: slots of 1 MiB, scratch of 256 KiB, Espressif's trailer.
pub fn example(swap: SwapKind) -> BootConfig {
    config(TrailerConfig::espressif(swap), equal(256, 64))
}

/// An image of exactly so many bytes.
pub fn image(version: u8, len_bytes: u32) -> Vec<u8> {
    signed_image(version, len_bytes, None)
}

pub fn signed_image(version: u8, len_bytes: u32, key: Option<&PrivateKey>) -> Vec<u8> {
    let payload_len = len_bytes.checked_sub(OVERHEAD_BYTES).unwrap();
    let payload = noise(u64::from(version), payload_len);
    let options = SignOptions {
        version: ImageVersion::new(version, 0, 0),
        key,
        ..SignOptions::espressif(0x20_0000, SwapKind::Overwrite)
    };
    sign(&payload, &options).unwrap()
}

/// Bytes that look like code, none of a run of them erased.
pub fn noise(seed: u64, len_bytes: u32) -> Vec<u8> {
    let mut noise = nor_sim::Noise::new(seed);
    (0..len_bytes).map(|_| noise.next_u64() as u8 & 0x7f).collect()
}

/// An ESP-IDF application: anything that is not an MCUboot image.
pub fn esp_idf_app(len_bytes: u32) -> Vec<u8> {
    let mut app = noise(0xe9, len_bytes);
    app[0] = 0xe9;
    app[16] = 0;
    app
}

/// Flash and bootloader.
#[derive(Clone)]
pub struct Device {
    pub config: BootConfig,
    pub flash: NorMemory,
}

/// What a boot did.
pub struct Boot {
    pub outcome: McubootOutcome,
    pub events: Vec<BootEvent>,
    pub ops: Recording,
}

impl Boot {
    /// The version that runs.
    pub fn version(&self) -> Option<u8> {
        self.outcome.running().map(|image| image.header.version.major)
    }

    pub fn log(&self) -> Vec<String> {
        self.events.iter().map(ToString::to_string).collect()
    }
}

impl Device {
    pub fn new(config: BootConfig) -> Self {
        Self { config, flash: NorMemory::erased(4 << 20) }
    }

    /// An old image in the primary and a new one in the secondary, with that trailer there.
    pub fn with_images(
        config: BootConfig,
        old: &[u8],
        new: &[u8],
        secondary: TrailerState,
    ) -> Self {
        let mut device = Self::new(config);
        device.put(AreaName::Primary, 0, old);
        device.put(AreaName::Secondary, device.upload_offset(), new);
        device.set_trailer(AreaName::Secondary, secondary);
        device
    }

    /// Where in the secondary a new image belongs.
    pub fn upload_offset(&self) -> u32 {
        if self.config.swap() == SwapKind::Offset { SECTOR_BYTES } else { 0 }
    }

    pub fn layout(&self, area: AreaName) -> TrailerLayout {
        *self.config.layout(area).unwrap()
    }

    pub fn slot(&self, area: AreaName) -> Region {
        self.layout(area).slot()
    }

    /// Programs bytes that were erased before.
    pub fn put(&mut self, area: AreaName, offset: u32, bytes: &[u8]) {
        use embedded_storage::nor_flash::NorFlash;
        let at = self.slot(area).start().get() + offset;
        Driver::new(&mut self.flash).write(at, bytes).unwrap();
    }

    pub fn set_trailer(&mut self, area: AreaName, state: TrailerState) {
        let layout = self.layout(area);
        let mut fields = vec![0xff; layout.fields().len_bytes() as usize];
        state.emit(&layout, &mut fields).unwrap();
        let offset = layout.slot().len_bytes() - layout.fields().len_bytes();
        self.put(area, offset, &fields);
    }

    /// Changes a byte in a way that flash cannot.
    pub fn patch(&mut self, addr: FlashAddr, change: impl FnOnce(u8) -> u8) {
        let sector = Region::clamped(addr.align_down(SECTOR_BYTES), SECTOR_BYTES);
        let mut bytes = self.bytes(sector);
        let byte = &mut bytes[(addr.get() % SECTOR_BYTES) as usize];
        *byte = change(*byte);
        use embedded_storage::nor_flash::NorFlash;
        let mut driver = Driver::new(&mut self.flash);
        driver.erase(sector.start().get(), sector.end().get()).unwrap();
        driver.write(sector.start().get(), &bytes).unwrap();
    }

    pub fn bytes(&mut self, region: Region) -> Vec<u8> {
        let mut bytes = vec![0; region.len_bytes() as usize];
        self.flash.read(region.start(), &mut bytes).unwrap();
        bytes
    }

    pub fn starts_with(&mut self, area: AreaName, image: &[u8]) -> bool {
        let start = Region::clamped(self.slot(area).start(), image.len() as u32);
        self.bytes(start) == image
    }

    pub fn is_blank(&mut self, area: AreaName) -> bool {
        let slot = self.slot(area);
        flash_region::is_blank(&self.bytes(slot))
    }

    pub fn trailer(&mut self, area: AreaName) -> TrailerState {
        let layout = self.layout(area);
        let fields = self.bytes(layout.fields());
        TrailerState::parse(&layout, &fields).unwrap()
    }

    /// Boots with the power on, and keeps every operation.
    pub fn boot(&mut self) -> Boot {
        let mut events = Vec::new();
        let mut driver = Driver::new(Recorded::new(self.flash.clone()));
        let outcome = boot(&mut driver, &self.config, &mut |event| events.push(event)).unwrap();
        let mut recorded = driver.into_device();
        let ops = recorded.take();
        self.flash = recorded.into_inner();
        Boot { outcome, events, ops }
    }

    /// Boots with the power on, and returns the version that runs.
    pub fn boots(&mut self) -> Option<u8> {
        let mut driver = Driver::new(&mut self.flash);
        let outcome = boot(&mut driver, &self.config, &mut |_| {}).unwrap();
        outcome.running().map(|image| image.header.version.major)
    }
}
