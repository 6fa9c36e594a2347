//! After the commit: MCUboot, and the target application.

use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::key::PrivateKey;
use mcuboot_format::{DowngradePrevention, SwapKind, espressif};
use nor_sim::{EraseUnit, NorDevice, NorError, Recorded};

use super::*;

const PRIMARY: Region = Region::clamped(FlashAddr(0x1_0000), 0x10_0000);
const SECONDARY: Region = Region::clamped(FlashAddr(0x11_0000), 0x10_0000);

fn target(padding: Padding) -> Vec<u8> {
    let payload = synthetic::target_payload(CHIP, 40_000, 9);
    let mut options = SignOptions::espressif(SECONDARY.len_bytes(), SwapKind::Scratch);
    options.version = "1.2.3".parse().unwrap();
    options.padding = padding;
    sign(&payload, &options).unwrap()
}

/// An image of that payload that is to stay.
fn confirmed(payload: &[u8]) -> Vec<u8> {
    let mut options = SignOptions::espressif(SECONDARY.len_bytes(), SwapKind::Scratch);
    options.padding = Padding::Confirmed;
    sign(payload, &options).unwrap()
}

/// A device of the example after the commit.
fn migrated(target: &[u8]) -> NorMemory {
    let mut memory = flash().build().unwrap();
    memory.erase(EraseUnit::Block32K, FlashAddr(0)).unwrap();
    memory.load(CHIP.bootloader_addr(), &new_bootloader());
    // Noise in the trailers has its own test.
    memory.load(PRIMARY.suffix(0x2000).start(), &[0xff; 0x2000]);
    let mut slot = target.to_vec();
    slot.resize(SECONDARY.len_bytes() as usize, 0xff);
    memory.load(SECONDARY.start(), &slot);
    memory
}

fn mcuboot_failure(device: &mut Device<NorMemory>) -> McubootFailure {
    match failure(device) {
        BootFailure::Mcuboot(why) => why,
        other => panic!("{other}"),
    }
}

#[test]
fn a_confirmed_image_is_swapped_in_and_runs() {
    let mut device = device(migrated(&target(Padding::Confirmed)));
    let mut lines = Vec::new();
    let life = device.live(3, &mut stay, &mut lines);
    let LifeOutcome::TargetRunning(target) = life.outcome else { panic!("{}", life.outcome) };
    assert_eq!(target.image.header.version.to_string(), "1.2.3+0");
    assert!(target.load_header.is_some());
    assert_eq!(life.boots, 1);
    assert!(lines.iter().any(|line| matches!(line.event, DeviceEvent::Mcuboot(_))));
    // The old app is in the slot where the new one was.
    let kept = device.memory().bytes(SECONDARY.prefix(0x6000));
    assert_eq!(kept, app("factory"));
    // And it keeps running.
    let again = device.live(3, &mut stay, &mut ());
    assert!(again.outcome.is_target() && again.boots == 1);
}

/// Power goes at every operation of the swap, and some are torn: the target runs in the end.
#[test]
fn the_swap_survives_every_cut() {
    let memory = migrated(&target(Padding::Confirmed));
    let mut recorded = Device::new(board(false), Recorded::new(memory));
    assert!(recorded.live(1, &mut stay, &mut ()).outcome.is_target());
    let recording = recorded.supply_mut().inner_mut().take();
    assert!(recording.len() > 500, "{}", recording.len());
    for op in 0..recording.len() as u64 {
        for cut in [Cut::before(op), Cut::middle(op, op)] {
            let mut device = device(recording.cut(cut).unwrap());
            let life = device.live(3, &mut stay, &mut ());
            assert!(life.outcome.is_target(), "{cut:?}: {}", life.outcome);
        }
    }
}

/// The cut made by the device's own supply, so that what MCUboot does about it is in between.
#[test]
fn a_cut_in_mcuboot_is_one_more_boot() {
    let memory = migrated(&target(Padding::Confirmed));
    let mut device = device(memory).with_cut(Cut::middle(300, 1)).with_cut(Cut::before(600));
    let life = device.live(5, &mut stay, &mut ());
    assert!(life.outcome.is_target());
    assert_eq!((life.boots, life.power_losses), (3, 2));
}

#[test]
fn nothing_to_swap_bricks_the_device() {
    let why = mcuboot_failure(&mut device(migrated(&target(Padding::None))));
    assert!(matches!(why, McubootFailure::Boot(_)), "{why}");
}

#[test]
fn a_damaged_image_bricks_the_device() {
    let mut image = target(Padding::Confirmed);
    image[5000] ^= 1;
    let mut device = device(migrated(&image));
    let why = mcuboot_failure(&mut device);
    assert!(matches!(why, McubootFailure::Boot(_)), "{why}");
    let secondary = device.memory().bytes(SECONDARY);
    assert!(flash_region::is_blank(&secondary), "MCUboot erases what it refuses");
}

