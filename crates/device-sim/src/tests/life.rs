//! A device over many boots, with apps that misbehave.

use core::ops::ControlFlow;

use embedded_storage_async::nor_flash::NorFlash;
use esp_idf_format::otadata::OtaState;
use nor_sim::{
    DatasheetTiming, Driver, EraseUnit, NorDevice, NorError, Timed, run_until_powered_off,
};

use super::*;

fn in_ota_0() -> NorMemory {
    flash().app("ota_0", &app("ota_0")).select_ota(0, OtaState::Undefined).build().unwrap()
}

#[test]
fn an_app_that_erases_itself_crashes_and_is_gone() {
    let mut device = device(in_ota_0());
    let mut survived = false;
    let mut software = |app: &RunningApp, machine: Machine<'_>| {
        if app.project_name() == "factory" {
            return AppExit::Stay;
        }
        let erase = machine.flash.erase(EraseUnit::Block64K, app.partition.region.start());
        assert_eq!(erase, Err(NorError::Crashed));
        survived = machine.flash.read(FlashAddr(0), &mut [0]).is_ok();
        AppExit::Stay
    };
    let mut lines = Vec::new();
    let life = device.live(5, &mut software, &mut lines);
    assert_eq!(life.outcome.to_string(), "old firmware running: factory 1.0 in factory");
    assert_eq!((life.boots, life.crashes, survived), (2, 1, false));
    let reset = lines.iter().find(|line| matches!(line.event, DeviceEvent::Reset(_))).unwrap();
    let expected = "rst: panic: cache error, the app's own code is gone: \
                    64 KiB erase at 0x110000 touches 0x110000..0x116000";
    assert_eq!(reset.event.to_string(), expected);
}

/// What follows the image in the same partition is not code.
#[test]
fn an_app_may_write_after_its_own_image() {
    let mut device = device(in_ota_0());
    let mut software = |app: &RunningApp, machine: Machine<'_>| {
        let behind = app.code().end();
        machine.flash.erase(EraseUnit::Sector4K, behind).unwrap();
        let last = behind.get() - 1;
        let touched = machine.flash.program_page(FlashAddr(last), &[0xff]);
        AppExit::Crashed { why: touched.unwrap_err().to_string() }
    };
    let end = device.boot(&mut software, &mut ());
    assert!(matches!(end, BootOutcome::Reset(ResetCause::CodeErased(_))), "{end:?}");
}

/// No code of an engine runs after it has erased itself.
#[test]
fn an_engine_stops_where_it_crashes() {
    let mut device = device(in_ota_0());
    let mut steps = Vec::new();
    let mut software = |_: &RunningApp, machine: Machine<'_>| {
        let Machine { flash, power, .. } = machine;
        let work = async {
            let mut driver = Driver::new(flash);
            steps.push(NorFlash::erase(&mut driver, 0x21_0000, 0x22_0000).await);
            steps.push(NorFlash::erase(&mut driver, 0x11_0000, 0x12_0000).await);
        };
        match run_until_powered_off(work, power) {
            Some(()) => AppExit::Stay,
            None => AppExit::PowerLost,
        }
    };
    let end = device.boot(&mut software, &mut ());
    assert!(matches!(end, BootOutcome::Reset(ResetCause::CodeErased(_))), "{end:?}");
    assert_eq!(steps, [Ok(())]);
}

