//! The first bytes of a slot.

use mcuboot_format::{HeaderError, ImageFlags, ImageHeader, ImageRank};

/// The first bytes of a slot, which may or may not be a header.
#[derive(Clone, Copy)]
pub(crate) struct SlotHeader(pub(crate) [u8; ImageHeader::LEN_BYTES]);

impl SlotHeader {
    /// Its value before any slot is read.
    pub(crate) const UNREAD: Self = Self([0; ImageHeader::LEN_BYTES]);

    pub(crate) fn image(&self) -> Result<ImageHeader, HeaderError> {
        ImageHeader::from_bytes(&self.0)
    }

    /// What downgrade prevention compares, as far as it is in these bytes, whether or not they are
    /// a header.
    pub(crate) fn rank(&self) -> ImageRank {
        ImageRank::of_slot(&self.0)
    }

    /// Where the TLVs are if there is a header: the offset of the first area, and how long the
    /// protected one is. Without a header, the values that MCUboot reads there.
    pub(crate) fn tlvs(&self) -> (u32, u16) {
        let half = |at: usize| self.0.get(at..).and_then(|rest| rest.first_chunk().copied());
        let word = |at: usize| self.0.get(at..).and_then(|rest| rest.first_chunk().copied());
        let hdr_size = half(8).map_or(0, u16::from_le_bytes);
        let protected = half(10).map_or(0, u16::from_le_bytes);
        let img_size = word(12).map_or(0, u32::from_le_bytes);
        (img_size.wrapping_add(hdr_size.into()), protected)
    }

    /// Whether the magic is erased (`boot_check_header_erased`,
    /// boot/bootutil/src/bootutil_loader.c).
    pub(crate) fn is_erased(&self) -> bool {
        self.0.first_chunk::<4>().is_some_and(|magic| flash_region::is_blank(magic))
    }

    /// Whether the flag is set that forbids booting the image. MCUboot reads it even if there is no
    /// header.
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
