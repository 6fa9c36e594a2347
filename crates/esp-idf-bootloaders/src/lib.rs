//! Real ESP-IDF second-stage bootloaders, for devices that exist only in a simulation.
//!
//! The bootloaders are those that the `espflash` crate carries (ESP-IDF v6.1, built by Espressif's
//! toolchain, with default configuration). espflash has no function that returns them, but it puts
//! one before every app of which it makes an image. So this crate lets it make the image of an
//! empty app, and keeps the bootloader alone.
#![warn(clippy::indexing_slicing)]

use std::fmt;

use esp_idf_format::Chip;
use esp_idf_format::image::{self, FlashSize, ImageError};
use espflash::flasher::{self, FlashData, FlashSettings};
use espflash::image_format::idf::IdfBootloaderFormat;
use espflash::target;

/// The bootloader of `chip` as espflash writes it to a device with `flash_size_bytes` of flash:
/// mode DIO, espflash's default frequency, the right checksum and SHA-256.
///
/// # Errors
///
/// [`Error::FlashSize`] unless the size is a power of two from 1 to 128 MB. The other errors mean
/// that this version of espflash carries other bootloaders.
pub fn bootloader(chip: Chip, flash_size_bytes: u32) -> Result<Vec<u8>, Error> {
    let unknown_size = Error::FlashSize { found_bytes: flash_size_bytes };
    let size = FlashSize::from_bytes(flash_size_bytes).ok_or(unknown_size)?;
    let target = target_of(chip);
    let settings = FlashSettings::new(None, Some(flasher_size(size)), None);
    let flash = FlashData::new(settings, 0, None, target, target.default_xtal_frequency());

    let elf = empty_elf();
    let format = IdfBootloaderFormat::new(&elf, &flash, None, None, None, None)
        .map_err(|error| Error::Espflash(Box::new(error)))?;
    let bootloader = format
        .flash_segments()
        .find(|segment| segment.addr == chip.bootloader_addr().get())
        .map(|segment| segment.data.into_owned())
        .ok_or(Error::Missing { chip })?;

    let info = image::verify(&bootloader).map_err(Error::Image)?;
    if info.header.chip() != Some(chip) {
        return Err(Error::OtherChip { chip, found_chip_id: info.header.chip_id });
    }
    Ok(bootloader)
}

/// Why there is no such bootloader.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No flash has that size.
    FlashSize {
        /// The size asked for.
        found_bytes: u32,
    },
    /// espflash failed to make an image.
    Espflash(Box<espflash::Error>),
    /// espflash has no bootloader for the chip.
    Missing {
        /// The chip.
        chip: Chip,
    },
    /// espflash has a bootloader that is for another chip.
    OtherChip {
        /// The chip asked for.
        chip: Chip,
        /// The number in the bootloader's header.
        found_chip_id: u16,
    },
    /// espflash has a bootloader that does not verify.
    Image(ImageError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FlashSize { found_bytes } => {
                write!(
                    f,
                    "{found_bytes:#x} bytes is not a flash size: a power of two of 1 to 128 MB"
                )
            }
            Self::Espflash(_) => f.write_str("espflash failed to make an image with a bootloader"),
            Self::Missing { chip } => write!(f, "espflash has no bootloader for {chip}"),
            Self::OtherChip { chip, found_chip_id } => write!(
                f,
                "espflash's bootloader for {chip} is for the chip with image number \
                 {found_chip_id}"
            ),
            Self::Image(_) => f.write_str("espflash's bootloader does not verify"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Espflash(error) => Some(error),
            Self::Image(error) => Some(error),
            _ => None,
        }
    }
}

const fn target_of(chip: Chip) -> target::Chip {
    match chip {
        Chip::Esp32 => target::Chip::Esp32,
        Chip::Esp32s2 => target::Chip::Esp32s2,
        Chip::Esp32s3 => target::Chip::Esp32s3,
        Chip::Esp32c3 => target::Chip::Esp32c3,
        Chip::Esp32c6 => target::Chip::Esp32c6,
        Chip::Esp32h2 => target::Chip::Esp32h2,
    }
}

const fn flasher_size(size: FlashSize) -> flasher::FlashSize {
    match size {
        FlashSize::Mb1 => flasher::FlashSize::_1Mb,
        FlashSize::Mb2 => flasher::FlashSize::_2Mb,
        FlashSize::Mb4 => flasher::FlashSize::_4Mb,
        FlashSize::Mb8 => flasher::FlashSize::_8Mb,
        FlashSize::Mb16 => flasher::FlashSize::_16Mb,
        FlashSize::Mb32 => flasher::FlashSize::_32Mb,
        FlashSize::Mb64 => flasher::FlashSize::_64Mb,
        FlashSize::Mb128 => flasher::FlashSize::_128Mb,
    }
}

/// An ELF file that is only its header: 32 bits, little-endian, without sections and segments.
fn empty_elf() -> [u8; 52] {
    const IDENT: [u8; 7] = *b"\x7fELF\x01\x01\x01";
    // Executable, RISC-V, version 1. espflash takes the chip from elsewhere.
    const KIND: [u8; 8] = [2, 0, 243, 0, 1, 0, 0, 0];
    // Lengths of this header and of the entries of its two tables, which are empty.
    const LENGTHS: [u8; 8] = [52, 0, 32, 0, 0, 0, 40, 0];
    let mut elf = [0; 52];
    for (at, field) in [(0, IDENT.as_slice()), (16, &KIND), (40, &LENGTHS)] {
        if let Some(place) = elf.get_mut(at..at + field.len()) {
            place.copy_from_slice(field);
        }
    }
    elf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chip_has_a_bootloader_for_every_flash_size() {
        for chip in Chip::ALL {
            for size in FlashSize::ALL {
                let bootloader = bootloader(chip, size.bytes()).unwrap();
                let info = image::verify(&bootloader).unwrap();
                assert_eq!(info.header.flash_size(), Some(size), "{chip}");
                assert!(info.digest.is_some(), "{chip}");
                assert_eq!(image::verify_for_rom(&bootloader, chip), Ok((info, None)), "{chip}");
                let description = info.bootloader_desc.unwrap();
                assert!(description.idf_ver.as_str().unwrap().starts_with("v6."), "{chip}");
                assert!(info.total_len_bytes <= chip.bootloader_region().len_bytes(), "{chip}");
            }
        }
    }

    #[test]
    fn sizes_that_no_flash_has_are_refused() {
        let error = bootloader(Chip::Esp32, 3 * 1024 * 1024).unwrap_err();
        assert!(matches!(error, Error::FlashSize { found_bytes: 0x30_0000 }));
    }
}
