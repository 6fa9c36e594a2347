//! How far an interrupted swap has come, according to its status area.
//!
//! Each step of a swap that is done leaves one entry. The entries are read differently by kind:
//!
//! ```text
//! scratch   | pass 0: 0 1 2 | pass 1: 0 1 2 | ...        pass 0 is that of the last sectors
//! offset    | sector 0: 0 1 | sector 1: 0 1 | ...
//! move      | up 0 | up 1 | ... max_sectors entries | sector 0: 0 1 | sector 1: 0 1 | ...
//! ```
//!
//! Swap using scratch treats the first gap as the end of what was done; the other two use the last
//! entry that is not erased.

use embedded_storage::nor_flash::NorFlash;
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::{SwapInfo, SwapType};

use crate::areas::{Areas, Step};
use crate::{AreaName, StatusSource};

/// Which part of a swap is being done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The primary is moved up by one sector; swap using move alone does that.
    MovingUp,
    /// Sectors are exchanged.
    Exchanging,
}

/// How far a swap has come (`struct boot_status`, boot/bootutil/src/bootutil_priv.h, in which
/// `index` and `state` count from 1).
#[derive(Clone, Copy)]
pub(crate) struct Progress {
    /// What is being done.
    pub(crate) phase: Phase,
    /// The pass, or sector, that is being done, counted from 0 in the order of the swap.
    pub(crate) index: u32,
    /// How many of its steps are done.
    pub(crate) state: u8,
    /// Bytes of the larger image.
    pub(crate) swap_size: u32,
    /// The low half of the trailer's swap info; [`SwapType::None`] if that is erased.
    pub(crate) swap_type: u8,
    /// Where it was read from.
    pub(crate) source: StatusSource,
}

impl Progress {
    /// That of a swap that has not begun.
    pub(crate) const fn start(swap: SwapKind) -> Self {
        Self {
            phase: first_phase(swap),
            index: 0,
            state: 0,
            swap_size: 0,
            swap_type: SwapType::None as u8,
            source: StatusSource::None,
        }
    }

    /// Whether no step is done (`boot_status_is_reset`, boot/bootutil/src/loader.c).
    pub(crate) fn is_start(&self, swap: SwapKind) -> bool {
        self.phase == first_phase(swap) && self.index == 0 && self.state == 0
    }

    pub(crate) const fn is_revert(&self) -> bool {
        self.swap_type == SwapType::Revert as u8
    }

    /// The type of swap, or what the trailer says instead.
    pub(crate) const fn swap_type(&self) -> Result<SwapType, u8> {
        const NONE: u8 = SwapType::None as u8;
        match SwapInfo(self.swap_type).swap_type() {
            SwapType::None if self.swap_type != NONE => Err(self.swap_type),
            known => Ok(known),
        }
    }
}

const fn first_phase(swap: SwapKind) -> Phase {
    match swap {
        SwapKind::Move => Phase::MovingUp,
        SwapKind::Scratch | SwapKind::Offset | SwapKind::Overwrite => Phase::Exchanging,
    }
}

impl<F: NorFlash> Areas<'_, F> {
    /// Reads how far the swap came, from the trailer of `area` (`swap_read_status`,
    /// boot/bootutil/src/swap_misc.c). The second value is whether the entries have a gap.
    pub(crate) fn progress(
        &mut self,
        area: AreaName,
        source: StatusSource,
    ) -> Step<(Progress, bool), F::Error> {
        let swap = self.config.swap();
        let mut scan = Scan::default();
        self.scan_status(area, |step, erased| scan.entry(step, erased))?;
        let mut progress = Progress { source, ..Progress::start(swap) };
        let steps = if swap == SwapKind::Scratch { scan.before_gap } else { scan.last };
        if steps > 0 {
            let move_steps = self.config.trailer().max_sectors;
            let (phase, index, state) = match swap {
                SwapKind::Move if steps < move_steps => (Phase::MovingUp, steps, 0),
                SwapKind::Move => in_steps(steps - move_steps, 2),
                SwapKind::Offset => in_steps(steps, 2),
                SwapKind::Scratch | SwapKind::Overwrite => in_steps(steps, 3),
            };
            progress = Progress { phase, index, state, ..progress };
        }
        let info = self.trailer(area)?.swap_info;
        if info != SwapInfo::UNSET {
            progress.swap_type = info.0 & 0x0f;
        }
        Ok((progress, swap == SwapKind::Scratch && scan.gap))
    }
}

fn in_steps(steps: u32, per_index: u32) -> (Phase, u32, u8) {
    // The remainder is below 3.
    (Phase::Exchanging, steps / per_index, (steps % per_index) as u8)
}

/// What was found in the part of a status area that was read.
#[derive(Default)]
struct Scan {
    /// Index after the last entry before the first gap; erased entries at the start do not count as
    /// a gap.
    before_gap: u32,
    /// Whether there was an entry, and then a gap.
    closed: bool,
    /// Whether there are entries after the gap.
    gap: bool,
    /// Index after the last entry.
    last: u32,
}

impl Scan {
    fn entry(&mut self, step: u32, erased: bool) {
        if erased {
            self.closed |= self.last > 0;
            return;
        }
        self.gap |= self.closed;
        self.last = step + 1;
        if !self.closed {
            self.before_gap = self.last;
        }
    }
}
