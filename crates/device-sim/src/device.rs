//! The device: a board, a flash, a supply, and one boot of it.

use nor_sim::{Clock, Cut, Guarded, NorDevice, NorModel, Power, PowerCut, PowerState, Reaction};

use crate::board::Bootloader;
use crate::esp_idf::SecondStage;
use crate::limited::Limited;
use crate::{
    AppExit, Board, BootFailure, BootOutcome, BootStage, BootloaderKind, Console, DeviceEvent,
    Line, Machine, ResetCause, RomFailure, RunningApp, Software, mcuboot, rom,
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
    /// Why the next boot happens.
    cause: Option<ResetCause>,
}

/// How a stage ends that does not hand over to the next.
enum Stop {
    Power(BootStage),
    Failed(BootFailure),
}

impl<D: NorDevice> Device<D> {
    /// A device that is off. It has a supply of its own, with `flash` underneath.
    pub fn new(board: Board, flash: D) -> Self {
        let supply = PowerCut::new(flash);
        Self { supply, board, clock: Clock::new(), boots: 0, cause: None }
    }

    /// Shows the time of that clock on the console: the one of a [`nor_sim::Timed`] underneath.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Adds a loss of power, for building.
    #[must_use]
    pub fn with_cut(mut self, cut: Cut) -> Self {
        self.supply.add(cut);
        self
    }

    /// Puts the flash on another board, which knows other bootloaders.
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
    /// Why it would load none.
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
        let stages = Stages { supply: &mut self.supply, board: &self.board, power: &power };
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

/// One boot under way.
struct Stages<'a> {
    supply: &'a mut dyn NorDevice,
    board: &'a Board,
    power: &'a Power,
}

impl Stages<'_> {
    fn run<S: Software + ?Sized>(
        mut self,
        software: &mut S,
        tell: &mut dyn FnMut(DeviceEvent),
    ) -> BootOutcome {
        match self.go(software, tell) {
            Ok(end) => end,
            Err(Stop::Power(stage)) => BootOutcome::PowerLost(stage),
            Err(Stop::Failed(why)) => BootOutcome::Failed(why),
        }
    }

    fn go<S: Software + ?Sized>(
        &mut self,
        software: &mut S,
        tell: &mut dyn FnMut(DeviceEvent),
    ) -> Result<BootOutcome, Stop> {
        let loaded = rom::load(self.supply, self.board, tell)
            .map_err(|why| self.stop(BootStage::Rom, BootFailure::Rom(why)))?;
        let flash = Limited { inner: self.supply, len_bytes: loaded.flash_len_bytes() };
        match loaded.bootloader {
            Bootloader::EspIdf(config) => {
                let app = SecondStage { flash, board: self.board, config, tell }
                    .run()
                    .map_err(|why| self.stop(BootStage::EspIdf, BootFailure::EspIdf(why)))?;
                Ok(self.app(Box::new(app), software, tell))
            }
            Bootloader::Mcuboot(boot) => {
                let target = mcuboot::run(flash, &boot, self.board.chip(), tell)
                    .map_err(|why| self.stop(BootStage::Mcuboot, BootFailure::Mcuboot(why)))?;
                tell(DeviceEvent::TargetStarts(target));
                Ok(BootOutcome::TargetRunning(target))
            }
        }
    }

    fn app<S: Software + ?Sized>(
        &mut self,
        app: Box<RunningApp>,
        software: &mut S,
        tell: &mut dyn FnMut(DeviceEvent),
    ) -> BootOutcome {
        tell(DeviceEvent::AppStarts(app.clone()));
        let mut flash =
            Guarded::new(&mut *self.supply, self.power.clone()).with(app.code(), Reaction::Crash);
        let machine = Machine { flash: &mut flash, power: self.power, board: self.board };
        let exit = software.run(&app, machine);
        let trip = flash.trips().first().copied();
        if let Some(trip) = trip {
            tell(DeviceEvent::CodeTouched(trip));
        }
        match (self.power.state(), trip, exit) {
            (PowerState::Lost, _, _) => BootOutcome::PowerLost(BootStage::App),
            (PowerState::Crashed, Some(trip), _) => {
                BootOutcome::Reset(ResetCause::CodeErased(trip))
            }
            (_, _, exit) => {
                tell(DeviceEvent::AppEnds(exit.clone()));
                match exit {
                    AppExit::Reset => BootOutcome::Reset(ResetCause::Software),
                    AppExit::Stay => BootOutcome::OldFirmwareRunning(app),
                    AppExit::Crashed { why } => BootOutcome::Reset(ResetCause::Crash { why }),
                    // An app that says that power was lost while it is on is broken.
                    AppExit::PowerLost => BootOutcome::Reset(ResetCause::Crash {
                        why: "power is not lost".to_owned(),
                    }),
                }
            }
        }
    }

    /// Without power nothing else is the cause.
    fn stop(&self, stage: BootStage, why: BootFailure) -> Stop {
        if self.power.is_on() { Stop::Failed(why) } else { Stop::Power(stage) }
    }
}
