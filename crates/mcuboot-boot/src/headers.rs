//! The headers of both images, wherever an interrupted swap has left them.

use embedded_storage::nor_flash::NorFlash;
use mcuboot_format::trailer::SwapType;
use mcuboot_format::{HeaderError, ImageFlags, ImageHeader, SwapKind};

use crate::AreaName;
use crate::areas::Step;
use crate::loader::Loader;
use crate::progress::Progress;
use crate::{BootEvent, decide};

/// The first bytes of a slot, which may or may not be a header.
#[derive(Clone, Copy)]
pub(crate) struct SlotHeader([u8; ImageHeader::LEN_BYTES]);

impl SlotHeader {
    /// What there is before any slot was read.
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

impl<F: NorFlash, O: FnMut(BootEvent)> Loader<'_, F, O> {
    /// Reads the headers from the starts of the slots, whatever is there
    /// (`boot_read_image_headers` without a boot status, boot/bootutil/src/bootutil_loader.c).
    pub(crate) fn read_headers(&mut self) -> Step<(), F::Error> {
        for slot in [AreaName::Primary, AreaName::Secondary] {
            match self.areas.config.swap() {
                SwapKind::Offset => self.read_header_offset(slot, None)?,
                _ => self.read_header_at(slot, slot, 0)?,
            };
        }
        Ok(())
    }

    /// Reads the headers from where the swap has left them. The result is whether those that are
    /// needed are there.
    pub(crate) fn read_headers_during(
        &mut self,
        progress: &Progress,
        need: Need,
    ) -> Step<bool, F::Error> {
        for slot in [AreaName::Primary, AreaName::Secondary] {
            let found = match self.areas.config.swap() {
                SwapKind::Overwrite => self.read_header_at(slot, slot, 0)?,
                SwapKind::Scratch => {
                    let area = self.header_area_scratch(slot, progress)?;
                    // Swap using scratch does not mind what it finds.
                    self.read_header_at(slot, area, 0)?;
                    true
                }
                SwapKind::Move => {
                    let (area, offset) = self.header_place_move(slot, progress)?;
                    self.read_header_at(slot, area, offset)?
                }
                SwapKind::Offset => self.read_header_offset(slot, Some(progress))?,
            };
            if !found && (slot == AreaName::Primary || need == Need::Both) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes what is there for the header of the image that belongs to `slot`. The result is
    /// whether it has a header's magic.
    pub(crate) fn read_header_at(
        &mut self,
        slot: AreaName,
        area: AreaName,
        offset: u32,
    ) -> Step<bool, F::Error> {
        let mut bytes = [0; ImageHeader::LEN_BYTES];
        self.areas.read(area, offset, &mut bytes)?;
        let header = SlotHeader(bytes);
        *self.header_mut(slot) = header;
        Ok(header.image().is_ok())
    }

    pub(crate) fn header(&self, slot: AreaName) -> &SlotHeader {
        let [primary, secondary] = &self.headers;
        if slot == AreaName::Primary { primary } else { secondary }
    }

    fn header_mut(&mut self, slot: AreaName) -> &mut SlotHeader {
        let [primary, secondary] = &mut self.headers;
        if slot == AreaName::Primary { primary } else { secondary }
    }

    /// Where in the slot its image starts; only swap using offset has it elsewhere than at the
    /// start.
    pub(crate) fn image_offset(&self, slot: AreaName) -> u32 {
        if slot == AreaName::Secondary { self.secondary_offset } else { 0 }
    }

    /// What the trailers ask for, reported each time as MCUboot logs it each time.
    pub(crate) fn swap_type(&mut self) -> Step<SwapType, F::Error> {
        let primary = self.areas.trailer(AreaName::Primary)?;
        let secondary = self.areas.trailer(AreaName::Secondary)?;
        let swap_type = decide::swap_type(self.areas.config.swap(), &primary, &secondary);
        self.report(BootEvent::SwapType(swap_type));
        Ok(swap_type)
    }
}
