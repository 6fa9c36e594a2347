//! The first bytes of a slot.

use mcuboot_format::{HeaderError, ImageFlags, ImageHeader};

/// The first bytes of a slot, which may or may not be a header.
#[derive(Clone, Copy)]
pub(crate) struct SlotHeader(pub(crate) [u8; ImageHeader::LEN_BYTES]);

impl SlotHeader {
    /// Its value before any slot is read.
    pub(crate) const UNREAD: Self = Self([0; ImageHeader::LEN_BYTES]);

    pub(crate) fn image(&self) -> Result<ImageHeader, HeaderError> {
        ImageHeader::from_bytes(&self.0)
    }

    /// Whether the magic is erased (`boot_check_header_erased`,
    /// boot/bootutil/src/bootutil_loader.c).
    pub(crate) fn is_erased(&self) -> bool {
        self.0.first_chunk::<4>().is_some_and(|magic| flash_region::is_blank(magic))
    }

    /// Whether the bit is set that forbids to boot the image, which MCUboot looks at even where
    /// there is no header.
    pub(crate) fn is_non_bootable(&self) -> bool {
        let flags = self.0.get(16..).and_then(|rest| rest.first_chunk().copied());
        flags.is_some_and(|flags| ImageFlags(u32::from_le_bytes(flags)).is_non_bootable())
    }
}

/// Which header is meant, and whether it may be missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// That of the primary; the secondary may have none.
    Primary,
    /// Both.
    Both,
}
