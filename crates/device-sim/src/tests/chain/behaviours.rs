//! How a trial ends, by what the target application does.

use super::*;

/// What runs at the end of each life, power being switched off after each: "target 1" is its first
/// counted start, "old" the old firmware.
fn lives(hosted: &Hosted, acts: &[TargetAct], lives: u32) -> (Vec<String>, Device<NorMemory>) {
    let mut device = hosted.device().with_target(acts);
    let ends = (0..lives).map(|_| end(&device.live(16, &mut stay, &mut ()).outcome));
    let ends = ends.collect();
    (ends, device)
}

fn end(outcome: &LifeOutcome) -> String {
    match outcome {
        LifeOutcome::TargetRunning(TargetApp { start, .. }) => match start {
            TargetStart::Counted { number, .. } => format!("target {number}"),
            TargetStart::Confirmed => "confirmed".to_owned(),
            TargetStart::Uncounted => "uncounted".to_owned(),
        },
        LifeOutcome::OldFirmwareRunning(app) => app.project_name(),
        LifeOutcome::Bricked(why) => why.to_string(),
        other => other.to_string(),
    }
}

/// The lines of the emulated chip, and its trial word.
#[test]
fn never_confirmed_it_goes_back_after_three_starts() {
    for chip in CHIPS {
        let mut device = Hosted::on(chip, 3).device();
        let mut lines = Vec::new();
        for word in [!1, !3, !7] {
            assert!(device.live(8, &mut stay, &mut lines).outcome.is_target());
            assert_eq!(trial_word(&device), word);
        }
        let life = device.live(8, &mut stay, &mut lines);
        assert_eq!((end(&life.outcome).as_str(), life.boots), ("old", 2));
        assert_eq!(
            printed(&lines),
            [
                "loader: bootloader at 0x261000, copy 1, start 1 of 3",
                "loader: bootloader at 0x261000, copy 1, start 2 of 3",
                "loader: bootloader at 0x261000, copy 1, start 3 of 3",
                "loader: not confirmed, back to the old firmware",
            ]
        );
        // And there it stays.
        assert_eq!(end(&device.live(8, &mut stay, &mut ()).outcome), "old");
    }
}

#[test]
fn confirmed_at_once_it_stays() {
    let (ends, device) = lives(&Hosted::new(3), &[TargetAct::Confirm, TargetAct::Stay], 5);
    assert_eq!(ends, ["target 1", "confirmed", "confirmed", "confirmed", "confirmed"]);
    assert_eq!(trial_word(&device), 0);
}

/// Also when MCUboot later tries an update of the target, whose `image_ok` is unset again.
#[test]
fn once_confirmed_it_is_no_longer_counted() {
    let hosted = Hosted::new(1).changed(IMAGE_OK, &[1]);
    let mut device = hosted.device();
    let mut lines = Vec::new();
    assert_eq!(end(&device.live(8, &mut stay, &mut lines).outcome), "confirmed");
    let memory = hosted.changed(TRIAL_WORD.start(), &[0; 4]).changed(IMAGE_OK, &[0xff]).memory;
    let mut device = Device::new(device.board().clone(), memory);
    assert_eq!(end(&device.live(8, &mut stay, &mut lines).outcome), "confirmed");
    let line = "loader: bootloader at 0x261000, copy 1, confirmed";
    assert_eq!(printed(&lines), [line, line]);
}

#[test]
fn confirmed_at_the_last_start_it_stays_and_later_it_does_not() {
    let reset = TargetAct::Reset;
    let in_time = [reset, reset, TargetAct::Confirm, TargetAct::Stay];
    let (ends, device) = lives(&Hosted::new(3), &in_time, 3);
    assert_eq!(ends, ["target 3", "confirmed", "confirmed"]);
    assert_eq!(trial_word(&device), 0);
    let too_late = [reset, reset, reset, TargetAct::Confirm];
    let (ends, device) = lives(&Hosted::new(3), &too_late, 2);
    assert_eq!(ends, ["old", "old"]);
    assert_eq!(device.target_starts(), 3);
}

/// Without the good magic a flag is no confirmation, as for MCUboot.
#[test]
fn a_flag_without_magic_is_no_confirmation() {
    let hosted = Hosted::new(1).changed(FlashAddr(0x11_0000 - 4), &[0xff; 4]);
    let hosted = hosted.changed(IMAGE_OK, &[1]);
    let (ends, _) = lives(&hosted, &[TargetAct::Stay], 2);
    assert_eq!(ends, ["target 1", "old"]);
}

/// A device whose target hangs before it has taken over the watchdog comes back by itself.
#[test]
fn a_hang_ends_by_the_watchdog() {
    let hang = [TargetAct::Hang { stopped_watchdog: false }];
    let mut device = Hosted::new(3).device().with_target(&hang);
    let mut lines = Vec::new();
    let life = device.live(16, &mut stay, &mut lines);
    assert_eq!((end(&life.outcome).as_str(), life.boots, life.hangs), ("old", 5, 0));
    let resets = lines.iter().filter(|line| line.event.to_string() == "rst: RTC watchdog");
    assert_eq!(resets.count(), 3);
}

