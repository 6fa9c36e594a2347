//! How a boot ends.

use core::fmt;

use flash_region::Region;
use mcuboot_format::trailer::SwapType;
use mcuboot_format::{ImageHeader, ValidateError};

use crate::AreaName;

/// How a boot ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum McubootOutcome {
    /// The image in the primary slot is valid and runs.
    Run(RunningImage),
    /// Nothing valid is in the primary slot. MCUboot says "Unable to find bootable image" and stops
    /// for good; the next reset finds the same.
    Nothing(Unbootable),
    /// The bootloader itself fails before it can boot anything, and at the next reset again.
    Crash(Crash),
}

impl McubootOutcome {
    /// The image that runs, if any does.
    #[must_use]
    pub const fn running(&self) -> Option<&RunningImage> {
        match self {
            Self::Run(image) => Some(image),
            Self::Nothing(_) | Self::Crash(_) => None,
        }
    }
}

impl fmt::Display for McubootOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(image) => write!(f, "{image}"),
            Self::Nothing(why) => write!(f, "unable to find bootable image: {why}"),
            Self::Crash(why) => write!(f, "the bootloader crashes: {why}"),
        }
    }
}

/// The image that MCUboot jumps to.
///
/// Espressif's port then reads a load header after `header.hdr_size`, copies the segments that it
/// names into RAM, and hangs if its magic or addresses are wrong
/// (boot/espressif/port/esp_loader.c). That depends on the chip and is not part of this model: see
/// [`mcuboot_format::espressif`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunningImage {
    /// Its header.
    pub header: ImageHeader,
    /// The slot that it is in, always the primary.
    pub slot: Region,
    /// What was swapped at this boot; [`SwapType::None`] if nothing was.
    pub swapped: SwapType,
    /// Whether the swap had begun at an earlier boot and was completed at this one.
    pub resumed: bool,
}

impl fmt::Display for RunningImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image {} in {} runs", self.header.version, self.slot)?;
        match (self.swapped, self.resumed) {
            (SwapType::None, _) => Ok(()),
            (swapped, false) => write!(f, " after a {swapped} swap"),
            (swapped, true) => write!(f, " after an interrupted {swapped} swap was completed"),
        }
    }
}

/// Why nothing can be booted from a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Unbootable {
    /// The first word of the slot is erased.
    Erased,
    /// The flag that forbids booting is set, whether or not the rest is a header.
    NonBootable,
    /// There is no image, or not one that the bootloader accepts.
    Image(ValidateError),
}

impl fmt::Display for Unbootable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Erased => f.write_str("the slot is erased"),
            Self::NonBootable => f.write_str("the slot is marked as not bootable"),
            Self::Image(error) => write!(f, "{error}"),
        }
    }
}

/// How the bootloader fails.
///
/// On Espressif's port every one of these ends in a hang or a reset, and then happens again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Crash {
    /// The status area says that a swap was interrupted, and that swap is larger than the slots.
    /// MCUboot does not check its size and reads past the end of its sector tables
    /// (`find_last_sector_idx`, boot/bootutil/src/swap_scratch.c; `swap_run`,
    /// boot/bootutil/src/swap_move.c and swap_offset.c).
    SwapSize {
        /// What the trailer says, in bytes; 0xffffffff where it is erased.
        found_bytes: u32,
    },
    /// An area has so many more sectors than the bootloader has room for that its list of sectors
    /// overwrites its state (`flash_area_get_sectors`, boot/espressif/port/esp_mcuboot.c). A valid
    /// image in the primary does not help. Zephyr's bootloaders check the room, and boot nothing
    /// either.
    SectorTables {
        /// Which area has too many.
        area: AreaName,
        /// How many sectors it has.
        sectors: u32,
        /// How many sectors each table has room for.
        max_sectors: u32,
    },
    /// The image in a slot that is about to be swapped has no TLVs, so its size is unknown:
    /// `assert` in `boot_swap_image`, boot/bootutil/src/loader.c.
    ImageSize {
        /// The slot.
        slot: AreaName,
    },
    /// The trailer asks for a type of swap that does not exist: "panic!" in `context_boot_go`,
    /// boot/bootutil/src/loader.c.
    SwapType {
        /// What the trailer says.
        found: u8,
    },
    /// An area would be read, programmed or erased past its end. The flash layer refuses that, and
    /// bootutil asserts that it does not.
    OutOfArea {
        /// The area.
        area: AreaName,
        /// From where in it.
        offset_bytes: u32,
        /// How much.
        len_bytes: u32,
    },
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SwapSize { found_bytes } => {
                write!(f, "an interrupted swap of {found_bytes:#x} bytes is larger than the slots")
            }
            Self::SectorTables { area, sectors, max_sectors } => write!(
                f,
                "the {area} has {sectors} sectors, which is more than the bootloader's tables of \
                 {max_sectors} have room for"
            ),
            Self::ImageSize { slot } => {
                write!(f, "the size of the image in the {slot} is unknown")
            }
            Self::SwapType { found } => {
                write!(f, "panic! the trailer asks for a swap of type {found:#x}")
            }
            Self::OutOfArea { area, offset_bytes, len_bytes } => write!(
                f,
                "{len_bytes:#x} bytes from offset {offset_bytes:#x} are not inside the {area}"
            ),
        }
    }
}