#[test]
fn power_is_lost_at_the_given_operations() {
    let mut device = device(in_ota_0()).with_cut(Cut::before(2)).with_cut(Cut::middle(4, 1));
    let mut erased = 0;
    let mut software = |_: &RunningApp, machine: Machine<'_>| {
        for sector in 0..3 {
            match machine.flash.erase(EraseUnit::Sector4K, FlashAddr(0x30_0000 + sector * 0x1000)) {
                Ok(()) => erased += 1,
                Err(error) => assert_eq!(error, NorError::PowerLost),
            }
        }
        AppExit::Stay
    };
    let mut lines = Vec::new();
    let life = device.live(9, &mut software, &mut lines);
    assert!(life.outcome.is_alive());
    // Two and one before the cuts, then three.
    assert_eq!((life.boots, life.power_losses, erased), (3, 2, 6));
    assert_eq!(device.supply().ops(), 8);
    let ops: Vec<String> = lines
        .iter()
        .filter(|line| matches!(line.event, DeviceEvent::PowerLost { .. }))
        .map(|line| line.event.to_string())
        .collect();
    assert_eq!(
        ops,
        [
            "--- power lost at flash operation 2, in the app",
            "--- power lost at flash operation 4, in the app",
        ]
    );
}

#[test]
fn without_power_the_exit_of_an_app_is_ignored() {
    let mut device = device(in_ota_0()).with_cut(Cut::after(0));
    let mut software = |_: &RunningApp, machine: Machine<'_>| {
        let _ = machine.flash.erase(EraseUnit::Sector4K, FlashAddr(0x30_0000));
        AppExit::Reset
    };
    assert_eq!(device.boot(&mut software, &mut ()), BootOutcome::PowerLost(BootStage::App));
}

#[test]
fn an_app_cannot_invent_a_loss_of_power() {
    let mut device = device(in_ota_0());
    let mut software = |_: &RunningApp, _: Machine<'_>| AppExit::PowerLost;
    let life = device.live(2, &mut software, &mut ());
    assert_eq!((life.power_losses, life.crashes), (0, 2));
}

/// Software that keeps state, which is why there is a trait.
#[test]
fn software_can_keep_state() {
    struct Twice {
        runs: u32,
    }
    impl Software for Twice {
        fn run(&mut self, _: &RunningApp, _: Machine<'_>) -> AppExit {
            self.runs += 1;
            if self.runs < 2 { AppExit::Reset } else { AppExit::Stay }
        }
    }
    let mut software = Twice { runs: 0 };
    let life = device(in_ota_0()).live(5, &mut software, &mut ());
    assert_eq!((life.boots, life.crashes, software.runs), (2, 0, 2));
}

#[test]
fn resets_without_end_are_a_boot_loop() {
    let mut device = device(in_ota_0());
    let mut crash =
        |_: &RunningApp, _: Machine<'_>| AppExit::Crashed { why: "StoreProhibited".to_owned() };
    let life = device.live(7, &mut crash, &mut ());
    assert_eq!((life.outcome, life.boots, life.crashes), (LifeOutcome::BootLoop, 7, 7));
}

#[test]
fn a_failed_boot_is_tried_twice() {
    let mut memory = in_ota_0();
    memory.erase(EraseUnit::Sector4K, FlashAddr(0)).unwrap();
    let life = device(memory).live(100, &mut stay, &mut ());
    assert!(matches!(life.outcome, LifeOutcome::Bricked(BootFailure::Rom(_))));
    assert_eq!(life.boots, 2);
}

#[test]
fn a_boot_with_one_wrong_read_is_tried_again() {
    let faulty = nor_sim::Faulty::new(in_ota_0()).with_read_fault(
        region(0, 1),
        1,
        nor_sim::ReadFault::Flipped(0xff),
    );
    let life = Device::new(board(false), faulty).live(100, &mut stay, &mut ());
    assert_eq!(life.outcome.to_string(), "old firmware running: ota_0 1.0 in ota_0");
    assert_eq!(life.boots, 2);
}

