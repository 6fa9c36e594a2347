//! Swap using move (boot/bootutil/src/swap_move.c).
//!
//! ```text
//!              primary             secondary
//!   before     A B C -             a b c
//!   moving up  - A B C             a b c       from the last sector to the first
//!   exchanging a A B C   ->   a A B C          secondary 0 -> primary 0
//!              a A B C             A b c       primary 1 -> secondary 0
//!              a b B C             A B c       and so on
//! ```
//!
//! The progress is in the primary's trailer.

use embedded_storage::nor_flash::NorFlash;
use flash_region::SECTOR_BYTES;
use mcuboot_format::trailer::Magic;

use crate::areas::{Order, Step};
use crate::loader::Loader;
use crate::progress::{Phase, Progress};
use crate::{AreaName, BootEvent, Crash, StatusSource};

/// Sectors that take part, at least one (`find_last_idx`).
///
/// MCUboot counts up to the size in steps of a sector and never ends if the last step would be
/// beyond 32 bits, as with the 0xffffffff of an erased field.
fn sectors_of(swap_size: u32) -> Result<u32, Crash> {
    match swap_size.checked_next_multiple_of(SECTOR_BYTES) {
        Some(len_bytes) => Ok((len_bytes / SECTOR_BYTES).max(1)),
        None => Err(Crash::SwapSize { found_bytes: swap_size }),
    }
}

impl<F: NorFlash, O: FnMut(BootEvent)> Loader<'_, F, O> {
    /// Where the header is that belongs to `slot` (`boot_read_image_header`).
    pub(crate) fn header_place_move(
        &mut self,
        slot: AreaName,
        progress: &Progress,
    ) -> Step<(AreaName, u32), F::Error> {
        use AreaName::{Primary, Secondary};
        if progress.is_start(self.areas.config.swap()) {
            return Ok((slot, 0));
        }
        let swap_size = self.areas.swap_size(Primary)?;
        let sectors = sectors_of(swap_size)?;
        Ok(match (progress.phase, slot) {
            (Phase::MovingUp, Primary) if progress.index >= sectors => (Primary, SECTOR_BYTES),
            (Phase::Exchanging, _) if progress.index == 0 => match slot {
                Primary => (Primary, SECTOR_BYTES),
                Secondary | AreaName::Scratch if progress.state == 1 => (Primary, 0),
                Secondary | AreaName::Scratch => (Secondary, 0),
            },
            (Phase::Exchanging, Primary) if progress.index < sectors => (Secondary, 0),
            (Phase::Exchanging, Secondary) if progress.index < sectors => (Primary, 0),
            _ => (slot, 0),
        })
    }

    /// Exchanges what is not exchanged yet (`swap_run`).
    pub(super) fn exchange_move(&mut self, progress: &mut Progress) -> Step<(), F::Error> {
        let sectors = sectors_of(progress.swap_size)?;
        if progress.is_start(self.areas.config.swap()) && !self.has_space(sectors) {
            return Ok(());
        }
        self.disguise_revert_move(progress)?;
        if progress.phase == Phase::MovingUp {
            for sector in (1..=sectors).rev() {
                if sector <= sectors.wrapping_sub(progress.index) {
                    self.move_up(sector, progress)?;
                }
            }
            progress.phase = Phase::Exchanging;
            progress.index = 0;
        }
        for sector in 0..sectors {
            if sector >= progress.index {
                self.exchange_sector_move(sector, progress)?;
            }
        }
        Ok(())
    }

    /// Makes a revert that begins look like a permanent swap (`fixup_revert`).
    ///
    /// # Power-fail safety
    /// What asks for the revert is the primary's trailer, which has to be erased before it can keep
    /// the progress. From here on the secondary's asks for the same.
    fn disguise_revert_move(&mut self, progress: &Progress) -> Step<(), F::Error> {
        use AreaName::Secondary;
        let begins = progress.phase == Phase::MovingUp && progress.index == 0;
        if !progress.is_revert() || !begins {
            return Ok(());
        }
        let state = self.areas.trailer(Secondary)?;
        self.report(BootEvent::Trailer { area: Secondary, state });
        if state.magic == Magic::Unset {
            self.areas.erase_trailer(Secondary)?;
            self.areas.write_image_ok(Secondary)?;
            self.areas.write_swap_size(Secondary, progress.swap_size)?;
            self.areas.write_magic(Secondary)?;
        }
        Ok(())
    }

    /// Moves the sector before `sector` to it (`boot_move_sector_up`).
    ///
    /// # Power-fail safety
    /// The source stays until the next sector is moved, which overwrites it. Before the first one,
    /// the primary's trailer is written, then the secondary's erased; both ask for the same swap.
    fn move_up(&mut self, sector: u32, progress: &mut Progress) -> Step<(), F::Error> {
        use AreaName::{Primary, Secondary};
        let to = self.sector(Primary, sector, progress)?;
        let from = self.sector(Primary, sector - 1, progress)?;
        if progress.index == 0 {
            if progress.source != StatusSource::Primary {
                self.areas.erase_trailer(Primary)?;
                self.start_trailer(Primary, progress)?;
            }
            self.areas.erase_trailer(Secondary)?;
        }
        self.areas.erase(Primary, to, SECTOR_BYTES, Order::Forward)?;
        self.areas.copy((Primary, from), (Primary, to), SECTOR_BYTES)?;
        self.areas.write_status(Primary, progress.index, progress.state)?;
        progress.index += 1;
        Ok(())
    }

    /// Copies a sector of the secondary to the primary, and the sector that was moved up to its
    /// place (`boot_swap_sectors`).
    ///
    /// # Power-fail safety
    /// Each half erases only what has a copy in the other slot, or one sector up.
    fn exchange_sector_move(&mut self, sector: u32, progress: &mut Progress) -> Step<(), F::Error> {
        use AreaName::{Primary, Secondary};
        let moved = self.sector(Primary, sector + 1, progress)?;
        let primary = self.sector(Primary, sector, progress)?;
        let secondary = self.sector(Secondary, sector, progress)?;
        let first_step = self.areas.config.trailer().max_sectors;
        let step = first_step.wrapping_add(progress.index.wrapping_mul(2));
        if progress.state == 0 {
            self.areas.erase(Primary, primary, SECTOR_BYTES, Order::Forward)?;
            self.areas.copy((Secondary, secondary), (Primary, primary), SECTOR_BYTES)?;
            self.areas.write_status(Primary, step, 0)?;
            progress.state = 1;
        }
        if progress.state == 1 {
            self.areas.erase(Secondary, secondary, SECTOR_BYTES, Order::Forward)?;
            self.areas.copy((Primary, moved), (Secondary, secondary), SECTOR_BYTES)?;
            self.areas.write_status(Primary, step.wrapping_add(1), 1)?;
            progress.index += 1;
            progress.state = 0;
        }
        Ok(())
    }
}
