//! The device: a board, a flash, a supply, and one boot of it.

use nor_sim::{Clock, Cut, NorDevice, NorModel, PowerCut};

use crate::stages::Stages;
use crate::target::TargetLife;
use crate::{
    Board, BootOutcome, BootloaderKind, Console, DeviceEvent, Line, ResetCause, RomFailure,
    Software, TargetAct, rom,
};

/// A device: a board, a flash and a supply that can be cut.
///
/// Flash operations are numbered over the whole life of the device.
#[derive(Debug)]
pub struct Device<D> {
    supply: PowerCut<D>,
    board: Board,
    clock: Clock,
    boots: u32,
    target: TargetLife,
    /// Why the next boot happens.
    cause: Option<ResetCause>,
}

impl<D: NorDevice> Device<D> {
    /// A device that is off. It has a supply of its own, with `flash` underneath.
    pub fn new(board: Board, flash: D) -> Self {
        let supply = PowerCut::new(flash);
        let target = TargetLife::default();
        Self { supply, board, clock: Clock::new(), boots: 0, target, cause: None }
    }

    /// Shows the time of that clock, which should be that of a [`nor_sim::Timed`] underneath, on
    /// the console.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Adds a loss of power, and returns the device.
    #[must_use]
    pub fn with_cut(mut self, cut: Cut) -> Self {
        self.supply.add(cut);
        self
    }

    /// Says what the target application does at its first start, its second and so on; the last
    /// one also at all later ones. Without this it keeps running and confirms nothing.
    #[must_use]
    pub fn with_target(mut self, acts: &[TargetAct]) -> Self {
        self.target.acts = acts.to_vec();
        self
    }

    /// How often the target application was started.
    pub fn target_starts(&self) -> u32 {
        self.target.starts
    }

    /// Replaces the board, for example by one that knows other bootloaders.
    pub fn set_board(&mut self, board: Board) {
        self.board = board;
    }

    /// The board.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The supply and, underneath, the flash.
    pub fn supply(&self) -> &PowerCut<D> {
        &self.supply
    }

    /// The supply and, underneath, the flash, to be changed.
    pub fn supply_mut(&mut self) -> &mut PowerCut<D> {
        &mut self.supply
    }

    /// Which bootloader the ROM would load now. It needs no power and changes nothing.
    ///
    /// # Errors
    ///
    /// A [`RomFailure`]: why it would load none.
    pub fn bootloader(&mut self) -> Result<BootloaderKind, RomFailure> {
        let loaded = rom::load(self.supply.inner_mut(), &self.board, &mut |_| {})?;
        Ok(loaded.bootloader.kind())
    }

    /// The flash, taken from the device.
    pub fn into_flash(self) -> D {
        self.supply.into_inner()
    }

    /// Boots once, after power on or the reset that the last boot ended with.
    pub fn boot<S: Software + ?Sized>(
        &mut self,
        software: &mut S,
        console: &mut dyn Console,
    ) -> BootOutcome {
        self.boots += 1;
        let power = self.supply.power();
        power.restore();
        let (boot, clock) = (self.boots, self.clock.clone());
        let mut tell = |event| console.line(Line { boot, at: clock.now(), event });
        tell(match self.cause.take() {
            Some(cause) => DeviceEvent::Reset(cause),
            None => DeviceEvent::PowerOn,
        });
        let stages = Stages {
            supply: &mut self.supply,
            board: &self.board,
            power: &power,
            target: &mut self.target,
        };
        let end = stages.run(software, &mut tell);
        match &end {
            BootOutcome::PowerLost(stage) => {
                let op = self.supply.ops().saturating_sub(1);
                tell(DeviceEvent::PowerLost { stage: *stage, op });
            }
            BootOutcome::Failed(why) => tell(DeviceEvent::Failed(why.clone())),
            BootOutcome::Reset(cause) => self.cause = Some(cause.clone()),
            BootOutcome::TargetRunning(_) | BootOutcome::OldFirmwareRunning(_) => {}
        }
        end
    }
}

impl<D: NorModel> Device<D> {
    /// The bytes of the flash; a clone is a snapshot.
    pub fn memory(&self) -> &nor_sim::NorMemory {
        self.supply.memory()
    }
}
