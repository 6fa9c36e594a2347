//! Reads the headers of both images from where an interrupted swap has left them.

use embedded_storage::nor_flash::NorFlash;
use mcuboot_format::trailer::SwapType;
use mcuboot_format::{ImageHeader, SwapKind};

use crate::AreaName;
use crate::areas::Step;
use crate::loader::Loader;
use crate::progress::Progress;
use crate::slot_header::{Need, SlotHeader};
use crate::{BootEvent, decide};

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

    /// Reads the headers from where the swap has left them. Returns whether those that are needed
    /// are there.
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
                    // Swap using scratch accepts whatever it finds.
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

    /// Takes the bytes there as the header of the image that belongs to `slot`. Returns whether
    /// they have a header's magic.
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

    /// Where in the slot its image starts: at the start of the slot, except with swap using offset.
    pub(crate) fn image_offset(&self, slot: AreaName) -> u32 {
        if slot == AreaName::Secondary { self.secondary_offset } else { 0 }
    }

    /// What the trailers ask for. It is reported at each call, because MCUboot logs it each time.
    pub(crate) fn swap_type(&mut self) -> Step<SwapType, F::Error> {
        let primary = self.areas.trailer(AreaName::Primary)?;
        let secondary = self.areas.trailer(AreaName::Secondary)?;
        let swap_type = decide::swap_type(self.areas.config.swap(), &primary, &secondary);
        self.report(BootEvent::SwapType(swap_type));
        Ok(swap_type)
    }
}
