//! Why a migration ended early.

use core::fmt;

use bootswap_plan::ArtifactIndex;
use flash_region::{FlashAddr, Region};

use crate::{SourceError, Veto};

/// What was done to flash when it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlashOp {
    /// Reading.
    Read,
    /// Programming.
    Program,
    /// Erasing.
    Erase,
}

/// The flash driver's error, with what it was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlashFailure<E> {
    /// What was done.
    pub op: FlashOp,
    /// Where.
    pub region: Region,
    /// What the driver said.
    pub cause: E,
}

/// What is wrong with an artifact's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ImageFault {
    /// The file is empty.
    Empty,
    /// The file begins like a web page: a captive portal, or an error page with status 200.
    WebPage,
    /// The file's length is not the one that the migration names.
    Length {
        /// Bytes that the migration names.
        wanted_bytes: u32,
        /// Bytes of the file.
        found_bytes: u32,
    },
    /// The file is longer than the place it is for.
    TooLong {
        /// Bytes there is room for.
        room_bytes: u32,
    },
    /// The bytes are not those that were asked for.
    Misplaced {
        /// Offset of the first byte asked for.
        wanted: u32,
        /// Offset of the first byte sent.
        found: u32,
    },
    /// The file's SHA-256 is not the one that the migration names.
    Digest {
        /// First four bytes of the digest that the migration names.
        wanted: [u8; 4],
        /// First four bytes of the digest found.
        found: [u8; 4],
    },
    /// Not an MCUboot image, or a damaged one.
    Mcuboot(mcuboot_format::ValidateError),
    /// The MCUboot image's key cannot be used.
    Key,
    /// Not an ESP image, or a damaged one.
    Esp(esp_idf_format::image::ImageError),
    /// An ESP image for another chip.
    Chip {
        /// `chip_id` of the device.
        wanted: u16,
        /// `chip_id` in the image's header.
        found: u16,
    },
    /// An ESP image that counts on more flash than there is.
    FlashSize {
        /// Bytes in the image's header.
        wanted_bytes: u32,
        /// Bytes that the device has.
        found_bytes: u32,
    },
    /// A bootloader whose header says less flash than its own map takes.
    MapBehindFlash {
        /// End of the map's last area.
        map_end: FlashAddr,
        /// Bytes of flash in the header; 2 MiB where it holds no known size, as the bootloader takes it.
        found_bytes: u32,
    },
    /// A bootloader for other revisions of the chip: it starts, looks, and resets, for ever.
    ChipRevision {
        /// The first that will do, major times 100 plus minor.
        min: u16,
        /// The last that will do.
        max: u16,
        /// The chip's.
        found: u16,
    },
    /// An ESP image that talks to the flash through more lines than the bootloader in place does.
    FlashMode,
    /// An ESP image that ends before its file does, or has no digest of its own.
    NoDigest,
    /// A trailer that MCUboot would not take for that of a confirmed image.
    Trailer,
}

/// Why a migration ended early. The device still boots the migrator, or the old firmware, unless
/// the failure is [`Failure::Commit`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Failure<E> {
    /// The flash does not do what it is told, in spite of repetition.
    Flash(FlashFailure<E>),
    /// A sector does not take its contents, although the driver reports no error.
    Stuck {
        /// The sector.
        sector: FlashAddr,
    },
    /// An artifact could not be fetched, in spite of repetition.
    Source {
        /// Which one.
        artifact: ArtifactIndex,
        /// The last error.
        cause: SourceError<core::convert::Infallible>,
    },
    /// An artifact is not what it should be, in spite of repetition.
    Image {
        /// Which one.
        artifact: ArtifactIndex,
        /// What is wrong.
        fault: ImageFault,
    },
    /// Bytes would be lost that must stay.
    InUse {
        /// Where.
        region: Region,
    },
    /// A region that must be blank or marked is neither, and may not be erased.
    Unclean {
        /// Where.
        region: Region,
    },
    /// The plan asks for what the engine was not given, such as memory to stage in.
    Plan(&'static str),
    /// The platform does not let the commit start.
    Veto(Veto),
    /// Too many attempts without progress; the firmware goes back to where it came from.
    GivenUp {
        /// Attempts without progress.
        attempts: u32,
    },
    /// The bootloader's place does not take the new bootloader. The device **must not be reset**: it
    /// would not boot.
    Commit {
        /// First address that differs.
        at: FlashAddr,
    },
}

