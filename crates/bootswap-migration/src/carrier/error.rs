//! Why a carrier or first stage cannot be made.

use std::fmt;

use carrier_format::{IMAGE_MAX_BYTES, LoaderMemory, MAX_STARTS, RecordError};
use esp_idf_format::image::{BuildError, EspImageHeader, ImageError, RomFault};
use esp_idf_format::{Chip, ImageChip};
use flash_region::{FlashAddr, Region};
use mcuboot_format::trailer::TrailerError;

/// Why a carrier or first stage cannot be made. Offsets are from the first byte of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CarrierError {
    /// There is no loader for that chip.
    NoLoader {
        /// The chip.
        chip: Chip,
    },
    /// The loader's file is no whole image.
    LoaderImage(ImageError),
    /// The loader is for another chip.
    LoaderChip {
        /// The one asked for.
        wanted: Chip,
        /// Number of the one in its header or record.
        found: u16,
    },
    /// The file is an image, but no loader's.
    NotALoader,
    /// The loader has no record that can be filled.
    Record(RecordError),
    /// The loader does not leave the trial word its place.
    LoaderTooLong {
        /// Bytes of its image.
        found_bytes: usize,
    },
    /// The bootloader is no whole image.
    Image(ImageError),
    /// The bootloader is for another chip.
    Chip {
        /// The one asked for.
        wanted: Chip,
        /// Number of the one in its header.
        found: u16,
    },
    /// It is an app and no bootloader.
    AnApp,
    /// It is ESP-IDF's own bootloader.
    EspIdf,
    /// It has no SHA-256, by which the better of two copies is told.
    NoDigest,
    /// Something follows its image that would be lost.
    Behind {
        /// Where.
        offset_bytes: u32,
    },
    /// The mask ROM could not load or start it, whose part the loader takes.
    Rom(RomFault),
    /// A segment lies where the loader has its code or stack, or where the ROM's stack may grow to.
    Segment {
        /// Where its data is in the file.
        offset_bytes: u32,
        /// Where it is loaded to.
        load_addr: u32,
        /// Its length.
        len_bytes: u32,
        /// Where segments may go.
        memory: LoaderMemory,
    },
    /// The old bootloader's header has other settings of the flash.
    FlashSettings {
        /// The chip.
        chip: Chip,
        /// The old bootloader's.
        old: EspImageHeader,
        /// The target bootloader's.
        target: EspImageHeader,
    },
    /// The old system's partition table has no otadata.
    NoOtadata,
    /// A trial without a way back.
    NoWayBack,
    /// A trial of no start, or of too many.
    Starts {
        /// How many.
        found: u32,
    },
    /// The file does not show where the primary slot is, so that nobody knows where the target
    /// confirms.
    NoMap,
    /// The primary slot has no room for a trailer.
    Trailer(TrailerError),
    /// First stage and first copy do not fit the bootloader's place.
    FirstStageTooLong {
        /// Bytes of both.
        found_bytes: u32,
        /// The place.
        region: Region,
    },
    /// The second copy lies in the bootloader's place, or does not begin with a sector.
    SecondCopy {
        /// Where it is to lie.
        addr: FlashAddr,
        /// The bootloader's place.
        region: Region,
    },
    /// The image cannot be made of its parts, which is a defect of this program.
    Build(BuildError),
}