/// If the target hangs later, or the carrier stops the watchdog, the device waits until its power
/// is switched off, once for each start.
#[test]
fn a_hang_without_watchdog_ends_when_power_is_switched_off() {
    let stopped = [TargetAct::Hang { stopped_watchdog: true }];
    let early = [TargetAct::Hang { stopped_watchdog: false }];
    for (hosted, acts) in
        [(Hosted::new(3), &stopped), (Hosted::with(CHIP, 3, 0), &early), (Hosted::new(3), &stopped)]
    {
        let mut device = hosted.device().with_target(acts);
        let life = device.live(16, &mut stay, &mut ());
        assert_eq!((end(&life.outcome).as_str(), life.hangs), ("old", 3));
    }
}

/// Each of these starts is counted, so that the trial ends by itself.
#[test]
fn resets_crashes_and_sleep_use_the_starts_up() {
    let crash = TargetAct::Overwrite(region(0x3f_0000, 0x1000));
    for (act, crashes) in [(TargetAct::Reset, 0), (TargetAct::Sleep, 0), (crash, 3)] {
        let mut device = Hosted::new(3).device().with_target(&[act]);
        let life = device.live(16, &mut stay, &mut ());
        assert_eq!((end(&life.outcome).as_str(), life.boots, life.crashes), ("old", 5, crashes));
        assert_eq!(device.target_starts(), 3);
    }
}

/// Without a trial, or once confirmed, nothing leads back.
#[test]
fn without_a_trial_nothing_leads_back() {
    let reset = [TargetAct::Reset];
    let hang = [TargetAct::Hang { stopped_watchdog: false }];
    let hangs = "the target application hangs, without a watchdog";
    let confirmed = Hosted::new(3).changed(IMAGE_OK, &[1]).changed(TRIAL_WORD.start(), &[0; 4]);
    for hosted in [Hosted::new(0), confirmed] {
        assert_eq!(lives(&hosted, &reset, 1).0, ["boot loop"]);
        assert_eq!(lives(&hosted, &hang, 1).0, [hangs]);
    }
}

/// A target that writes over what is not its own, and crashes.
#[test]
fn what_a_target_overwrites_outside_of_its_slot() {
    let otadata = region(0xd000, 0x2000);
    let carrier = region(CARRIER.get(), 0x1000);
    let first_copy = region(0x26_1000, 0x1000);
    let copies = region(0x26_1000, 0xe000);
    let table = region(0x8000, 0x1000);
    let bootloader = region(0, 0x1000);
    let own_slot = region(0x1_0000, 0x1000);
    let ends_with = |starts, overwritten| {
        let acts = [TargetAct::Overwrite(overwritten), TargetAct::Stay];
        lives(&Hosted::new(starts), &acts, 1).0.remove(0)
    };
    for starts in [0, 3] {
        // Neither entry is good any more: the old bootloader tries factory, then slot after slot.
        assert_eq!(ends_with(starts, otadata), "old");
        // The image does not verify: the old bootloader goes on to the slot before it.
        assert_eq!(ends_with(starts, carrier), "old");
        // No copy is whole: the loader takes its entry away.
        assert_eq!(ends_with(starts, copies), "old");
        // These must never be overwritten.
        assert!(ends_with(starts, table).starts_with("ESP-IDF bootloader: "));
        assert!(ends_with(starts, bootloader).starts_with("ROM: "));
    }
    // The second copy.
    assert_eq!(ends_with(0, first_copy), "uncounted");
    assert_eq!(ends_with(3, first_copy), "target 2");
    // Its own image: MCUboot finds nothing. On trial the watchdog resets the device; otherwise it
    // stays so.
    assert_eq!(ends_with(3, own_slot), "old");
    assert!(ends_with(0, own_slot).starts_with("MCUboot: "));
}

/// The loader's own entry is cleared and there is no other app: the loader says so and starts the
/// target.
#[test]
fn a_trial_without_a_way_back_keeps_its_target() {
    let hosted = Hosted::new(1)
        .changed(SECONDARY.start(), &[0xff; 16])
        .changed(OTADATA, &[0xff; 2 * SECTOR_BYTES as usize]);
    let mut device = hosted.device();
    let mut lines = Vec::new();
    for _ in 0..3 {
        assert!(device.live(8, &mut stay, &mut lines).outcome.is_target());
    }
    assert_eq!(
        printed(&lines),
        [
            "loader: bootloader at 0x261000, copy 1, start 1 of 1",
            "loader: not confirmed, no way back",
            "loader: bootloader at 0x261000, copy 1",
            "loader: not confirmed, no way back",
            "loader: bootloader at 0x261000, copy 1",
        ]
    );
}

/// An ESP-IDF bootloader with rollback starts an app once that its update marked as new, and no app
/// confirms a carrier: the second start is the old firmware, whatever the target does.
#[test]
fn with_rollback_a_carrier_that_is_marked_new_starts_once() {
    let second = OTADATA.saturating_add(SECTOR_BYTES);
    for (state, ends) in [
        (OtaState::New, ["target 1", "old", "old"]),
        (OtaState::Undefined, ["target 1", "confirmed", "confirmed"]),
        (OtaState::Valid, ["target 1", "confirmed", "confirmed"]),
    ] {
        let hosted = Hosted::new(3).with_rollback(true);
        let hosted = hosted.changed(second, &OtaEntry::new(2, state).to_bytes());
        assert_eq!(lives(&hosted, &[TargetAct::Confirm, TargetAct::Stay], 3).0, ends, "{state}");
    }
}