/// Old bytes in the primary's status area.
#[test]
fn stale_bytes_in_the_primarys_trailer_brick_the_device() {
    let mut memory = migrated(&target(Padding::Confirmed));
    let status = PRIMARY.start().saturating_add(0xfe7d0);
    memory.program_page(status, &[0]).unwrap();
    let why = mcuboot_failure(&mut device(memory));
    assert!(why.to_string().contains("crashes"), "{why}");
}

#[test]
fn an_application_without_load_header_does_not_start_on_espressifs_port() {
    let mut options = SignOptions::espressif(SECONDARY.len_bytes(), SwapKind::Scratch);
    options.padding = Padding::Confirmed;
    let memory = migrated(&sign(&[0x13; 4000], &options).unwrap());
    let why = mcuboot_failure(&mut device(memory.clone()));
    assert!(matches!(why, McubootFailure::LoadHeader { .. }), "{why}");
    let board = Board::new(CHIP)
        .mcuboot(
            &new_bootloader(),
            McubootConfig { wants_load_header: false, ..McubootConfig::example() },
        )
        .unwrap();
    assert!(Device::new(board, memory).live(2, &mut stay, &mut ()).outcome.is_target());
}

/// The checks of each chip's loader, which the made-up application passes.
#[test]
fn an_application_starts_on_its_own_chip() {
    for chip in Chip::ALL {
        for len_bytes in [65, 100, 9_000, 149_824, 900_000] {
            let image = confirmed(&synthetic::target_payload(chip, len_bytes, 1));
            let header = espressif::check(chip, &image).unwrap();
            assert_eq!(header.entry_addr, header.iram.dest_addr, "{chip}");
        }
        // A payload too short for code has a load header all the same, and is as long as ever.
        assert_eq!(synthetic::target_payload(chip, 64, 1).len(), 96);
    }
}

#[test]
fn an_application_of_another_chip_does_not_start() {
    for other in [Chip::Esp32, Chip::Esp32s2, Chip::Esp32c3, Chip::Esp32c6] {
        let image = confirmed(&synthetic::target_payload(other, 9_000, 1));
        let mut device = device(migrated(&image));
        let same = espressif::check(CHIP, &image).is_ok();
        for _ in 0..2 {
            let outcome = device.live(2, &mut stay, &mut ()).outcome;
            let fault = match outcome {
                LifeOutcome::Bricked(BootFailure::Mcuboot(McubootFailure::LoadHeader {
                    fault,
                    ..
                })) => Some(fault),
                other => {
                    assert!(other.is_target(), "{other}");
                    None
                }
            };
            assert_eq!(fault.is_none(), same, "{other}");
            assert!(fault.is_none_or(|fault| fault.is_of_another_chip()), "{other}");
        }
    }
}

/// An ESP-IDF `.bin` in an MCUboot image, and a payload that already has a header.
#[test]
fn what_was_not_built_for_mcuboot_does_not_start() {
    let target = confirmed(&synthetic::target_payload(CHIP, 9_000, 1));
    for payload in [app("other"), target[..9_000].to_vec()] {
        let why = mcuboot_failure(&mut device(migrated(&confirmed(&payload))));
        let none = matches!(
            why,
            McubootFailure::LoadHeader { fault: espressif::LoadFault::Magic { .. }, .. }
        );
        assert!(none, "{why}");
    }
}

/// The C example's own application and bootloader are from before there were LP segments.
#[test]
fn an_older_application_starts_with_an_older_bootloader() {
    let mut payload = synthetic::target_payload(CHIP, 9_000, 1);
    payload[32..96].fill(0x13);
    let memory = migrated(&confirmed(&payload));
    for checks_lp_segments in [false, true] {
        let config = McubootConfig { checks_lp_segments, ..McubootConfig::example() };
        let board = Board::new(CHIP).mcuboot(&new_bootloader(), config).unwrap();
        let outcome = Device::new(board, memory.clone()).live(2, &mut stay, &mut ()).outcome;
        assert_eq!(outcome.is_target(), !checks_lp_segments, "{outcome}");
    }
}

/// A bootloader for fewer sectors than the slots have.
#[test]
fn slots_of_too_many_sectors_brick_the_device() {
    let memory = migrated(&target(Padding::Confirmed));
    for (max_sectors, starts) in [(256, true), (255, false), (64, false)] {
        let config = McubootConfig { max_sectors, ..McubootConfig::example() };
        let board = Board::new(CHIP).mcuboot(&new_bootloader(), config).unwrap();
        let mut device = Device::new(board, memory.clone());
        let outcome = device.live(2, &mut stay, &mut ()).outcome;
        assert_eq!(outcome.is_target(), starts, "{max_sectors}: {outcome}");
    }
}

