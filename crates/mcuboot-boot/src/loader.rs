//! One boot, from reset to the jump (`context_boot_go`, boot/bootutil/src/loader.c).
//!
//! ```text
//! read headers ─ slots of a size that can be swapped? ─ where may progress be? ─ read it
//!    │ interrupted: complete the swap                    │ not: what do the trailers ask for?
//!    │                                                   │ validate the secondary: erase or swap
//!    └──────────────────── validate the primary: run it, or nothing ────────────────┘
//! ```

use embedded_storage::nor_flash::NorFlash;
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::{Flag, SwapType};

use crate::areas::{Areas, Step, Stop};
use crate::progress::Progress;
use crate::slot_header::{Need, SlotHeader};
use crate::{
    AreaName, BootConfig, BootEvent, Crash, McubootOutcome, RunningImage, StatusSource, decide,
};

/// A boot under way (`struct boot_loader_state`, boot/bootutil/src/bootutil_priv.h).
pub(crate) struct Loader<'a, F, O> {
    pub(crate) areas: Areas<'a, F>,
    observer: &'a mut O,
    /// Primary and secondary.
    pub(crate) headers: [SlotHeader; 2],
    /// Where in the secondary slot the image was found, with swap using offset.
    pub(crate) secondary_offset: u32,
    /// Bytes of the unprotected TLVs, primary and secondary; swap using offset needs them.
    pub(crate) tlv_sizes: [u16; 2],
}

/// What is left to do once the slots have been examined.
enum Action {
    /// Boot the primary.
    Boot,
    /// A swap.
    Swap(SwapType, Progress),
    /// Keep the primary although a swap was prepared, because the secondary is invalid.
    Keep,
}

impl<'a, F: NorFlash, O: FnMut(BootEvent)> Loader<'a, F, O> {
    pub(crate) fn new(flash: &'a mut F, config: &'a BootConfig, observer: &'a mut O) -> Self {
        Self {
            areas: Areas::new(flash, config),
            observer,
            headers: [SlotHeader::UNREAD; 2],
            secondary_offset: 0,
            tlv_sizes: [0; 2],
        }
    }

    pub(crate) fn report(&mut self, event: BootEvent) {
        (self.observer)(event);
    }

