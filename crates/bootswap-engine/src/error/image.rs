//! What can be wrong with an artifact's bytes.

use core::fmt;

use esp_idf_format::ImageChip;
use esp_idf_format::image::ChipRevision;
use flash_region::{FlashAddr, Hex, Region};
use mcuboot_format::ImageVersion;

use crate::carrier::CarrierFault;

/// What is wrong with an artifact's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ImageFault {
    /// The file is empty.
    Empty,
    /// The file begins like a web page: a captive portal, or an error page with status 200.
    WebPage,
    /// The file's length is not the one in the migration.
    Length {
        /// Bytes according to the migration.
        wanted_bytes: u32,
        /// Bytes of the file.
        found_bytes: u32,
    },
    /// The file is longer than its region.
    TooLong {
        /// Bytes that there is room for.
        room_bytes: u32,
    },
    /// The bytes are not those that were requested.
    Misplaced {
        /// Offset of the first requested byte.
        wanted: u32,
        /// Offset of the first byte sent.
        found: u32,
    },
    /// The file's SHA-256 is not the one in the migration.
    Digest {
        /// First four bytes of the digest in the migration.
        wanted: [u8; 4],
        /// First four bytes of the digest found.
        found: [u8; 4],
    },
    /// Not an MCUboot image, or a damaged one.
    Mcuboot(mcuboot_format::ValidateError),
    /// Not an ESP image, or a damaged one.
    Esp(esp_idf_format::image::ImageError),
    /// An application that Espressif's loader does not start, or loads to the wrong memory.
    Load(mcuboot_format::espressif::LoadFault),
    /// An ESP image for another chip.
    Chip {
        /// `chip_id` of the device.
        wanted: u16,
        /// `chip_id` in the image's header.
        found: u16,
    },
    /// An ESP image that was built for more flash than there is.
    FlashSize {
        /// Bytes in the image's header.
        wanted_bytes: u32,
        /// Bytes that the device has.
        found_bytes: u32,
    },
    /// A bootloader whose header has a smaller flash size than its own map needs.
    MapBehindFlash {
        /// End of the map's last area.
        map_end: FlashAddr,
        /// Flash size in the header in bytes; 2 MiB if the size is unknown, as the bootloader
        /// assumes.
        found_bytes: u32,
    },
    /// A bootloader for other revisions of the chip: it starts, checks the revision, and resets,
    /// again and again.
    ChipRevision {
        /// First supported revision, major times 100 plus minor.
        min: u16,
        /// Last supported revision.
        max: u16,
        /// The chip's revision.
        found: u16,
    },
    /// An ESP image that uses more data lines to the flash than the bootloader in place.
    FlashMode,
    /// A bootloader whose header has a number for a flash setting that no chip and no bootloader
    /// supports.
    FlashSetting {
        /// `mode`, at offset 2, or `frequency`, the lower half of offset 3.
        field: &'static str,
        /// The number.
        number: u8,
    },
    /// An ESP image that ends before its file does, or has no digest.
    NoDigest,
    /// A partition table that the bootloader would not accept.
    Table(esp_idf_format::partition::PartitionTableError),
    /// The new partition table has no app partition with room for the application.
    NoSlot {
        /// The application's destination.
        start: FlashAddr,
        /// Its bytes.
        needed_bytes: u32,
    },
    /// The partition table in place has no app partition with room for the application, and the
    /// bootloader goes by it.
    NoPartition {
        /// Where the application goes.
        start: FlashAddr,
        /// Its bytes.
        needed_bytes: u32,
    },
    /// What the bootloader would start is nothing that the migration brings.
    StartsOther {
        /// What it would start; `None` if it finds no app partition.
        start: Option<FlashAddr>,
    },
    /// It is written over one entry of otadata, and does not bring both.
    HalfOtadata,
    /// The new partition table has its otadata elsewhere, or another number of slots, and nothing
    /// brings otadata.
    OtadataMoves {
        /// Where the new table has it.
        otadata: Region,
    },
    /// What the bootloader would start is no app image.
    NoApp {
        /// Where it would look for one.
        start: FlashAddr,
    },
    /// What is between an MCUboot image and its trailer is not erased.
    Padding {
        /// Offset of the first such byte in the file.
        offset: u32,
        /// The byte.
        found: u8,
    },
    /// A trailer that MCUboot would not accept as that of a confirmed image.
    Trailer,
    /// An image that MCUboot would erase instead of swapping it in, because it prevents downgrades.
    Downgrade {
        /// The image's version.
        version: ImageVersion,
        /// The version that MCUboot reads in the primary slot.
        over: ImageVersion,
    },
    /// Not a carrier that starts the target bootloader on this device.
    Carrier(CarrierFault),
    /// ESP-IDF's bootloader instead of MCUboot: it has the descriptor that only ESP-IDF's
    /// bootloader has.
    NotMcuboot,
    /// The file has not been fetched.
    NotFetched,
}

