//! Whether the image in the secondary is older than the one in the primary.
//!
//! Neither has to be an image: MCUboot compares what it finds. The rules are those of
//! [`DowngradePrevention`](mcuboot_format::DowngradePrevention); this file reads the numbers.

use embedded_storage::nor_flash::NorFlash;
use mcuboot_format::ImageRank;
use mcuboot_format::tlv::{AREA_MAGIC, PROTECTED_AREA_MAGIC, TlvType};

use crate::areas::Step;
use crate::loader::Loader;
use crate::{AreaName, BootEvent};

/// Bytes of the header of a TLV or a TLV area (`struct image_tlv` and `struct image_tlv_info`,
/// boot/bootutil/include/bootutil/image.h).
const HEADER_BYTES: u32 = 4;

impl<F: NorFlash, O: FnMut(BootEvent)> Loader<'_, F, O> {
    /// Whether the bootloader refuses to replace the primary's image with the secondary's
    /// (`check_downgrade_prevention`, and for overwriting `boot_validate_slot`,
    /// boot/bootutil/src/loader.c).
    pub(crate) fn is_downgrade(&mut self) -> Step<bool, F::Error> {
        let config = self.areas.config;
        let (prevention, swap) = (config.downgrade_prevention(), config.swap());
        let [mut old, mut new] =
            [AreaName::Primary, AreaName::Secondary].map(|slot| self.header(slot).rank());
        if prevention.counts(swap) {
            old = ImageRank { security_counter: self.counter(AreaName::Primary)?, ..old };
            new = ImageRank { security_counter: self.counter(AreaName::Secondary)?, ..new };
        }
        let is_downgrade = !prevention.admits(swap, &old, &new);
        if is_downgrade {
            self.report(BootEvent::Downgrade { old, new });
        }
        Ok(is_downgrade)
    }

    /// The security counter of whatever is in the slot (`bootutil_get_img_security_cnt`,
    /// boot/bootutil/src/bootutil_img_security_cnt.c; `bootutil_tlv_iter_begin` and
    /// `bootutil_tlv_iter_next`, tlv.c beside it).
    fn counter(&mut self, slot: AreaName) -> Step<Option<u32>, F::Error> {
        let (tlvs, protected) = self.header(slot).tlvs();
        let start = tlvs.wrapping_add(self.image_offset(slot));
        if protected == 0 || self.pair(slot, start)? != Some((PROTECTED_AREA_MAGIC, protected)) {
            return Ok(None);
        }
        let protected_end = start.wrapping_add(protected.into());
        let Some((AREA_MAGIC, unprotected)) = self.pair(slot, protected_end)? else {
            return Ok(None);
        };
        let end = protected_end.wrapping_add(unprotected.into());
        let mut at = start.wrapping_add(HEADER_BYTES);
        while at < end {
            if at == protected_end {
                at = at.wrapping_add(HEADER_BYTES);
            }
            let Some((tlv_type, len_bytes)) = self.pair(slot, at)? else { return Ok(None) };
            if at >= protected_end {
                return Ok(None);
            }
            if TlvType(tlv_type) == TlvType::SEC_CNT {
                let value = self.word(slot, at.wrapping_add(HEADER_BYTES))?;
                return Ok(value.filter(|_| len_bytes == 4).map(u32::from_le_bytes));
            }
            at = at.wrapping_add(HEADER_BYTES).wrapping_add(len_bytes.into());
        }
        Ok(None)
    }

    /// The two numbers that TLVs and their areas begin with.
    fn pair(&mut self, slot: AreaName, offset: u32) -> Step<Option<(u16, u16)>, F::Error> {
        Ok(self
            .word(slot, offset)?
            .map(|[t0, t1, l0, l1]| (u16::from_le_bytes([t0, t1]), u16::from_le_bytes([l0, l1]))))
    }

    /// 4 bytes of the slot, or `None` if they are not all inside, which only ends the search.
    fn word(&mut self, slot: AreaName, offset: u32) -> Step<Option<[u8; 4]>, F::Error> {
        let inside = offset.checked_add(4).is_some_and(|end| end <= self.areas.len_bytes(slot));
        if inside { self.areas.read_word(slot, offset).map(Some) } else { Ok(None) }
    }
}
