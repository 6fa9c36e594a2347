//! The common parts of the three kinds of swap.

mod overwrite;
mod using_move;
mod using_offset;
mod using_scratch;

use embedded_storage::nor_flash::NorFlash;
use flash_region::SECTOR_BYTES;
use mcuboot_format::tlv::{AREA_MAGIC, PROTECTED_AREA_MAGIC};
use mcuboot_format::trailer::{Flag, Magic, SwapInfo, SwapType};
use mcuboot_format::{ImageHeader, SwapKind};

use crate::areas::Step;
use crate::loader::Loader;
use crate::progress::Progress;
use crate::{AreaName, BootEvent, Crash};

impl<F: NorFlash, O: FnMut(BootEvent)> Loader<'_, F, O> {
    /// Exchanges the images, from the beginning or from where an earlier boot was interrupted
    /// (`boot_swap_image`, boot/bootutil/src/loader.c).
    pub(crate) fn swap_images(&mut self, progress: &mut Progress) -> Step<(), F::Error> {
        let swap = self.areas.config.swap();
        if progress.is_start(swap) {
            let mut largest = 0;
            for slot in [AreaName::Primary, AreaName::Secondary] {
                if let Ok(header) = self.header(slot).image() {
                    largest = largest.max(self.image_size(slot, &header)?);
                }
            }
            progress.swap_size = largest;
        } else {
            let area = self.status_area()?;
            progress.swap_size = self.areas.swap_size(area)?;
        }
        self.report(BootEvent::Swapping(swap));
        match swap {
            SwapKind::Scratch => self.exchange_scratch(progress),
            SwapKind::Move => self.exchange_move(progress),
            SwapKind::Offset => self.exchange_offset(progress),
            SwapKind::Overwrite => Ok(()),
        }
    }

    /// The area whose trailer has the size of the swap under way: the scratch area if its magic is
    /// good, otherwise the primary, whatever its magic is (`boot_find_status`,
    /// boot/bootutil/src/bootutil_misc.c).
    pub(super) fn status_area(&mut self) -> Step<AreaName, F::Error> {
        if self.areas.config.swap() == SwapKind::Scratch
            && self.areas.trailer(AreaName::Scratch)?.magic == Magic::Good
        {
            return Ok(AreaName::Scratch);
        }
        Ok(AreaName::Primary)
    }

    /// Bytes of an image with its TLVs, as the TLV headers say (`boot_read_image_size`,
    /// boot/bootutil/src/bootutil_misc.c). The primary's image was not validated before this.
    pub(super) fn image_size(
        &mut self,
        slot: AreaName,
        header: &ImageHeader,
    ) -> Step<u32, F::Error> {
        let start = self.image_offset(slot);
        let tlvs = header.img_size.wrapping_add(u32::from(header.hdr_size));
        let mut info = self.area_header(slot, start.wrapping_add(tlvs))?;
        let protected = header.protect_tlv_size;
        let expected = if protected == 0 { AREA_MAGIC } else { PROTECTED_AREA_MAGIC };
        if info == (PROTECTED_AREA_MAGIC, protected) {
            info =
                self.area_header(slot, start.wrapping_add(tlvs).wrapping_add(protected.into()))?;
        } else if info.0 != expected {
            return Err(Crash::ImageSize { slot }.into());
        }
        match info {
            (AREA_MAGIC, len_bytes) => {
                let [primary, secondary] = &mut self.tlv_sizes;
                *(if slot == AreaName::Primary { primary } else { secondary }) = len_bytes;
                Ok(tlvs.wrapping_add(protected.into()).wrapping_add(len_bytes.into()))
            }
            _ => Err(Crash::ImageSize { slot }.into()),
        }
    }

    fn area_header(&mut self, slot: AreaName, offset: u32) -> Step<(u16, u16), F::Error> {
        let [m0, m1, l0, l1] = self.areas.read_word(slot, offset)?;
        Ok((u16::from_le_bytes([m0, m1]), u16::from_le_bytes([l0, l1])))
    }

    /// Writes the trailer of a swap that begins (`swap_status_init`,
    /// boot/bootutil/src/swap_misc.c).
    ///
    /// # Power-fail safety
    /// The magic is written last. Without it the fields before it mean nothing, and the swap begins
    /// again.
    pub(super) fn start_trailer(
        &mut self,
        area: AreaName,
        progress: &Progress,
    ) -> Step<(), F::Error> {
        let secondary = self.areas.trailer(AreaName::Secondary)?;
        if progress.swap_type != SwapType::None as u8 {
            self.areas.write_swap_info(area, SwapInfo(progress.swap_type))?;
        }
        if secondary.image_ok == Flag::Set {
            self.areas.write_image_ok(area)?;
        }
        self.areas.write_swap_size(area, progress.swap_size)?;
        self.areas.write_tlv_sizes(area, self.tlv_sizes)?;
        self.areas.write_magic(area)
    }

    /// Whether a swap in which the primary's sector `last` takes part stays clear of its trailer
    /// (`swap_run`, boot/bootutil/src/swap_move.c and swap_offset.c).
    pub(super) fn has_space(&mut self, last: u32) -> bool {
        let first_trailer_sector = self.areas.config.first_trailer_sector(AreaName::Primary);
        if last < first_trailer_sector {
            return true;
        }
        self.report(BootEvent::NotEnoughSpace {
            needed_bytes: last.saturating_add(1).saturating_mul(SECTOR_BYTES),
            available_bytes: first_trailer_sector.saturating_mul(SECTOR_BYTES),
        });
        false
    }

    /// Offset of a sector of the primary or the secondary.
    ///
    /// MCUboot looks it up in a table of `max_sectors` entries, and those after the slot's last
    /// sector are zero: there, a swap that is larger than the slot goes on at the slot's start.
    /// What follows the table is unknown.
    pub(super) fn sector(
        &self,
        slot: AreaName,
        index: u32,
        progress: &Progress,
    ) -> Result<u32, Crash> {
        let config = self.areas.config;
        if index < config.slot_sectors(slot) {
            Ok(index * SECTOR_BYTES)
        } else if index < config.trailer().max_sectors {
            Ok(0)
        } else {
            Err(Crash::SwapSize { found_bytes: progress.swap_size })
        }
    }
}
