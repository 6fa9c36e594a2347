//! A migrator with a fault does not pass.

use device_sim::{AppExit, Machine, RunningApp, Software};
use flash_region::{FlashAddr, Region};
use nor_sim::{EraseUnit, NorDevice, NorError};

use super::{ALL, NVS, on_small_device, power_cuts, sweeps};
use crate::migrator::{MigratorOutcome, MigratorSoftware, SimulatedMigrator, unchanged};
use crate::sweep::{Amount, PowerCuts, Sweeps};

/// A migrator that does something in addition before or after its work.
struct Planted<'a, F> {
    migrator: SimulatedMigrator<'a>,
    bug: F,
}

impl<F: FnMut(&mut SimulatedMigrator<'_>, &RunningApp, Machine<'_>) -> AppExit> Software
    for Planted<'_, F>
{
    fn run(&mut self, app: &RunningApp, machine: Machine<'_>) -> AppExit {
        (self.bug)(&mut self.migrator, app, machine)
    }
}

impl<F: FnMut(&mut SimulatedMigrator<'_>, &RunningApp, Machine<'_>) -> AppExit> MigratorSoftware
    for Planted<'_, F>
{
    fn outcome(&mut self) -> &mut MigratorOutcome {
        self.migrator.outcome()
    }
}

fn planted<'a>(
    migrator: SimulatedMigrator<'a>,
    bug: impl FnMut(&mut SimulatedMigrator<'_>, &RunningApp, Machine<'_>) -> AppExit + 'a,
) -> Box<dyn MigratorSoftware + 'a> {
    Box::new(Planted { migrator, bug })
}

/// Erases a sector and restores it: harmless, unless power is lost.
fn touch(machine: &mut Machine<'_>, sector: FlashAddr) -> Result<(), NorError> {
    let mut bytes = [0; 0x1000];
    machine.flash.read(sector, &mut bytes)?;
    machine.flash.erase(EraseUnit::Sector4K, sector)?;
    for (page, bytes) in Region::clamped(sector, 0x1000).chunks(0x100).zip(bytes.chunks(0x100)) {
        machine.flash.program_page(page.start(), bytes)?;
    }
    Ok(())
}

pub(super) fn touches_first(
    sector: FlashAddr,
    migrator: SimulatedMigrator<'_>,
) -> Box<dyn MigratorSoftware + '_> {
    planted(migrator, move |migrator, app, mut machine| match touch(&mut machine, sector) {
        Ok(()) => migrator.run(app, machine),
        Err(_) => AppExit::PowerLost,
    })
}

#[test]
fn a_migrator_that_touches_the_bootloader_early_is_found() {
    let report = power_cuts(&|migrator| touches_first(FlashAddr::ZERO, migrator), ALL);
    // From the erase on, in all three phases, until the last page is back.
    assert!((40..=51).contains(&report.failed), "{}", report.failed);
    assert_eq!(report.failures.len() as u64, report.failed);
    assert!(report.failures.iter().any(|failure| failure.case == "cut:0:after"));
    assert!(report.failures[0].detail.contains("ROM"), "{}", report.failures[0].detail);
}