/// The old app is read as version 0.0.256.
#[test]
fn a_target_of_a_lower_version_than_an_app_bricks_the_device() {
    for (version, starts) in [("0.0.255", false), ("0.0.256", true)] {
        let mut options = SignOptions::espressif(SECONDARY.len_bytes(), SwapKind::Scratch);
        options.padding = Padding::Confirmed;
        options.version = version.parse().unwrap();
        let image = sign(&synthetic::target_payload(CHIP, 9_000, 1), &options).unwrap();
        let ends = |downgrade_prevention| {
            let config = McubootConfig { downgrade_prevention, ..McubootConfig::example() };
            let board = Board::new(CHIP).mcuboot(&new_bootloader(), config).unwrap();
            Device::new(board, migrated(&image)).live(2, &mut stay, &mut ()).outcome
        };
        let outcome = ends(DowngradePrevention::Version);
        assert_eq!(outcome.is_target(), starts, "{version}: {outcome}");
        assert!(ends(DowngradePrevention::None).is_target());
        assert!(ends(DowngradePrevention::SecurityCounter).is_target());
    }
}

#[test]
fn overwriting_fast_needs_fewer_operations() {
    let memory = migrated(&target(Padding::Confirmed));
    let ops = |overwrites_fast| {
        let swap = SwapKind::Overwrite;
        let config = McubootConfig { overwrites_fast, swap, ..McubootConfig::example() };
        let board = Board::new(CHIP).mcuboot(&new_bootloader(), config).unwrap();
        let mut device = Device::new(board, Recorded::new(memory.clone()));
        assert!(device.live(2, &mut stay, &mut ()).outcome.is_target());
        device.supply_mut().inner_mut().take().len()
    };
    let (whole, fast) = (ops(false), ops(true));
    assert!(fast * 10 < whole, "{fast}, {whole}");
}

/// An MCUboot whose header says 2 MB cannot reach the scratch area after them.
#[test]
fn slots_have_to_lie_in_the_flash_of_the_bootloaders_header() {
    let small = synthetic::bootloader(CHIP, FlashSize::Mb2, 27_000, 2).unwrap();
    let mut memory = migrated(&target(Padding::Confirmed));
    memory.load(CHIP.bootloader_addr(), &small);
    let board = Board::new(CHIP).mcuboot(&small, McubootConfig::example()).unwrap();
    let why = mcuboot_failure(&mut Device::new(board, memory));
    assert!(matches!(why, McubootFailure::Flash(NorError::OutOfBounds { .. })), "{why}");
}

/// The bootloader was built with a key.
#[test]
fn a_bootloader_with_a_key_wants_its_signature() {
    let keys = [1, 2].map(|seed| PrivateKey::ed25519([seed; 32]));
    let config = McubootConfig { key: Some(keys[0].public_key()), ..McubootConfig::example() };
    let board = Board::new(CHIP).mcuboot(&new_bootloader(), config).unwrap();
    let signed_with = |key| {
        let mut options = SignOptions::espressif(SECONDARY.len_bytes(), SwapKind::Scratch);
        options.padding = Padding::Confirmed;
        options.key = key;
        let image = sign(&synthetic::target_payload(CHIP, 9_000, 1), &options).unwrap();
        Device::new(board.clone(), migrated(&image)).live(3, &mut stay, &mut ()).outcome
    };
    assert!(signed_with(Some(&keys[0])).is_target());
    for outcome in [signed_with(Some(&keys[1])), signed_with(None)] {
        assert!(matches!(outcome, LifeOutcome::Bricked(BootFailure::Mcuboot(_))), "{outcome}");
    }
}

#[test]
fn impossible_slots_are_refused() {
    let overlapping = McubootConfig { secondary: PRIMARY, ..McubootConfig::example() };
    let refused = Board::new(CHIP).mcuboot(&new_bootloader(), overlapping).unwrap_err();
    assert!(refused.to_string().starts_with("flash map: "), "{refused}");
}

/// From beginning to end: an app that migrates without any checks, and the reboot into the target.
#[test]
fn from_the_old_app_to_the_target() {
    let image = target(Padding::Confirmed);
    let mut migrate = |app: &RunningApp, machine: Machine<'_>| {
        assert_eq!(app.project_name(), "factory");
        let mut driver = nor_sim::Driver::new(machine.flash);
        let mut place = |addr: FlashAddr, bytes: &[u8], len: u32| {
            use embedded_storage::nor_flash::NorFlash;
            driver.erase(addr.get(), addr.get() + len).unwrap();
            driver.write(addr.get(), bytes).unwrap();
        };
        place(SECONDARY.start(), &image, SECONDARY.len_bytes());
        place(FlashAddr(0x10_e000), &[], 0x2000);
        place(FlashAddr(0), &new_bootloader(), 0x7000);
        AppExit::Reset
    };
    let mut device = device(flash().build().unwrap());
    assert_eq!(device.bootloader(), Ok(BootloaderKind::EspIdf));
    assert_eq!(device.boot(&mut migrate, &mut ()), BootOutcome::Reset(ResetCause::Software));
    assert_eq!(device.bootloader(), Ok(BootloaderKind::Mcuboot));
    let life = device.live(2, &mut migrate, &mut ());
    assert!(life.outcome.is_target(), "{}", life.outcome);
    assert_eq!(life.boots, 1);
}
