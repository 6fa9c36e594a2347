//! Swap using scratch (boot/bootutil/src/swap_scratch.c).
//!
//! The images are exchanged in passes, from their ends to their starts. A pass takes as many
//! sectors as the scratch area has:
//!
//! ```text
//!             primary      secondary    scratch
//!   state 0   old          new          -           secondary -> scratch, erase secondary
//!         1   old          -            new         primary -> secondary, erase primary
//!         2   -            old          new         scratch -> primary
//! ```
//!
//! The progress is in the primary's trailer. While a pass exchanges the sectors of that trailer,
//! which only the first pass can do, it is in the scratch area's trailer.

use embedded_storage::nor_flash::NorFlash;
use flash_region::SECTOR_BYTES;
use mcuboot_format::trailer::{Flag, SwapInfo, SwapType};

use crate::areas::{Order, Step};
use crate::loader::Loader;
use crate::progress::Progress;
use crate::{AreaName, BootEvent, Crash};

/// Entries of the scratch area's status that go to the primary: the last of a pass is written
/// there.
const KEPT_STEPS: u32 = 2;

/// The passes of a swap.
#[derive(Clone, Copy)]
struct Passes {
    /// Sectors that take part.
    sectors: u32,
    /// Sectors of each pass but the last.
    per_pass: u32,
}

impl Passes {
    /// Sectors of both slots that pass `index` exchanges, as the first and how many
    /// (`boot_copy_sz`).
    fn pass(self, index: u32) -> Option<(u32, u32)> {
        let end = self.sectors.checked_sub(index.checked_mul(self.per_pass)?)?;
        let first = end.saturating_sub(self.per_pass);
        (end > 0).then_some((first, end - first))
    }

    fn count(self) -> u32 {
        self.sectors.div_ceil(self.per_pass)
    }
}

