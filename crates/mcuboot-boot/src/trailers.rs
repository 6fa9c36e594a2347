//! Reads and writes the fields of trailers in flash.

use embedded_storage::nor_flash::NorFlash;
use flash_region::{ERASED, FlashAddr};
use mcuboot_format::trailer::{FLAG_SET, SwapInfo, TrailerState, magic_bytes};

use crate::areas::{Areas, COPY_BYTES, Order, Step, chunk};
use crate::{AreaName, Crash};

/// More than the fields of any trailer: five and the magic, 32 bytes each.
const FIELDS_BYTES: usize = 6 * 32;
/// The largest unit in which a trailer is programmed.
const UNIT_BYTES: usize = 32;

impl<F: NorFlash> Areas<'_, F> {
    /// The fields of the trailer (`boot_read_swap_state`, boot/bootutil/src/bootutil_public.c).
    pub(crate) fn trailer(&mut self, area: AreaName) -> Step<TrailerState, F::Error> {
        let layout = self.layout(area)?;
        let len_bytes = layout.fields().len_bytes();
        let offset = self.len_bytes(area).wrapping_sub(len_bytes);
        let mut buffer = [ERASED; FIELDS_BYTES];
        let fields = chunk(&mut buffer, len_bytes);
        self.read(area, offset, fields)?;
        let short = Crash::OutOfArea { area, offset_bytes: offset, len_bytes };
        TrailerState::parse(layout, fields).map_err(|_| short.into())
    }

    fn field(&self, area: AreaName, addr: FlashAddr) -> Step<u32, F::Error> {
        Ok(addr.bytes_since(self.layout(area)?.slot().start()))
    }

    /// Programs a field: `value` at its start, filled up to whole write units with erased bytes.
    fn write_field(&mut self, area: AreaName, addr: FlashAddr, value: &[u8]) -> Step<(), F::Error> {
        let unit = usize::try_from(self.config.trailer().write_unit_bytes).unwrap_or(UNIT_BYTES);
        let mut buffer = [ERASED; UNIT_BYTES];
        for (to, from) in buffer.iter_mut().zip(value) {
            *to = *from;
        }
        let len = value.len().next_multiple_of(unit).min(UNIT_BYTES);
        let offset = self.field(area, addr)?;
        self.write(area, offset, buffer.split_at(len).0)
    }

    pub(crate) fn write_image_ok(&mut self, area: AreaName) -> Step<(), F::Error> {
        let addr = self.layout(area)?.image_ok();
        self.write_field(area, addr, &[FLAG_SET])
    }

    pub(crate) fn write_copy_done(&mut self, area: AreaName) -> Step<(), F::Error> {
        let addr = self.layout(area)?.copy_done();
        self.write_field(area, addr, &[FLAG_SET])
    }

    pub(crate) fn write_swap_info(&mut self, area: AreaName, info: SwapInfo) -> Step<(), F::Error> {
        let addr = self.layout(area)?.swap_info();
        self.write_field(area, addr, &[info.0])
    }

    pub(crate) fn write_swap_size(&mut self, area: AreaName, size: u32) -> Step<(), F::Error> {
        match self.layout(area)?.swap_size() {
            Some(addr) => self.write_field(area, addr, &size.to_le_bytes()),
            None => Ok(()),
        }
    }

    /// Programs the sizes of the unprotected TLVs, the primary's in the low half; only swap using
    /// offset has the field.
    pub(crate) fn write_tlv_sizes(
        &mut self,
        area: AreaName,
        [primary, secondary]: [u16; 2],
    ) -> Step<(), F::Error> {
        match self.layout(area)?.unprotected_tlv_sizes() {
            Some(addr) => {
                let [p0, p1] = primary.to_le_bytes();
                let [s0, s1] = secondary.to_le_bytes();
                self.write_field(area, addr, &[p0, p1, s0, s1])
            }
            None => Ok(()),
        }
    }

    /// Programs the magic, which goes last because it says that the rest is there.
    pub(crate) fn write_magic(&mut self, area: AreaName) -> Step<(), F::Error> {
        let config = self.config.trailer();
        let padded = self.layout(area)?.padded_magic();
        let mut buffer = [ERASED; UNIT_BYTES];
        let bytes = chunk(&mut buffer, padded.len_bytes());
        let magic = magic_bytes(config.max_align);
        for (to, from) in bytes.iter_mut().rev().zip(magic.iter().rev()) {
            *to = *from;
        }
        let offset = self.field(area, padded.start())?;
        self.write(area, offset, bytes)
    }

    /// The size of the swap under way, 0xffffffff where it is erased.
    pub(crate) fn swap_size(&mut self, area: AreaName) -> Step<u32, F::Error> {
        Ok(self.trailer(area)?.swap_size_bytes.unwrap_or(u32::MAX))
    }

    /// Erases the sectors that hold part of the slot's trailer, the last one first
    /// (`swap_scramble_trailer_sectors`, boot/bootutil/src/swap_misc.c).
    pub(crate) fn erase_trailer(&mut self, slot: AreaName) -> Step<(), F::Error> {
        let trailer = self.layout(slot)?.trailer();
        let offset = self.field(slot, trailer.start())?;
        self.erase(slot, offset, trailer.len_bytes(), Order::Backward)
    }

    /// Programs the entry of a step that is done, counted from the start of the status area. Its
    /// value is `state + 1`; only whether it is erased ever matters.
    pub(crate) fn write_status(
        &mut self,
        area: AreaName,
        step: u32,
        state: u8,
    ) -> Step<(), F::Error> {
        let layout = self.layout(area)?;
        let unit = self.config.trailer().write_unit_bytes;
        // Counted without a limit, as by bootutil: an entry past the status area is written into
        // the fields after it.
        let offset = layout.offset_bytes().wrapping_add(step.wrapping_mul(unit));
        let mut buffer = [ERASED; UNIT_BYTES];
        let [first, ..] = &mut buffer;
        *first = state + 1;
        self.write(area, offset, chunk(&mut buffer, unit))
    }

    /// Calls `visit` for each entry of the status area in order, with whether it is erased.
    pub(crate) fn scan_status(
        &mut self,
        area: AreaName,
        mut visit: impl FnMut(u32, bool),
    ) -> Step<(), F::Error> {
        let layout = self.layout(area)?;
        let unit = usize::try_from(self.config.trailer().write_unit_bytes).unwrap_or(UNIT_BYTES);
        let mut buffer = [ERASED; COPY_BYTES];
        let mut step = 0;
        for piece in layout.status().chunks(COPY_BYTES as u32) {
            let bytes = chunk(&mut buffer, piece.len_bytes());
            let offset = self.field(area, piece.start())?;
            self.read(area, offset, bytes)?;
            for entry in bytes.chunks(unit) {
                visit(step, entry.first() == Some(&ERASED));
                step += 1;
            }
        }
        Ok(())
    }
}
