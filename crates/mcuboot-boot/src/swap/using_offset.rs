//! Swap using offset (boot/bootutil/src/swap_offset.c).
//!
//! ```text
//!              primary       secondary
//!   before     A B C         - a b c
//!   swap       A B C         A a b c       primary 0 -> secondary 0
//!              a B C         A a b c       secondary 1 -> primary 0
//!              a B C         A B b c       and so on
//!   after      a b c         A B C c
//!   revert     the same from the last sector to the first, into the secondary one sector up
//! ```
//!
//! The progress is in the primary's trailer.

use embedded_storage::nor_flash::NorFlash;
use flash_region::SECTOR_BYTES;
use mcuboot_format::trailer::{Magic, SwapType};

use crate::areas::{Order, Step};
use crate::loader::Loader;
use crate::progress::Progress;
use crate::{AreaName, BootEvent, Crash, StatusSource};

/// Index of the last sector that takes part (`find_last_idx`). A size that the counting never
/// reaches is a crash, see swap using move.
fn last_sector_of(swap_size: u32) -> Result<u32, Crash> {
    match swap_size.checked_next_multiple_of(SECTOR_BYTES) {
        Some(len_bytes) => Ok((len_bytes / SECTOR_BYTES).saturating_sub(1)),
        None => Err(Crash::SwapSize { found_bytes: swap_size }),
    }
}

/// A pair of sectors that trade contents through the spare sector.
#[derive(Clone, Copy)]
struct Trade {
    /// The sector of the primary.
    primary: u32,
    /// The sector of the secondary that gets what is in the primary.
    to: u32,
    /// The sector of the secondary that the primary gets.
    from: u32,
    /// Whether the primary's image ends before this sector.
    skip_primary: bool,
    /// Whether the secondary's image ends before this sector.
    skip_secondary: bool,
}

