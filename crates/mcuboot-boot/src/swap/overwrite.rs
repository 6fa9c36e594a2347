//! Overwriting: the secondary is copied, and the primary's old image is gone
//! (`boot_copy_image`, boot/bootutil/src/loader.c, without `MCUBOOT_OVERWRITE_ONLY_FAST`).

use embedded_storage::nor_flash::NorFlash;
use flash_region::SECTOR_BYTES;

use crate::areas::{Order, Step};
use crate::loader::Loader;
use crate::{AreaName, BootEvent};

impl<F: NorFlash, O: FnMut(BootEvent)> Loader<'_, F, O> {
    /// Copies the whole secondary slot, its trailer included, over the primary.
    ///
    /// # Power-fail safety
    /// The secondary asks for it until its trailer is erased, which comes last. Until its header is
    /// erased, which comes before, the copy begins anew.
    pub(crate) fn overwrite(&mut self) -> Step<(), F::Error> {
        use AreaName::{Primary, Secondary};
        let len_bytes = self.areas.len_bytes(Primary);
        self.areas.erase(Primary, 0, len_bytes, Order::Forward)?;
        self.report(BootEvent::Overwriting { len_bytes });
        self.areas.copy((Secondary, 0), (Primary, 0), len_bytes)?;
        self.areas.erase(Secondary, 0, SECTOR_BYTES, Order::Forward)?;
        let last = self.areas.len_bytes(Secondary).saturating_sub(SECTOR_BYTES);
        self.areas.erase(Secondary, last, SECTOR_BYTES, Order::Forward)
    }
}
