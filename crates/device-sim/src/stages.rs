//! One boot: each stage hands over to the next, or ends the boot.

use carrier_format::IMAGE_MAX_BYTES;
use flash_region::{FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES};
use nor_sim::{
    Driver, EraseUnit, Guarded, Noise, NorDevice, NorError, Power, PowerState, Reaction,
};

use crate::board::{Bootloader, McubootBoot};
use crate::esp_idf::SecondStage;
use crate::limited::Limited;
use crate::loader::{self, LoaderCode, LoaderEnd, mapped_first};
use crate::target::TargetLife;
use crate::{
    AppExit, Board, BootFailure, BootOutcome, BootStage, DeviceEvent, EspIdfFailure, LoaderFailure,
    Machine, ResetCause, RunningApp, Software, TargetAct, TargetStart, mcuboot, rom,
};

/// One boot under way.
pub(crate) struct Stages<'a> {
    pub(crate) supply: &'a mut dyn NorDevice,
    pub(crate) board: &'a Board,
    pub(crate) power: &'a Power,
    pub(crate) target: &'a mut TargetLife,
}

/// How a stage ends if it does not hand over to the next.
enum Stop {
    Power(BootStage),
    Failed(BootFailure),
}

/// What was set before MCUboot and the target begin.
#[derive(Clone, Copy)]
struct Handover {
    /// The size of the flash in the header at the bootloader's place.
    flash_len_bytes: u32,
    start: TargetStart,
    /// Whether the RTC watchdog runs.
    has_watchdog: bool,
}