impl<F: NorFlash, O: FnMut(BootEvent)> Loader<'_, F, O> {
    /// Reads the header that belongs to `slot`; without `progress` from where it is when no swap is
    /// under way (`boot_read_image_header`). Returns whether it was found.
    ///
    /// The secondary's image starts one sector into the slot, or, after a swap, at its start.
    /// MCUboot tries one place, then the other.
    pub(crate) fn read_header_offset(
        &mut self,
        slot: AreaName,
        progress: Option<&Progress>,
    ) -> Step<bool, F::Error> {
        use AreaName::Secondary;
        let is_start = |progress: &Progress| progress.is_start(self.areas.config.swap());
        if let Some(progress) = progress.filter(|progress| !is_start(progress)) {
            let (area, offset) = self.header_place_offset(slot, progress)?;
            let found = self.read_header_at(slot, area, offset)?;
            if found && area == Secondary {
                self.secondary_offset = offset;
            }
            return Ok(found);
        }
        let knows_revert = progress.is_some_and(Progress::is_revert);
        let mut offset = 0;
        if slot == Secondary && !knows_revert && self.swap_type()? != SwapType::Revert {
            offset = SECTOR_BYTES;
        }
        let mut found = self.read_header_at(slot, slot, offset)?;
        if !found && slot == Secondary {
            offset = if self.swap_type()? == SwapType::Revert { SECTOR_BYTES } else { 0 };
            found = self.read_header_at(slot, slot, offset)?;
        }
        if found && slot == Secondary && progress.is_some() {
            self.secondary_offset = offset;
        }
        Ok(found)
    }

    /// Where an interrupted swap has left the header that belongs to `slot`.
    fn header_place_offset(
        &mut self,
        slot: AreaName,
        progress: &Progress,
    ) -> Step<(AreaName, u32), F::Error> {
        use AreaName::{Primary, Secondary};
        let swap_size = self.areas.swap_size(Primary)?;
        let last = last_sector_of(swap_size)?;
        let Progress { index, state, .. } = *progress;
        let reverts = progress.is_revert() || self.swap_type()? == SwapType::Revert;
        Ok(match (reverts, slot) {
            (true, Primary) if index > last || (index == last && state == 1) => {
                (Secondary, SECTOR_BYTES)
            }
            (true, Secondary) if index > last || (index == last && state == 2) => (Primary, 0),
            (true, _) => (slot, 0),
            (false, Primary) if (index > 0 || state == 1) && index < last => (Secondary, 0),
            (false, Secondary) if index == 0 => (Secondary, SECTOR_BYTES),
            (false, _) => (Primary, 0),
        })
    }

    /// Exchanges what is not exchanged yet (`swap_run`).
    pub(super) fn exchange_offset(&mut self, progress: &mut Progress) -> Step<(), F::Error> {
        use AreaName::{Primary, Secondary};
        let last = last_sector_of(progress.swap_size)?;
        if progress.is_start(self.areas.config.swap()) && !self.has_space(last) {
            return Ok(());
        }
        self.disguise_revert_offset(progress)?;
        if progress.index == 0 {
            if progress.source != StatusSource::Primary {
                self.areas.erase_trailer(Primary)?;
                self.start_trailer(Primary, progress)?;
            }
            self.areas.erase_trailer(Secondary)?;
        }
        let [primary_sectors, secondary_sectors] = self.sectors_used()?;
        let reverts = progress.is_revert() || self.swap_type()? == SwapType::Revert;
        for nth in 0..=last {
            if nth < progress.index {
                continue;
            }
            let sector = if reverts { last - nth } else { nth };
            let at = |slot, index| self.sector(slot, index, progress);
            let trade = Trade {
                primary: at(Primary, sector)?,
                to: at(Secondary, if reverts { sector + 1 } else { sector })?,
                // MCUboot takes the offset of the primary's sector; where both have it, it is the
                // same.
                from: at(Primary, if reverts { sector } else { sector + 1 })?,
                skip_primary: sector > primary_sectors,
                skip_secondary: sector > secondary_sectors,
            };
            self.trade(trade, progress)?;
        }
        if reverts {
            // What is left in the spare sector must not be mistaken for a header, nor the trailer
            // for that of a new image.
            self.areas.erase(Secondary, 0, SECTOR_BYTES, Order::Forward)?;
            self.areas.erase_trailer(Secondary)?;
        }
        Ok(())
    }

    /// Makes the secondary's trailer ask for the revert that begins (`fixup_revert`).
    ///
    /// # Power-fail safety
    /// As with swap using move: the primary's trailer asks for it until it is erased.
    fn disguise_revert_offset(&mut self, progress: &Progress) -> Step<(), F::Error> {
        use AreaName::Secondary;
        if !progress.is_revert() || progress.index != 0 {
            return Ok(());
        }
        let state = self.areas.trailer(Secondary)?;
        self.report(BootEvent::Trailer { area: Secondary, state });
        if state.magic == Magic::Unset {
            self.areas.erase_trailer(Secondary)?;
            self.areas.write_copy_done(Secondary)?;
            self.start_trailer(Secondary, progress)?;
        }
        Ok(())
    }

    /// Sectors that the images take. The sizes of their unprotected TLVs are those that the trailer
    /// kept, because the images may be in pieces by now.
    fn sectors_used(&mut self) -> Step<[u32; 2], F::Error> {
        let kept = self.areas.trailer(AreaName::Primary)?.unprotected_tlv_sizes;
        let [p0, p1, s0, s1] = kept.unwrap_or(u32::MAX).to_le_bytes();
        let sectors = |slot, tlvs: u16| {
            let header = self.header(slot).image().unwrap_or_default();
            u32::from(header.hdr_size)
                .wrapping_add(header.img_size)
                .wrapping_add(header.protect_tlv_size.into())
                .wrapping_add(tlvs.into())
                .wrapping_add(SECTOR_BYTES - 1)
                / SECTOR_BYTES
        };
        Ok([
            sectors(AreaName::Primary, u16::from_le_bytes([p0, p1])),
            sectors(AreaName::Secondary, u16::from_le_bytes([s0, s1])),
        ])
    }

    /// Copies the primary's sector to the secondary, then the secondary's to the primary
    /// (`boot_swap_sectors`, `boot_swap_sectors_revert`).
    ///
    /// # Power-fail safety
    /// Each half erases only what has a copy in the other slot: the sector of the secondary that is
    /// written is the one that the primary got before, or the spare one.
    fn trade(&mut self, trade: Trade, progress: &mut Progress) -> Step<(), F::Error> {
        use AreaName::{Primary, Secondary};
        let Trade { primary, to, from, skip_primary, skip_secondary } = trade;
        let step = progress.index.wrapping_mul(2);
        if progress.state == 0 {
            if !skip_primary {
                self.areas.erase(Secondary, to, SECTOR_BYTES, Order::Forward)?;
                self.areas.copy((Primary, primary), (Secondary, to), SECTOR_BYTES)?;
            }
            self.areas.write_status(Primary, step, 0)?;
            progress.state = 1;
        }
        if progress.state == 1 {
            if !skip_secondary {
                self.areas.erase(Primary, primary, SECTOR_BYTES, Order::Forward)?;
                self.areas.copy((Secondary, from), (Primary, primary), SECTOR_BYTES)?;
            }
            self.areas.write_status(Primary, step.wrapping_add(1), 1)?;
            progress.index += 1;
            progress.state = 0;
        }
        Ok(())
    }
}