impl CarrierError {
    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::NoLoader { .. } => "a carrier can be made for esp32c3, esp32c6 and esp32h2",
            Self::LoaderImage(_) | Self::NotALoader | Self::LoaderTooLong { .. } => {
                "name the loader as it was built: bootswap-CHIP-loader.bin"
            }
            Self::LoaderChip { .. } => "name the loader for the chip: bootswap-CHIP-loader.bin",
            Self::Record(RecordError::Version { .. }) => {
                "use this program and a loader of the same release"
            }
            Self::Record(_) => "name the loader as it was built: bootswap-CHIP-loader.bin",
            Self::Image(_) | Self::Rom(RomFault::Entry { .. }) => {
                "take the file as the build made it; this one is damaged or cut off"
            }
            Self::Chip { .. } => "name the MCUboot that was built for the chip, or its --chip",
            Self::AnApp => "name the target bootloader, not an application",
            Self::EspIdf => "name MCUboot: the old bootloader stays and starts it",
            Self::NoDigest => "build it with its SHA-256 appended, as esptool does by default",
            Self::Behind { .. } => {
                "name the bootloader alone, neither merged with others nor signed for secure boot"
            }
            Self::Rom(_) | Self::Segment { .. } => {
                "build the bootloader with its segments elsewhere; Espressif's linker scripts put \
                 them at the end of RAM"
            }
            Self::FlashSettings { .. } => {
                "build MCUboot with the flash mode, frequency and size of the old bootloader: it \
                 reads them from the header at the bootloader's place, which stays the old one's"
            }
            Self::NoOtadata => {
                "a carrier is started through otadata; on this device only the bootloader itself \
                 can be replaced"
            }
            Self::NoWayBack => {
                "say where the old system's otadata is, with --flash or --otadata, or leave the \
                 trial out"
            }
            Self::Starts { .. } => "give --starts 1 to 24",
            Self::NoMap => {
                "name a MCUboot of Espressif's port, whose file shows its map, or leave the trial \
                 out"
            }
            Self::Trailer(_) => "build MCUboot with slots of whole sectors",
            Self::FirstStageTooLong { .. } => {
                "build a smaller MCUboot, for instance without its log, or make a carrier"
            }
            Self::SecondCopy { .. } => "give a multiple of 0x1000 behind the bootloader's place",
            Self::Build(_) => "report this, with the files",
        }
    }
}

impl fmt::Display for CarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLoader { chip } => write!(f, "there is no loader for {chip} yet"),
            Self::LoaderImage(error) => write!(f, "not a whole image: {error}"),
            Self::LoaderChip { wanted, found } | Self::Chip { wanted, found } => {
                write!(f, "it is for {}, not for {wanted}", ImageChip(*found))
            }
            Self::NotALoader => f.write_str("an image, but not that of a loader"),
            Self::Record(error) => error.fmt(f),
            Self::LoaderTooLong { found_bytes } => write!(
                f,
                "its image takes {found_bytes:#x} bytes, at most {IMAGE_MAX_BYTES:#x} are free"
            ),
            Self::Image(error) => write!(f, "not a whole bootloader: {error}"),
            Self::AnApp => f.write_str("app description at offset 32: an app, no bootloader"),
            Self::EspIdf => f.write_str("it is ESP-IDF's own bootloader"),
            Self::NoDigest => f.write_str("offset 23 says that no SHA-256 follows the image"),
            Self::Behind { offset_bytes } => {
                write!(f, "something follows the image at offset {offset_bytes:#x}")
            }
            Self::Segment { offset_bytes, load_addr, len_bytes, memory } => write!(
                f,
                "the segment at offset {offset_bytes:#x} goes to {load_addr:#x}, {len_bytes:#x} \
                 bytes; between loader and ROM there is {} for segments of whole words",
                memory.segments
            ),
            Self::Rom(fault) => fault.fmt(f),
            Self::FlashSettings { chip: _, old, target } => write!(
                f,
                "bytes 2 and 3 of the header are {}; the old bootloader has {}",
                Settings(target),
                Settings(old)
            ),
            Self::NoOtadata => f.write_str("the partition table has no otadata"),
            Self::NoWayBack => f.write_str("a trial needs a way back, and otadata is not known"),
            Self::Starts { found } => {
                write!(f, "a trial has 1 to {MAX_STARTS} starts, not {found}")
            }
            Self::NoMap => f.write_str(
                "the file does not show its flash map, so that the target's confirmation cannot \
                 be found",
            ),
            Self::Trailer(error) => write!(f, "primary slot: {error}"),
            Self::FirstStageTooLong { found_bytes, region } => write!(
                f,
                "first stage and first copy take {found_bytes:#x} bytes, the bootloader's place \
                 {region} has {:#x}",
                region.len_bytes()
            ),
            Self::SecondCopy { addr, region } => write!(
                f,
                "the second copy cannot begin at {addr}: the bootloader's place is {region}"
            ),
            Self::Build(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CarrierError {}

/// How a header has the flash read.
struct Settings<'a>(&'a EspImageHeader);

impl fmt::Display for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(header) = self;
        match header.flash_mode() {
            Some(mode) => write!(f, "{mode}")?,
            None => write!(f, "mode {:#x}", header.spi_mode)?,
        }
        match header.flash_freq() {
            Some(freq) => write!(f, ", {freq}")?,
            None => write!(f, ", frequency {:#x}", header.spi_speed)?,
        }
        match header.flash_size() {
            Some(size) => write!(f, ", {size}"),
            None => write!(f, ", size {:#x}", header.spi_size),
        }
    }
}
