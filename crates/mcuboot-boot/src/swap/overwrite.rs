//! Overwriting: the secondary is copied, and the primary's old image is gone
//! (`boot_copy_image`, boot/bootutil/src/loader.c).
//!
//! ```text
//!                 primary after an image of 2 sectors      secondary after it
//!   whole slot    | a b - - - - trailer |                  | - b c d e trailer's first part - |
//!   fast          | a b C D E - magic   |                  | the same                         |
//! ```
//!
//! The whole slot: the trailer comes along, so that the new image is confirmed if it was so before.
//! Fast (`MCUBOOT_OVERWRITE_ONLY_FAST`): what follows the image stays, but for the sectors that
//! could hold a trailer of a swap, and the trailer gets its magic alone.

use embedded_storage::nor_flash::NorFlash;
use flash_region::SECTOR_BYTES;
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::{TrailerConfig, TrailerLayout};

use crate::areas::{Order, Step};
use crate::loader::Loader;
use crate::{AreaName, BootEvent, Crash};

impl<F: NorFlash, O: FnMut(BootEvent)> Loader<'_, F, O> {
    /// Copies the secondary over the primary: all of it, or only what the image needs, as the
    /// bootloader was built.
    ///
    /// # Power-fail safety
    /// The secondary asks for the copy until its trailer is erased, which is the last step. Until
    /// its header is erased, the step before, the copy begins again.
    pub(crate) fn overwrite(&mut self) -> Step<(), F::Error> {
        use AreaName::{Primary, Secondary};
        let fast = self.areas.config.overwrites_fast();
        let len_bytes = if fast {
            self.make_room_for_image()?
        } else {
            let len_bytes = self.areas.len_bytes(Primary);
            self.areas.erase(Primary, 0, len_bytes, Order::Forward)?;
            len_bytes
        };
        self.report(BootEvent::Overwriting { len_bytes });
        self.areas.copy((Secondary, 0), (Primary, 0), len_bytes)?;
        if fast {
            self.areas.write_magic(Primary)?;
        }
        self.areas.erase(Secondary, 0, SECTOR_BYTES, Order::Forward)?;
        let last = self.areas.len_bytes(Secondary).saturating_sub(SECTOR_BYTES);
        self.areas.erase(Secondary, last, SECTOR_BYTES, Order::Forward)
    }

    /// Erases as many sectors of the primary as the new image takes, and those of the trailer.
    /// Returns how many bytes to copy: the image and at least one more byte, in whole write units.
    fn make_room_for_image(&mut self) -> Step<u32, F::Error> {
        use AreaName::{Primary, Secondary};
        let header = self.header(Secondary).image().unwrap_or_default();
        let image_len = self.image_size(Secondary, &header)?;
        let in_sectors = image_len.next_multiple_of(SECTOR_BYTES).max(SECTOR_BYTES);
        self.areas.erase(Primary, 0, in_sectors, Order::Forward)?;
        let slot = self.areas.layout(Primary)?.slot();
        // The room of a status area is counted, although overwriting keeps none
        // (`boot_trailer_sz`, boot/bootutil/src/bootutil_area.c).
        let config = TrailerConfig { swap: SwapKind::Scratch, ..self.areas.config.trailer() };
        let (area, offset_bytes, len_bytes) = (Primary, 0, slot.len_bytes());
        let trailer = TrailerLayout::new(slot, config).map_err(|_| Crash::OutOfArea {
            area,
            offset_bytes,
            len_bytes,
        })?;
        let first = trailer.offset_bytes() / SECTOR_BYTES * SECTOR_BYTES;
        self.areas.erase(Primary, first, slot.len_bytes() - first, Order::Forward)?;
        let unit = config.write_unit_bytes;
        Ok(image_len.saturating_add(1).next_multiple_of(unit))
    }
}