/// A simulator uses this to get the flash at the moment at which an app is done.
#[test]
fn an_observer_sees_each_boot_and_ends_the_life() {
    struct Counting {
        runs: u32,
    }
    impl Software for Counting {
        fn run(&mut self, _: &RunningApp, machine: Machine<'_>) -> AppExit {
            self.runs += 1;
            machine.flash.erase(EraseUnit::Sector4K, FlashAddr(0x30_0000)).unwrap();
            AppExit::Reset
        }
    }
    let mut device = device(in_ota_0());
    let mut software = Counting { runs: 0 };
    let mut seen = Vec::new();
    let life = device.live_observed(9, &mut software, &mut (), |device, software, boot| {
        assert_eq!(boot.outcome, &BootOutcome::Reset(ResetCause::Software));
        seen.push((boot.number, boot.ops, device.supply().ops(), software.runs));
        if software.runs == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((life.outcome, life.boots), (LifeOutcome::Stopped, 3));
    assert_eq!(seen, [(1, 1, 1, 1), (2, 1, 2, 2), (3, 1, 3, 3)]);
    // The device has not changed: its next boot continues from there.
    assert_eq!(
        device.live(1, &mut stay, &mut ()).outcome.to_string(),
        "old firmware running: ota_0 1.0 in ota_0"
    );
}

#[test]
fn an_observer_can_end_a_life_with_the_first_loss_of_power() {
    let mut device = device(in_ota_0()).with_cut(Cut::before(0));
    let mut software = |_: &RunningApp, machine: Machine<'_>| {
        let _ = machine.flash.erase(EraseUnit::Sector4K, FlashAddr(0x30_0000));
        AppExit::Stay
    };
    let life = device.live_observed(9, &mut software, &mut (), |_, _, boot| match boot.outcome {
        BootOutcome::PowerLost(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert_eq!((life.outcome, life.boots, life.power_losses), (LifeOutcome::Stopped, 1, 1));
}

/// If the observer ends a life, its outcome is still that of the last boot.
#[test]
fn a_life_that_an_observer_ends_says_what_runs_or_that_nothing_does() {
    let life =
        device(in_ota_0()).live_observed(9, &mut stay, &mut (), |_, _, _| ControlFlow::Break(()));
    assert_eq!(life.outcome.to_string(), "old firmware running: ota_0 1.0 in ota_0");
    let mut memory = in_ota_0();
    memory.erase(EraseUnit::Sector4K, FlashAddr(0)).unwrap();
    let life =
        device(memory).live_observed(9, &mut stay, &mut (), |_, _, _| ControlFlow::Break(()));
    assert!(matches!(life.outcome, LifeOutcome::Bricked(BootFailure::Rom(_))));
    assert_eq!(life.boots, 1);
}

#[test]
fn the_console_shows_a_whole_boot() {
    let timed = Timed::new(in_ota_0(), DatasheetTiming::W25Q32JV);
    let clock = timed.clock();
    let mut device = Device::new(board(true), timed).with_clock(clock);
    let mut software = |_: &RunningApp, machine: Machine<'_>| {
        machine.flash.erase(EraseUnit::Block64K, FlashAddr(0x30_0000)).unwrap();
        AppExit::Reset
    };
    let mut lines = Vec::new();
    device.boot(&mut software, &mut lines);
    device.boot(&mut stay, &mut |line: Line| lines.push(line));
    let shown: Vec<String> = lines.iter().map(|line| line.event.to_string()).collect();
    let first = lines.iter().take_while(|line| line.boot == 1).count();
    assert_eq!(shown[0], "rst: power on");
    assert_eq!(shown[1], "esp32s3 ROM: load:0x0,len:0x4e70");
    assert_eq!(
        shown[2],
        "boot: ESP-IDF 2nd stage bootloader, SPI Flash Size : 4MB, rollback enabled"
    );
    assert_eq!(shown[3], "boot:  0 nvs              data nvs         00009000 00004000");
    assert_eq!(shown[9], "boot: otadata[0]: sequence 0x1, undefined");
    assert_eq!(shown[10], "boot: otadata[1]: otadata entry is erased");
    assert_eq!(shown[11], "boot: Loaded app from partition at offset 0x110000: ota_0 1.0 in ota_0");
    assert_eq!(shown[12], "app: resets");
    assert_eq!(shown[first], "rst: software reset");
    assert_eq!(shown.last().map(String::as_str), Some("app: keeps running"));
    assert!(lines[first].to_string().starts_with("2|     0.15"), "{}", lines[first]);
}