impl Stages<'_> {
    pub(crate) fn run<S: Software + ?Sized>(
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
        let flash_len_bytes = loaded.flash_len_bytes();
        match loaded.bootloader {
            Bootloader::EspIdf(config) => {
                let flash = Limited { inner: self.supply, len_bytes: flash_len_bytes };
                let app = SecondStage { flash, board: self.board, config, tell }
                    .run()
                    .map_err(|why| self.stop(BootStage::EspIdf, BootFailure::EspIdf(why)))?;
                match self.loader_in(&app)? {
                    None => Ok(self.app(Box::new(app), software, tell)),
                    Some((loader, start)) => {
                        tell(DeviceEvent::AppStarts(Box::new(app)));
                        self.loader(&loader, start, flash_len_bytes, tell)
                    }
                }
            }
            Bootloader::Loader(loader) => {
                // Nothing is mapped from which a loader in an app could find its own place.
                let bootloader = self.board.chip().bootloader_addr();
                let is_carrier = loader.job().is_carrier;
                let start = if is_carrier { FlashAddr::ZERO } else { bootloader };
                self.loader(&loader, start, flash_len_bytes, tell)
            }
            Bootloader::Mcuboot(boot) => {
                let start = TargetStart::Uncounted;
                let handover = Handover { flash_len_bytes, start, has_watchdog: false };
                self.mcuboot(&boot, handover, tell)
            }
        }
    }

    /// The loader in an app, if there is one, and the place in flash at which it finds itself.
    fn loader_in(&mut self, app: &RunningApp) -> Result<Option<(LoaderCode, FlashAddr)>, Stop> {
        if app.image.total_len_bytes > IMAGE_MAX_BYTES {
            return Ok(None);
        }
        let code = app.code();
        let mut image = vec![0; code.len_bytes() as usize];
        self.supply.read(code.start(), &mut image).map_err(|error| {
            self.stop(BootStage::EspIdf, BootFailure::EspIdf(EspIdfFailure::Flash(error)))
        })?;
        let Some(loader) = LoaderCode::find(&image) else { return Ok(None) };
        let chip = self.board.chip();
        let start = match loader.job().is_carrier {
            true => mapped_first(chip, code.start(), &image),
            false => chip.bootloader_addr(),
        };
        if self.board.is_known_loader(&loader) {
            return Ok(Some((loader, start)));
        }
        let why = LoaderFailure::UnknownLoader { digest: loader.digest };
        Err(Stop::Failed(BootFailure::Loader(why)))
    }

    fn loader(
        &mut self,
        loader: &LoaderCode,
        start: FlashAddr,
        flash_len_bytes: u32,
        tell: &mut dyn FnMut(DeviceEvent),
    ) -> Result<BootOutcome, Stop> {
        let end = loader::run(self.supply, self.board, loader, start, tell)
            .map_err(|why| self.stop(BootStage::Loader, BootFailure::Loader(why)))?;
        match end {
            LoaderEnd::Resets => Ok(BootOutcome::Reset(ResetCause::Software)),
            LoaderEnd::Starts { mcuboot, start, has_watchdog } => {
                self.mcuboot(&mcuboot, Handover { flash_len_bytes, start, has_watchdog }, tell)
            }
        }
    }

    fn mcuboot(
        &mut self,
        boot: &McubootBoot,
        handover: Handover,
        tell: &mut dyn FnMut(DeviceEvent),
    ) -> Result<BootOutcome, Stop> {
        let flash = Limited { inner: self.supply, len_bytes: handover.flash_len_bytes };
        match mcuboot::run(flash, boot, self.board.chip(), handover.start, tell) {
            Ok(target) => {
                tell(DeviceEvent::TargetStarts(target));
                let act = self.target.next_act();
                match self.act(act, boot, handover, tell)? {
                    Some(cause) => Ok(BootOutcome::Reset(cause)),
                    None => Ok(BootOutcome::TargetRunning(target)),
                }
            }
            Err(why) if handover.has_watchdog && self.power.is_on() => {
                tell(DeviceEvent::Failed(BootFailure::Mcuboot(why)));
                Ok(BootOutcome::Reset(ResetCause::Watchdog))
            }
            Err(why) => Err(self.stop(BootStage::Mcuboot, BootFailure::Mcuboot(why))),
        }
    }

    /// Does what the target does. Returns the reset that this leads to, if any.
    ///
    /// # Power-fail safety
    ///
    /// For a confirmation, see [`mcuboot_boot::confirm`]. What a target overwrites is lost, torn or
    /// not.
    fn act(
        &mut self,
        act: TargetAct,
        boot: &McubootBoot,
        handover: Handover,
        tell: &mut dyn FnMut(DeviceEvent),
    ) -> Result<Option<ResetCause>, Stop> {
        match act {
            TargetAct::Stay => Ok(None),
            TargetAct::Reset => Ok(Some(ResetCause::Software)),
            TargetAct::Sleep => Ok(Some(ResetCause::Wake)),
            TargetAct::Hang { stopped_watchdog: false } if handover.has_watchdog => {
                Ok(Some(ResetCause::Watchdog))
            }
            TargetAct::Hang { .. } => Err(Stop::Failed(BootFailure::TargetHangs)),
            TargetAct::Confirm => {
                let mut driver = Driver::<_, 1, 4>::with_alignment(&mut *self.supply);
                match mcuboot_boot::confirm(&mut driver, &boot.config) {
                    Err(error) if error.is_final() => Err(Stop::Power(BootStage::Target)),
                    result => {
                        tell(DeviceEvent::TargetConfirms { worked: result == Ok(true) });
                        Ok(None)
                    }
                }
            }
            TargetAct::Overwrite(region) => {
                tell(DeviceEvent::TargetOverwrites { region });
                match overwrite(self.supply, region) {
                    Err(error) if error.is_final() => Err(Stop::Power(BootStage::Target)),
                    _ => Ok(Some(ResetCause::Crash { why: "the target application".to_owned() })),
                }
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
                    // An app that reports a loss of power while power is on is faulty.
                    AppExit::PowerLost => BootOutcome::Reset(ResetCause::Crash {
                        why: "power is not lost".to_owned(),
                    }),
                }
            }
        }
    }

    /// If there is no power, that is the cause.
    fn stop(&self, stage: BootStage, why: BootFailure) -> Stop {
        if self.power.is_on() { Stop::Failed(why) } else { Stop::Power(stage) }
    }
}

/// Erases a region that a target should leave alone, and fills it with noise.
fn overwrite(flash: &mut dyn NorDevice, region: Region) -> Result<(), NorError> {
    let mut noise = Noise::new(u64::from(region.start().get()));
    for sector in region.chunks(SECTOR_BYTES) {
        flash.erase(EraseUnit::Sector4K, sector.start())?;
        for page in sector.chunks(PAGE_BYTES) {
            let mut bytes = vec![0; page.len_bytes() as usize];
            noise.fill(&mut bytes);
            flash.program_page(page.start(), &bytes)?;
        }
    }
    Ok(())
}