impl fmt::Display for ImageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::WebPage => {
                f.write_str("the file is a web page, not an image: a login page or an error page")
            }
            Self::Length { wanted_bytes, found_bytes } => {
                write!(f, "the file has {found_bytes} bytes, but the migration says {wanted_bytes}")
            }
            Self::TooLong { room_bytes } => {
                write!(f, "the file is longer than its region of {room_bytes} bytes")
            }
            Self::Misplaced { wanted, found } => {
                write!(
                    f,
                    "bytes from {found} on were sent, but bytes from {wanted} on were \
                requested"
                )
            }
            Self::Digest { wanted, found } => {
                f.write_str("the file's SHA-256 begins with ")?;
                Hex(found).fmt(f)?;
                f.write_str(", the migration says ")?;
                Hex(wanted).fmt(f)
            }
            Self::Mcuboot(error) => error.fmt(f),
            Self::Esp(error) => error.fmt(f),
            Self::Load(fault) => fault.fmt(f),
            Self::Chip { wanted, found } => {
                let (found, wanted) = (ImageChip(*found), ImageChip(*wanted));
                write!(f, "the image is for {found}; this chip is {wanted}")
            }
            Self::FlashSize { wanted_bytes, found_bytes } => write!(
                f,
                "the image is built for {wanted_bytes} bytes of flash, but there are only \
                {found_bytes}"
            ),
            Self::MapBehindFlash { map_end, found_bytes } => write!(
                f,
                "the bootloader is built for {found_bytes} bytes of flash, and its map or the \
                 partition table goes on to {map_end}; it cannot read beyond its flash"
            ),
            Self::ChipRevision { min, max, found } => {
                let [min, max, found] = [min, max, found].map(|rev| ChipRevision(*rev));
                write!(
                    f,
                    "the bootloader is for revisions {min} to {max} of the chip, but this one is \
                    {found}"
                )
            }
            Self::FlashMode => f.write_str(
                "the image uses a faster flash mode than the bootloader in place, which this board \
                 may not have",
            ),
            Self::FlashSetting { field, number } => {
                write!(f, "the flash {field} {number:#x} in its header does not exist")
            }
            Self::NoDigest => f.write_str("neither the image nor the migration has a digest"),
            Self::Table(error) => {
                f.write_str("the bootloader would not accept the partition table: ")?;
                error.fmt(f)
            }
            Self::NoSlot { start, needed_bytes } | Self::NoPartition { start, needed_bytes } => {
                write!(
                    f,
                    "the partition table has no app partition at {start} with room for the \
                 {needed_bytes} bytes of the application"
                )
            }
            Self::StartsOther { start: Some(start) } => write!(
                f,
                "the bootloader would start the app at {start}, which is not the migration's"
            ),
            Self::StartsOther { start: None } => {
                f.write_str("the bootloader would find no app partition")
            }
            Self::HalfOtadata => f.write_str(
                "it is written over otadata, of which it has to bring both entries, each at the \
                 start of its sector",
            ),
            Self::OtadataMoves { otadata } => write!(
                f,
                "the partition table has otadata at {otadata}, or another number of slots than the \
                 old one, so that nobody knows which slot it names"
            ),
            Self::NoApp { start } => {
                write!(
                    f,
                    "the bootloader would start what is written to {start}, which is not an \
                app image"
                )
            }
            Self::Padding { offset, found } => write!(
                f,
                "the byte at {offset:#x}, between image and trailer, is {found:#04x} and not 0xff; \
                 sign it without --erased-val (-R)"
            ),
            Self::Trailer => f.write_str("the trailer is not that of a confirmed image"),
            Self::Downgrade { version, over } => write!(
                f,
                "the image is version {version}; MCUboot reads version {over} in the primary slot \
                 and prevents downgrades, so it would erase the image"
            ),
            Self::Carrier(fault) => fault.fmt(f),
            Self::NotMcuboot => f.write_str("it is ESP-IDF's bootloader, not MCUboot"),
            Self::NotFetched => f.write_str("it was not fetched"),
        }
    }
}

impl core::error::Error for ImageFault {}
