//! Why a carrier or first stage cannot be made.

use std::fmt;

use carrier_format::{IMAGE_MAX_BYTES, LoaderMemory, MAX_STARTS, RecordError};
use esp_idf_format::image::{BuildError, FlashSettings, ImageError, RomFault};
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
    /// The loader's file is not a complete image.
    LoaderImage(ImageError),
    /// The loader is for another chip.
    LoaderChip {
        /// The chip asked for.
        wanted: Chip,
        /// Number of the chip in its header or record.
        found: u16,
    },
    /// The file is an image, but not a loader's.
    NotALoader,
    /// The loader has no record that can be filled in.
    Record(RecordError),
    /// The loader leaves no room for the trial word.
    LoaderTooLong {
        /// Bytes of its image.
        found_bytes: usize,
    },
    /// The bootloader is not a complete image.
    Image(ImageError),
    /// The bootloader is for another chip.
    Chip {
        /// The chip asked for.
        wanted: Chip,
        /// Number of the chip in its header.
        found: u16,
    },
    /// It is an app, not a bootloader.
    AnApp,
    /// It is ESP-IDF's own bootloader.
    EspIdf,
    /// It has no SHA-256, which the loader needs to choose between two copies.
    NoDigest,
    /// Something follows its image that would be lost.
    Behind {
        /// Where.
        offset_bytes: u32,
    },
    /// The mask ROM could not load or start it; the loader does what the ROM would do.
    Rom(RomFault),
    /// A segment is in memory that the loader uses for code or stack, or into which the ROM's stack
    /// may grow.
    Segment {
        /// Offset of its data in the file.
        offset_bytes: u32,
        /// Address that it is loaded to.
        load_addr: u32,
        /// Its length.
        len_bytes: u32,
        /// Memory that segments may use.
        memory: LoaderMemory,
    },
    /// The old bootloader's header has different flash settings.
    FlashSettings {
        /// The chip.
        chip: Chip,
        /// The old bootloader's.
        old: FlashSettings,
        /// The target bootloader's.
        target: FlashSettings,
    },
    /// The old system's partition table has no otadata.
    NoOtadata,
    /// A trial without a way back.
    NoWayBack,
    /// A trial with no start, or with too many.
    Starts {
        /// How many.
        found: u32,
    },
    /// The file does not show where the primary slot is, so it is not known where the target
    /// confirms.
    NoMap,
    /// The primary slot has no room for a trailer.
    Trailer(TrailerError),
    /// First stage and first copy do not fit the bootloader's region.
    FirstStageTooLong {
        /// Bytes of both.
        found_bytes: u32,
        /// The region.
        region: Region,
    },
    /// The second copy is in the bootloader's region, or does not begin at a sector.
    SecondCopy {
        /// Address of the second copy.
        addr: FlashAddr,
        /// The bootloader's region.
        region: Region,
    },
    /// The image cannot be built from its parts, which is a bug in this program.
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
                "use the file as the build made it; this one is damaged or cut off"
            }
            Self::Chip { .. } => "name the MCUboot that was built for the chip, or its --chip",
            Self::AnApp => "name the target bootloader, not an application",
            Self::EspIdf => "name MCUboot: the old bootloader remains and starts it",
            Self::NoDigest => "build it with the SHA-256 appended, as esptool does by default",
            Self::Behind { .. } => {
                "name the bootloader alone, neither merged with others nor signed for secure boot"
            }
            Self::Rom(_) | Self::Segment { .. } => {
                "build the bootloader with its segments elsewhere; Espressif's linker scripts put \
                 them at the end of RAM"
            }
            Self::FlashSettings { .. } => {
                "build MCUboot with the flash mode, frequency and size of the old bootloader: it \
                reads them from the header at the bootloader's address, which remains the old one's"
            }
            Self::NoOtadata => {
                "a carrier is started through otadata; on this device only the bootloader itself \
                 can be replaced"
            }
            Self::NoWayBack => {
                "name the old system's otadata with --flash or --otadata, or leave the trial out"
            }
            Self::Starts { .. } => "give --starts 1 to 24",
            Self::NoMap => {
                "name an MCUboot of Espressif's port, whose file shows its map, or leave the trial \
                 out"
            }
            Self::Trailer(_) => "build MCUboot with slots of whole sectors",
            Self::FirstStageTooLong { .. } => {
                "build a smaller MCUboot, for instance without its log, or make a carrier"
            }
            Self::SecondCopy { .. } => "give a multiple of 0x1000 after the bootloader's region",
            Self::Build(_) => "report this, with the files",
        }
    }
}

impl fmt::Display for CarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLoader { chip } => write!(f, "there is no loader for {chip} yet"),
            Self::LoaderImage(error) => write!(f, "not a complete image: {error}"),
            Self::LoaderChip { wanted, found } | Self::Chip { wanted, found } => {
                write!(f, "it is for {}, not for {wanted}", ImageChip(*found))
            }
            Self::NotALoader => f.write_str("an image, but not of a loader"),
            Self::Record(error) => error.fmt(f),
            Self::LoaderTooLong { found_bytes } => write!(
                f,
                "its image has {found_bytes:#x} bytes, but there is room for only \
                {IMAGE_MAX_BYTES:#x}"
            ),
            Self::Image(error) => write!(f, "not a complete bootloader: {error}"),
            Self::AnApp => f.write_str("app description at offset 32: an app, not a bootloader"),
            Self::EspIdf => f.write_str("it is ESP-IDF's own bootloader"),
            Self::NoDigest => f.write_str("offset 23 says that no SHA-256 follows the image"),
            Self::Behind { offset_bytes } => {
                write!(f, "something follows the image at offset {offset_bytes:#x}")
            }
            Self::Segment { offset_bytes, load_addr, len_bytes, memory } => write!(
                f,
                "the segment at offset {offset_bytes:#x} is loaded to {load_addr:#x}, \
                {len_bytes:#x} bytes; segments of whole words can be loaded between loader and \
                ROM, {}",
                memory.segments
            ),
            Self::Rom(fault) => fault.fmt(f),
            Self::FlashSettings { chip, old, target } => write!(
                f,
                "bytes 2 and 3 of the header are {}; the old bootloader has {}",
                target.on(*chip),
                old.on(*chip)
            ),
            Self::NoOtadata => f.write_str("the partition table has no otadata"),
            Self::NoWayBack => f.write_str(
                "a trial needs a way back, but it is not known where \
            otadata is",
            ),
            Self::Starts { found } => {
                write!(f, "a trial has 1 to {MAX_STARTS} starts, not {found}")
            }
            Self::NoMap => f.write_str(
                "the file does not show its flash map, so the target's confirmation cannot be \
                found",
            ),
            Self::Trailer(error) => write!(f, "primary slot: {error}"),
            Self::FirstStageTooLong { found_bytes, region } => write!(
                f,
                "first stage and first copy have {found_bytes:#x} bytes, but the bootloader's \
                region {region} has only {:#x}",
                region.len_bytes()
            ),
            Self::SecondCopy { addr, region } => write!(
                f,
                "the second copy cannot begin at {addr}: the bootloader's region is {region}"
            ),
            Self::Build(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CarrierError {}
