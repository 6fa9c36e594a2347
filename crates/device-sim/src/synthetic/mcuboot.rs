//! Made-up bootloaders with the evidence that a real MCUboot's file has.

use esp_idf_format::Chip;
use esp_idf_format::image::{BuildError, FlashSize, ImageBuilder};
use flash_region::Region;
use mcuboot_format::espressif::LOAD_HEADER_MAGIC;
use mcuboot_format::trailer::magic_bytes;
use mcuboot_format::{DowngradePrevention, IMAGE_MAGIC, SwapKind};

use super::noise;
use crate::McubootConfig;

/// An instruction of RISC-V that loads no constant: `and a0, a0, a0`.
const IDLE: u32 = 0x00a5_7533;

/// The text in front of the number of sectors in MCUboot's log.
const SECTORS_TEXT: &str = "Failed reading sectors; BOOT_MAX_IMG_SECTORS=%d - too small?";

/// A bootloader image of about `len_bytes` whose data has what MCUboot's data has: magics, the
/// flash map, the key, and texts of its log. The rest of its data is noise from `seed`.
///
/// The flash map is that of Espressif's port. A chip with RISC-V has the number of sectors in its
/// code, too.
///
/// # Errors
///
/// [`BuildError`] for a length that no segment can have.
pub fn mcuboot(
    chip: Chip,
    flash_size: FlashSize,
    len_bytes: u32,
    seed: u64,
    config: &McubootConfig,
) -> Result<Vec<u8>, BuildError> {
    let (code_addr, data_addr) = addrs(chip);
    let mut data = Data { start_addr: data_addr, bytes: magic_bytes(config.max_align).to_vec() };
    let bootloader = chip.bootloader_region();
    let areas = [Some(bootloader), Some(config.primary), Some(config.secondary)];
    let scratch = config.scratch.filter(|_| config.swap == SwapKind::Scratch);
    for (id, area) in (0u32..).zip(areas.into_iter().chain([scratch]).flatten()) {
        data.record(id, area);
    }
    if let Some(key) = &config.key {
        data.key(&key.to_der());
    }
    let sectors_addr = data.text(SECTORS_TEXT);
    texts(config).iter().for_each(|text| {
        data.text(text);
    });
    // Noise would be full of instructions that load constants.
    let mut code = IDLE.to_le_bytes().repeat((len_bytes / 8) as usize);
    let words: Vec<u8> = [IMAGE_MAGIC, LOAD_HEADER_MAGIC].map(u32::to_le_bytes).concat();
    overwrite(&mut code, 0, &words);
    if !matches!(chip, Chip::Esp32 | Chip::Esp32s2 | Chip::Esp32s3) {
        // a0 is the address of the text, a1 the number.
        let call = [load(10, sectors_addr), load(11, config.max_sectors)].concat();
        overwrite(&mut code, 64, &call);
    }
    let mut rest = noise(len_bytes / 2, !seed);
    overwrite(&mut rest, 0, &data.bytes);
    ImageBuilder::new(chip)
        .flash_size(flash_size)
        .entry_addr(code_addr)
        .segment(code_addr, &code)
        .segment(data_addr, &rest)
        .build()
}

/// Where the bootloader's own code and data go (`boot/espressif/port/<chip>/ld/bootloader.ld` of
/// MCUboot).
const fn addrs(chip: Chip) -> (u32, u32) {
    match chip {
        Chip::Esp32 => (0x4007_8000, 0x3fff_5000),
        Chip::Esp32s2 => (0x4005_0000, 0x3ffe_6000),
        Chip::Esp32s3 => (0x403b_a000, 0x3fcd_0000),
        Chip::Esp32c3 => (0x403d_0000, 0x3fcd_5400),
        Chip::Esp32c6 => (0x4086_9610, 0x4087_0610),
        Chip::Esp32h2 => (0x4083_9fd0, 0x4084_0fd0),
    }
}