/// The report and the judge of power cuts use the same window: an early change of the bootloader is
/// not part of it, so the report must not count it and no cut there is excused.
#[test]
fn the_reported_window_is_the_one_that_excuses_cuts() {
    fn early(migrator: SimulatedMigrator<'_>) -> Box<dyn MigratorSoftware + '_> {
        touches_first(FlashAddr::ZERO, migrator)
    }
    let good = on_small_device(&unchanged, |_, run| run.window);
    let (window, operations) = on_small_device(&early, |_, run| (run.window, run.ops.len()));
    assert_eq!(window, good);
    assert!(operations as u64 > window.ops());
}

#[test]
fn a_migrator_that_loses_the_owners_data_is_found() {
    let report = power_cuts(&|migrator| touches_first(NVS, migrator), ALL);
    assert!(report.failed > 0);
    let details: Vec<_> = report.failures.iter().map(|failure| &failure.detail).collect();
    assert!(
        details.iter().all(|detail| detail.ends_with("but nvs is not as it should be")),
        "{details:?}"
    );
}

#[test]
fn a_second_cut_finds_what_only_a_recovery_does_wrong() {
    // An interrupted run leaves a mark in the slot that it fills; the next one changes the
    // bootloader.
    fn hasty(migrator: SimulatedMigrator<'_>) -> Box<dyn MigratorSoftware + '_> {
        planted(migrator, |migrator, app, mut machine| {
            let mut mark = [0; 4];
            let seen = machine.flash.read(FlashAddr(0x3_0000), &mut mark);
            let again = seen.is_ok() && mark == mcuboot_format::IMAGE_MAGIC.to_le_bytes();
            if again && touch(&mut machine, FlashAddr(0x1000)).is_err() {
                return AppExit::PowerLost;
            }
            migrator.run(app, machine)
        })
    }
    assert_eq!(power_cuts(&hasty, PowerCuts { amount: Amount::Some(60), ..ALL }).failed, 0);
    let twice = PowerCuts { amount: Amount::Some(150), twice: true, ..ALL };
    let report = power_cuts(&hasty, twice);
    assert!(report.second_cuts.unwrap().failed > 0);
    assert!(report.failures.iter().all(|failure| failure.case.matches("cut:").count() == 2));
}

#[test]
fn a_migrator_that_starts_anew_each_time_is_measured() {
    fn forgetful(migrator: SimulatedMigrator<'_>) -> Box<dyn MigratorSoftware + '_> {
        planted(migrator, |migrator, app, machine| {
            // Everything that was fetched so far, and every record about it.
            for block in [0x3_0000, 0x5_0000, 0x6_0000, 0x7_0000] {
                let erased = machine.flash.erase(EraseUnit::Block64K, FlashAddr(block));
                if erased.is_err() {
                    return AppExit::PowerLost;
                }
            }
            migrator.run(app, machine)
        })
    }
    let report = power_cuts(&forgetful, PowerCuts { amount: Amount::Some(200), ..ALL });
    assert_eq!(report.failed, 0, "{:?}", report.failures);
    assert!(report.downloaded_again_bytes.most > 12_288, "{:?}", report.downloaded_again_bytes);
    assert!(report.operations_again.most > 40, "{:?}", report.operations_again);
}

/// A driver with a cache over the bootloader's region: what was written is what is read, whatever
/// the chip did.
struct Cached<'a> {
    inner: &'a mut dyn NorDevice,
    cache: &'a mut Vec<u8>,
}

impl NorDevice for Cached<'_> {
    fn capacity_bytes(&self) -> u32 {
        self.inner.capacity_bytes()
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        self.inner.read(addr, out)?;
        let at = addr.get() as usize;
        if let Some(cached) = self.cache.get(at..at + out.len()) {
            out.copy_from_slice(cached);
        }
        Ok(())
    }

    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
        self.inner.program_page(addr, bytes)?;
        let at = addr.get() as usize;
        if let Some(cached) = self.cache.get_mut(at..at + bytes.len()) {
            cached.iter_mut().zip(bytes).for_each(|(cached, byte)| *cached &= byte);
        }
        Ok(())
    }

    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
        self.inner.erase(unit, addr)?;
        let (at, len) = (addr.get() as usize, unit.len_bytes() as usize);
        self.cache.iter_mut().skip(at).take(len).for_each(|cached| *cached = 0xff);
        Ok(())
    }
}

#[test]
fn a_commit_that_is_not_read_back_is_found() {
    fn believes_its_cache(migrator: SimulatedMigrator<'_>) -> Box<dyn MigratorSoftware + '_> {
        planted(migrator, |migrator, app, machine| {
            let Machine { flash, power, board } = machine;
            let mut cache = vec![0; 0x8000];
            if flash.read(FlashAddr::ZERO, &mut cache).is_err() {
                return AppExit::PowerLost;
            }
            let mut flash = Cached { inner: flash, cache: &mut cache };
            migrator.run(app, Machine { flash: &mut flash, power, board })
        })
    }
    let sweeps = Sweeps { flash_faults: Amount::All, ..sweeps() };
    let report = on_small_device(&believes_its_cache, |context, run| {
        sweeps.run(context, run).unwrap().flash_faults.unwrap()
    });
    assert!(report.failed > 20, "{report:?}");
    let silent = |case: &str| case.contains("silently-torn") || case.contains("ignored");
    assert!(report.failures.iter().any(|failure| silent(&failure.case)), "{:?}", report.failures);
}

#[test]
fn a_migrator_that_loses_its_head_over_a_broken_connection_is_found() {
    fn panics(migrator: SimulatedMigrator<'_>) -> Box<dyn MigratorSoftware + '_> {
        planted(migrator, |migrator, app, machine| {
            let Machine { flash, power, board } = machine;
            let exit = migrator.run(app, Machine { flash: &mut *flash, power, board });
            if migrator.outcome.requests > 2 {
                let _ = flash.erase(EraseUnit::Sector4K, FlashAddr::ZERO);
            }
            exit
        })
    }
    let sweeps = Sweeps { network_faults: Amount::Some(40), ..sweeps() };
    let report = on_small_device(&panics, |context, run| {
        sweeps.run(context, run).unwrap().network_faults.unwrap()
    });
    assert!(report.failed > 10, "{report:?}");
    assert!(report.failures.iter().all(|failure| failure.case.contains("net:/")), "{report:?}");
}