impl<F: NorFlash, O: FnMut(BootEvent)> Loader<'_, F, O> {
    /// Counts the passes (`find_last_sector_idx`). A size beyond the slots makes MCUboot read past
    /// its sector tables; the size is then from a trailer that was never written.
    fn passes(&self, swap_size: u32) -> Result<Passes, Crash> {
        let sectors = swap_size.div_ceil(SECTOR_BYTES);
        if sectors > self.areas.config.slot_sectors(AreaName::Primary) {
            return Err(Crash::SwapSize { found_bytes: swap_size });
        }
        let per_pass = (self.areas.len_bytes(AreaName::Scratch) / SECTOR_BYTES).max(1);
        Ok(Passes { sectors, per_pass })
    }

    /// The area with the header that belongs to `slot` at its start: the area from which the image
    /// came, or to which it goes back (`boot_read_image_header`).
    pub(crate) fn header_area_scratch(
        &mut self,
        slot: AreaName,
        progress: &Progress,
    ) -> Step<AreaName, F::Error> {
        if progress.is_start(self.areas.config.swap()) {
            return Ok(slot);
        }
        let status = self.status_area()?;
        let swap_size = self.areas.swap_size(status)?;
        let count = self.passes(swap_size)?.count();
        Ok(if progress.index >= count {
            match slot {
                AreaName::Primary => AreaName::Secondary,
                AreaName::Secondary | AreaName::Scratch => AreaName::Primary,
            }
        } else if progress.index + 1 == count {
            // The first sectors are exchanged last, and the headers with them.
            match slot {
                AreaName::Secondary if progress.state >= 1 => AreaName::Scratch,
                AreaName::Primary if progress.state >= 2 => AreaName::Secondary,
                _ => slot,
            }
        } else {
            slot
        })
    }

    /// Exchanges what is not exchanged yet (`swap_run`).
    pub(super) fn exchange_scratch(&mut self, progress: &mut Progress) -> Step<(), F::Error> {
        let passes = self.passes(progress.swap_size)?;
        for index in 0..passes.count() {
            if index < progress.index {
                continue;
            }
            if let Some((first, sectors)) = passes.pass(index) {
                self.exchange_pass(first * SECTOR_BYTES, sectors * SECTOR_BYTES, progress)?;
            }
        }
        Ok(())
    }

    /// Exchanges `len` bytes from `start`, as far as `progress` says that it is not done
    /// (`boot_swap_sectors`).
    ///
    /// # Power-fail safety
    /// At any time two of the three areas hold the two images' parts, and the last status entry
    /// says which. An entry is written when a step is done; a step that was cut is done again from
    /// its start, which begins with the erase of what it writes.
    fn exchange_pass(
        &mut self,
        start: u32,
        len: u32,
        progress: &mut Progress,
    ) -> Step<(), F::Error> {
        use AreaName::{Primary, Scratch, Secondary};
        let config = self.areas.config;
        let trailer_start = config.first_trailer_sector(Primary) * SECTOR_BYTES;
        let copied = self.bytes_of_image(start, len, trailer_start)?;
        let first_pass = progress.index == 0;
        // The pass exchanges the sectors of the trailer, so they cannot keep the progress.
        let status_in_scratch = first_pass && copied != len;
        let status_area = if status_in_scratch { Scratch } else { Primary };
        let step = progress.index.wrapping_mul(3);
        if progress.state == 0 {
            self.erase_scratch(Order::Forward)?;
            if first_pass {
                // Keeps the type of swap while the primary's trailer is erased.
                self.start_trailer(Scratch, progress)?;
                if !status_in_scratch {
                    self.areas.erase_trailer(Primary)?;
                    self.start_trailer(Primary, progress)?;
                    self.erase_scratch(Order::Forward)?;
                }
            }
            self.areas.copy((Secondary, start), (Scratch, 0), copied)?;
            self.areas.write_status(status_area, step, 0)?;
            progress.state = 1;
        }
        if progress.state == 1 {
            let mut erased = len;
            if first_pass {
                // From here on the secondary's trailer asks for nothing any more.
                self.areas.erase_trailer(Secondary)?;
                if status_in_scratch {
                    let trailer = config.first_trailer_sector(Secondary) * SECTOR_BYTES;
                    erased = trailer.wrapping_sub(start);
                }
            }
            self.erase_if_any(Secondary, start, erased)?;
            self.areas.copy((Primary, start), (Secondary, start), copied)?;
            self.areas.write_status(status_area, step.wrapping_add(1), 1)?;
            progress.state = 2;
        }
        if progress.state == 2 {
            let mut erased = len;
            if status_in_scratch {
                self.areas.erase_trailer(Primary)?;
                erased = trailer_start.wrapping_sub(start);
            }
            self.erase_if_any(Primary, start, erased)?;
            self.areas.copy((Scratch, 0), (Primary, start), copied)?;
            if status_in_scratch {
                self.move_trailer_to_primary(start.wrapping_add(copied), progress)?;
            }
            self.areas.write_status(Primary, step.wrapping_add(2), 2)?;
            progress.index += 1;
            progress.state = 0;
            if status_in_scratch {
                // From its end, magic first, so that a finished swap does not look like one under
                // way.
                self.erase_scratch(Order::Backward)?;
            }
        }
        Ok(())
    }

    /// How many bytes of the pass are image and not trailer.
    fn bytes_of_image(&self, start: u32, len: u32, trailer_start: u32) -> Step<u32, F::Error> {
        if start + len <= trailer_start {
            return Ok(len);
        }
        // If the pass starts after the start of the trailer, the difference wraps around, and the
        // second limit applies.
        let image_end = self.areas.layout(AreaName::Primary)?.offset_bytes();
        let before_scratch_trailer = self.areas.layout(AreaName::Scratch)?.offset_bytes();
        Ok(image_end.wrapping_sub(start).min(before_scratch_trailer))
    }

    /// Writes the primary's trailer from the scratch area's.
    fn move_trailer_to_primary(&mut self, offset: u32, progress: &Progress) -> Step<(), F::Error> {
        use AreaName::{Primary, Scratch};
        let status = self.areas.layout(Scratch)?.offset_bytes();
        let len = KEPT_STEPS * self.areas.config.trailer().write_unit_bytes;
        self.areas.copy((Scratch, status), (Primary, offset), len)?;
        let kept = self.areas.trailer(Scratch)?;
        if kept.image_ok == Flag::Set {
            self.areas.write_image_ok(Primary)?;
        }
        let swap_type = kept.swap_info.0 & 0x0f;
        let named = kept.swap_info != SwapInfo::UNSET && swap_type <= SwapType::Revert as u8;
        if named && swap_type != SwapType::None as u8 {
            self.areas.write_swap_info(Primary, SwapInfo(swap_type))?;
        }
        self.areas.write_swap_size(Primary, progress.swap_size)?;
        self.areas.write_magic(Primary)
    }

    fn erase_scratch(&mut self, order: Order) -> Step<(), F::Error> {
        let len = self.areas.len_bytes(AreaName::Scratch);
        self.areas.erase(AreaName::Scratch, 0, len, order)
    }

    fn erase_if_any(&mut self, slot: AreaName, start: u32, len: u32) -> Step<(), F::Error> {
        if len == 0 {
            return Ok(());
        }
        self.areas.erase(slot, start, len, Order::Forward)
    }
}