/// The texts of its log, at the default level of Espressif's port.
fn texts(config: &McubootConfig) -> Vec<&'static str> {
    let mut texts = vec![
        "%d status write fails performing the swap",
        "Image in the %s slot is not valid!",
        "Unable to find bootable image",
    ];
    texts.push(match config.swap {
        SwapKind::Scratch => "Starting swap using scratch algorithm.",
        SwapKind::Move => "Starting swap using move algorithm.",
        SwapKind::Offset => "Starting swap using offset algorithm.",
        SwapKind::Overwrite => "boot_copy_image",
    });
    if config.overwrites_fast {
        texts.push("boot_read_image_size");
    }
    match (config.downgrade_prevention, config.swap) {
        (DowngradePrevention::None, _) => {}
        (_, SwapKind::Overwrite) => texts.push("Insufficient version in secondary slot"),
        _ => texts.push("Image %d in slot 1 erased due to downgrade prevention"),
    }
    texts
}

/// The part of the data that is not noise.
struct Data {
    start_addr: u32,
    bytes: Vec<u8>,
}

impl Data {
    /// Where the next bytes go.
    fn next_addr(&self) -> u32 {
        self.start_addr.saturating_add(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX))
    }

    fn words(&mut self, words: &[u32]) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        words.iter().for_each(|word| self.bytes.extend_from_slice(&word.to_le_bytes()));
    }

    /// A record of the flash map.
    fn record(&mut self, id: u32, area: Region) {
        self.words(&[id, area.start().get(), area.len_bytes()]);
    }

    /// A key: its DER, its length, and pointers to both.
    fn key(&mut self, der: &[u8]) {
        let der_addr = self.next_addr();
        self.bytes.extend_from_slice(der);
        self.words(&[u32::try_from(der.len()).unwrap_or(u32::MAX)]);
        let len_addr = self.next_addr().saturating_sub(4);
        self.words(&[der_addr, len_addr]);
    }

    /// A text, and where it is.
    fn text(&mut self, text: &str) -> u32 {
        let addr = self.next_addr();
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        addr
    }
}

/// Code that loads a constant: `lui` and `addi`.
fn load(register: u32, value: u32) -> [u8; 8] {
    let upper = value.wrapping_add(0x800) & 0xffff_f000;
    let lower = value.wrapping_sub(upper) & 0xfff;
    let lui = upper | register << 7 | 0x37;
    let addi = lower << 20 | register << 15 | register << 7 | 0x13;
    let mut code = [0; 8];
    code[..4].copy_from_slice(&lui.to_le_bytes());
    code[4..].copy_from_slice(&addi.to_le_bytes());
    code
}

/// Replaces noise by bytes; those that do not fit are left out.
fn overwrite(noise: &mut [u8], offset: usize, bytes: &[u8]) {
    let room = noise.get_mut(offset..).unwrap_or_default();
    room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use mcuboot_format::bootloader::{BootloaderFile, Signature, System};
    use mcuboot_format::key::PrivateKey;

    use super::*;

    /// The reader of bootloaders finds what the file was made with.
    #[test]
    fn the_reader_finds_what_it_was_made_with() {
        for chip in Chip::ALL {
            for swap in SwapKind::ALL {
                let key = PrivateKey::ed25519([3; 32]).public_key();
                let prevention = DowngradePrevention::Version;
                let config = McubootConfig {
                    swap,
                    key: Some(key.clone()),
                    max_sectors: 976,
                    downgrade_prevention: prevention,
                    ..McubootConfig::example()
                };
                let file = mcuboot(chip, FlashSize::Mb4, 27_000, 1, &config).unwrap();
                let read = BootloaderFile::read(&file).unwrap();
                assert_eq!(read.system.unwrap().value, System::Mcuboot, "{chip} {swap}");
                let build = read.build.unwrap();
                let map = build.map.unwrap().value;
                assert_eq!(map.slots, Some((config.primary, config.secondary)));
                assert_eq!(map.scratch, config.scratch.filter(|_| swap == SwapKind::Scratch));
                assert_eq!(build.swap.unwrap().value.only(), Some(swap), "{chip}");
                assert_eq!(build.max_align.unwrap().value, 8);
                assert_eq!(build.downgrade_prevention.unwrap().value, prevention, "{chip} {swap}");
                let Signature::Key(found) = build.signature.unwrap().value else { panic!() };
                assert_eq!(found.der, key.to_der());
                if matches!(chip, Chip::Esp32c3 | Chip::Esp32c6 | Chip::Esp32h2) {
                    assert_eq!(build.max_sectors.unwrap().value, 976, "{chip} {swap}");
                }
            }
        }
    }
}