    /// Boots.
    pub(crate) fn boot(mut self) -> Result<McubootOutcome, F::Error> {
        match self.go() {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Crash(why)) => Ok(McubootOutcome::Crash(why)),
            Err(Stop::Flash(error)) => Err(error),
        }
    }

    fn go(&mut self) -> Step<McubootOutcome, F::Error> {
        self.fill_sector_tables()?;
        self.read_headers()?;
        let (swapped, resumed) =
            if self.slots_compatible() { self.update()? } else { (SwapType::None, false) };
        Ok(match self.validate(AreaName::Primary)? {
            Ok(header) => {
                let slot = self.areas.layout(AreaName::Primary)?.slot();
                McubootOutcome::Run(RunningImage { header, slot, swapped, resumed })
            }
            Err(why) => McubootOutcome::Nothing(why),
        })
    }

    /// Swaps, completes a swap, or finds nothing to swap (`boot_prepare_image_for_update`, and what
    /// `context_boot_go` does with it). Returns what was swapped, and whether that began at an
    /// earlier boot.
    fn update(&mut self) -> Step<(SwapType, bool), F::Error> {
        let swap = self.areas.config.swap();
        let mut progress = self.read_progress()?;
        let started = !progress.is_start(swap);
        let need = if started { Need::Both } else { Need::Primary };
        if swap != SwapKind::Overwrite && !self.read_headers_during(&progress, need)? {
            self.report(BootEvent::HeadersUnreadable);
            return Ok((SwapType::None, false));
        }
        let swapped = if started {
            self.complete_swap(&mut progress)?
        } else {
            match self.choose(progress)? {
                Action::Boot => return Ok((SwapType::None, false)),
                Action::Swap(SwapType::Test | SwapType::Permanent, _) if self.is_downgrade()? => {
                    self.erase_secondary()?;
                    return Ok((SwapType::None, false));
                }
                Action::Swap(swap_type, mut progress) => {
                    self.perform_swap(swap_type, &mut progress)?;
                    swap_type
                }
                Action::Keep => {
                    self.report(BootEvent::KeptPrimary);
                    self.set_image_ok()?;
                    SwapType::None
                }
            }
        };
        self.read_headers()?;
        Ok((swapped, started))
    }

    /// Lists the sectors of each area (`boot_read_sectors`, boot/bootutil/src/bootutil_misc.c;
    /// `flash_area_get_sectors`, boot/espressif/port/esp_mcuboot.c, which is not told how many
    /// there is room for).
    ///
    /// The tables of `max_sectors` entries follow one another: primary, secondary, and scratch if
    /// there is one (`struct boot_sector_buffer`, boot/bootutil/src/bootutil_priv.h). Entries that
    /// do not fit into one table go into the next, which is filled later; those that do not fit
    /// into the last one overwrite whatever the linker put after it.
    fn fill_sector_tables(&self) -> Result<(), Crash> {
        let config = self.areas.config;
        let max_sectors = config.max_sectors();
        let areas = [AreaName::Primary, AreaName::Secondary, AreaName::Scratch];
        let tables = areas.into_iter().filter(|area| config.layout(*area).is_some());
        let mut room = max_sectors.saturating_mul(tables.clone().count() as u32);
        for area in tables {
            let sectors = config.slot_sectors(area);
            if sectors > room.saturating_add(UNUSED_ENTRIES) {
                return Err(Crash::SectorTables { area, sectors, max_sectors });
            }
            room = room.saturating_sub(max_sectors);
        }
        Ok(())
    }

    /// Whether the slots are of sizes that can be swapped, given that all sectors are alike
    /// (`boot_slots_compatible`, boot/bootutil/src/swap_scratch.c, swap_move.c and swap_offset.c).
    ///
    /// Swap using move may have one sector more in the primary, where it moves the image up; swap
    /// using offset one more in the secondary, where the image begins one sector later. That one
    /// sector is not counted: MCUboot compares the primary alone with its limit there.
    fn slots_compatible(&mut self) -> bool {
        let config = self.areas.config;
        let primary = config.slot_sectors(AreaName::Primary);
        let secondary = config.slot_sectors(AreaName::Secondary);
        let max_sectors = config.max_sectors();
        let (alike, sectors) = match config.swap() {
            SwapKind::Scratch | SwapKind::Overwrite => {
                (primary == secondary, primary.max(secondary))
            }
            SwapKind::Move => (primary == secondary || primary == secondary + 1, primary),
            SwapKind::Offset => (primary == secondary || primary + 1 == secondary, primary),
        };
        if !alike {
            self.report(BootEvent::SlotsIncompatible);
        } else if sectors > max_sectors {
            self.report(BootEvent::TooManySectors { sectors, max_sectors });
        }
        alike && sectors <= max_sectors
    }

    /// Finds out whether a swap was interrupted, and how far it had come.
    fn read_progress(&mut self) -> Step<Progress, F::Error> {
        let swap = self.areas.config.swap();
        let other = match swap {
            SwapKind::Overwrite => return Ok(Progress::start(swap)),
            SwapKind::Scratch => AreaName::Scratch,
            SwapKind::Move | SwapKind::Offset => AreaName::Secondary,
        };
        let primary = self.areas.trailer(AreaName::Primary)?;
        self.report(BootEvent::Trailer { area: AreaName::Primary, state: primary });
        let second = self.areas.trailer(other)?;
        self.report(BootEvent::Trailer { area: other, state: second });
        let source = match swap {
            SwapKind::Scratch => decide::status_source_scratch(&primary, &second),
            _ => decide::status_source_in_place(&primary, &second),
        };
        self.report(BootEvent::StatusSource(source));
        let area = match source {
            StatusSource::None => return Ok(Progress::start(swap)),
            StatusSource::Scratch => AreaName::Scratch,
            StatusSource::Primary => AreaName::Primary,
        };
        let (progress, gap) = self.areas.progress(area, source)?;
        if gap {
            self.report(BootEvent::InconsistentStatus);
        }
        Ok(progress)
    }

    /// Decides what to do before the first step of a swap; erases an invalid secondary.
    fn choose(&mut self, progress: Progress) -> Step<Action, F::Error> {
        let requested = progress.swap_type();
        if requested == Ok(SwapType::None) {
            let swap_type = self.swap_type()?;
            if swap_type == SwapType::None
                || !self.validate_secondary(&progress, Some(swap_type))?
            {
                return Ok(Action::Boot);
            }
            let progress = Progress { swap_type: swap_type as u8, ..progress };
            return Ok(Action::Swap(swap_type, progress));
        }
        // The trailer was written for a swap, and power was lost before its first step.
        if !self.validate_secondary(&progress, None)? {
            return Ok(Action::Keep);
        }
        match requested {
            Ok(swap_type) => Ok(Action::Swap(swap_type, progress)),
            Err(FAIL) => Ok(Action::Keep),
            Err(found) => Err(Crash::SwapType { found }.into()),
        }
    }

    /// Swaps from the beginning (`boot_perform_update`, boot/bootutil/src/loader.c).
    fn perform_swap(&mut self, swap_type: SwapType, progress: &mut Progress) -> Step<(), F::Error> {
        if self.areas.config.swap() == SwapKind::Overwrite {
            return self.overwrite();
        }
        self.swap_images(progress)?;
        self.finish(swap_type)
    }

    /// Continues an interrupted swap (`boot_complete_partial_swap`, same file).
    fn complete_swap(&mut self, progress: &mut Progress) -> Step<SwapType, F::Error> {
        let swap_type = progress.swap_type().unwrap_or(SwapType::None);
        self.report(BootEvent::Resuming(swap_type));
        self.swap_images(progress)?;
        self.finish(swap_type)?;
        Ok(swap_type)
    }

    /// Records that the swap is done, and whether the image stays.
    fn finish(&mut self, swap_type: SwapType) -> Step<(), F::Error> {
        match swap_type {
            SwapType::None => return Ok(()),
            SwapType::Test => {}
            SwapType::Permanent | SwapType::Revert => self.set_image_ok()?,
        }
        self.areas.write_copy_done(AreaName::Primary)
    }

    /// Marks the primary's image as one to keep, unless something is already written there
    /// (`swap_set_image_ok`, boot/bootutil/src/swap_misc.c).
    fn set_image_ok(&mut self) -> Step<(), F::Error> {
        if self.areas.trailer(AreaName::Primary)?.image_ok == Flag::Unset {
            self.areas.write_image_ok(AreaName::Primary)?;
        }
        Ok(())
    }
}

/// Entries after the last sector table that can be overwritten without harm: two buffers, of 0x100
/// and 0x400 bytes, that are not in use yet. The loader's state follows (`tmpbuf`, `buf` and
/// `boot_data` of bootutil in MCUboot 2.4.0 as linked for the ESP32-C3, -C6 and -H2).
const UNUSED_ENTRIES: u32 = (0x100 + 0x400) / 8;

/// `BOOT_SWAP_TYPE_FAIL` (boot/bootutil/include/bootutil/bootutil_public.h), which MCUboot never
/// writes.
const FAIL: u8 = 5;