impl<E> Failure<E> {
    /// The failure's number, as reports from devices carry it. Never reordered.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self {
            Self::Flash(_) => 1,
            Self::Stuck { .. } => 2,
            Self::Source { .. } => 3,
            Self::Image { .. } => 4,
            Self::InUse { .. } => 5,
            Self::Unclean { .. } => 6,
            Self::Plan(_) => 7,
            Self::Veto(_) => 8,
            Self::GivenUp { .. } => 9,
            Self::Commit { .. } => 10,
        }
    }

    /// Whether the device may be reset: everywhere but after a commit that did not verify.
    #[must_use]
    pub const fn may_reset(&self) -> bool {
        !matches!(self, Self::Commit { .. })
    }
}

impl<E> From<FlashFailure<E>> for Failure<E> {
    fn from(failure: FlashFailure<E>) -> Self {
        Self::Flash(failure)
    }
}

/// A revision as Espressif writes it.
struct Revision(u16);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u16::MAX => f.write_str("any"),
            rev => write!(f, "v{}.{}", rev / 100, rev % 100),
        }
    }
}

impl fmt::Display for FlashOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "reading",
            Self::Program => "programming",
            Self::Erase => "erasing",
        })
    }
}

impl<E: fmt::Debug> fmt::Display for FlashFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} flash at {} failed: {:?}", self.op, self.region, self.cause)
    }
}

impl fmt::Display for ImageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::WebPage => f.write_str("the file is a web page, not an image: a login page or an error page"),
            Self::Length { wanted_bytes, found_bytes } => {
                write!(f, "the file has {found_bytes} bytes, the migration says {wanted_bytes}")
            }
            Self::TooLong { room_bytes } => write!(f, "the file is longer than its place of {room_bytes} bytes"),
            Self::Misplaced { wanted, found } => {
                write!(f, "bytes from {found} on were sent, from {wanted} on were asked for")
            }
            Self::Digest { wanted, found } => {
                f.write_str("the file's SHA-256 begins with ")?;
                hex(f, found)?;
                f.write_str(", the migration says ")?;
                hex(f, wanted)
            }
            Self::Mcuboot(error) => error.fmt(f),
            Self::Key => f.write_str("the bootloader's public key is of a kind that this build cannot check"),
            Self::Esp(error) => error.fmt(f),
            Self::Chip { wanted, found } => {
                write!(f, "the image is for a chip with id {found}, this one has id {wanted}")
            }
            Self::FlashSize { wanted_bytes, found_bytes } => {
                write!(f, "the image counts on {wanted_bytes} bytes of flash, there are {found_bytes}")
            }
            Self::MapBehindFlash { map_end, found_bytes } => write!(
                f,
                "the bootloader is built for {found_bytes} bytes of flash and its map goes on to {map_end}; it would \
                 not read behind its flash"
            ),
            Self::ChipRevision { min, max, found } => {
                let [min, max, found] = [min, max, found].map(|rev| Revision(*rev));
                write!(f, "the bootloader is for revisions {min} to {max} of the chip, this one is {found}")
            }
            Self::FlashMode => {
                f.write_str("the image uses a faster flash mode than the bootloader in place, which this board may not have")
            }
            Self::NoDigest => f.write_str("the image carries no digest of its own and the migration names none"),
            Self::Trailer => f.write_str("the trailer is not that of a confirmed image"),
        }
    }
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl<E: fmt::Debug> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(failure) => failure.fmt(f),
            Self::Stuck { sector } => write!(
                f,
                "the sector at {sector} does not take its contents; the flash may be worn out"
            ),
            Self::Source { artifact, cause } => {
                write!(f, "artifact {} could not be fetched: ", artifact.0)?;
                fmt::Display::fmt(cause, f)
            }
            Self::Image { artifact, fault } => {
                write!(
                    f,
                    "artifact {} is not usable: {fault}; put the file that was packed back on the server, or pack again",
                    artifact.0
                )
            }
            Self::InUse { region } => write!(f, "{region} is in use and must not be written"),
            Self::Unclean { region } => write!(
                f,
                "{region} holds old bytes that MCUboot would stumble over, and cannot be erased"
            ),
            Self::Plan(what) => write!(f, "the plan cannot be carried out: {what}"),
            Self::Veto(veto) => write!(f, "the commit did not start: {veto}"),
            Self::GivenUp { attempts } => {
                write!(f, "given up after {attempts} attempts without progress")
            }
            Self::Commit { at } => write!(
                f,
                "the bootloader's place does not take its contents at {at}; do not reset, the device would not boot"
            ),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for Failure<E> {}
