//! Power lost before, in the middle of and after every operation of a swap, and again while the
//! next boot recovers. The flash is that of [`nor_sim::Recording`]: what a cut leaves, without a
//! boot each.
//!
//! If MCUboot itself does not survive a cut, a separate test shows that: the model must be as good
//! as the bootloader and no better.

use std::string::String;
use std::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use flash_region::{Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::{TrailerConfig, TrailerState};
use nor_sim::{Cut, Driver, NorError, Phase, PowerCut, Recording};

use super::bench::{Device, config, equal, image};
use crate::{AreaName, BootConfig, Crash, McubootOutcome, boot};

/// One in this many recoveries is itself interrupted.
const SECOND_CUT_EVERY: u64 = 19;

/// Where power goes in operation `op`, those first that do not tear it.
fn cuts(op: u64) -> [Cut; 4] {
    [Cut::before(op), Cut::after(op), Cut::middle(op, op), Cut::middle(op, !op)]
}

/// A swap to be interrupted, and how it must end.
struct Case<'a> {
    name: &'a str,
    before: Device,
    /// Whether operations may be torn.
    torn: bool,
    /// Whether a recovery may be interrupted, too.
    again: bool,
    /// The version that must run in the end.
    runs: u8,
    /// What must be in the primary.
    primary: &'a [u8],
    /// What must be in the secondary, and from where.
    secondary: Option<(u32, &'a [u8])>,
}

impl Case<'_> {
    /// Cuts the swap everywhere, lets it recover, cuts some recoveries, and returns how many cuts
    /// there were.
    fn sweep(&self) -> usize {
        let swap = self.before.clone().boot().ops;
        let mut tried = 0;
        for op in 0..swap.len() as u64 {
            for (nth, cut) in (0..).zip(self.cuts(op)) {
                let mut device = self.after(&swap, cut);
                let recovery = device.boot();
                self.check(&mut device, recovery.version(), || std::format!("{cut:?}"));
                tried += 1;
                // Some trailers do not survive a torn operation and another cut, see below.
                let clean = !matches!(cut.phase, Phase::Middle { .. });
                if self.again && clean && (op * 2 + nth) % SECOND_CUT_EVERY == 0 {
                    tried += self.cut_again(cut, &recovery.ops);
                }
            }
        }
        tried
    }

    fn cuts(&self, op: u64) -> impl Iterator<Item = Cut> {
        cuts(op).into_iter().take(if self.torn { 4 } else { 2 })
    }

    fn cut_again(&self, first: Cut, recovery: &Recording) -> usize {
        let ops = recovery.len() as u64;
        let sample = (0..ops).step_by((ops / 5).max(1) as usize).chain(ops.checked_sub(1));
        let sample: Vec<Cut> = sample.flat_map(|op| self.cuts(op)).collect();
        for cut in &sample {
            let mut device = self.after(recovery, *cut);
            let version = device.boots();
            self.check(&mut device, version, || std::format!("{first:?}, then {cut:?}"));
        }
        sample.len()
    }

    fn after(&self, ops: &Recording, cut: Cut) -> Device {
        Device { flash: ops.cut(cut).unwrap(), config: self.before.config.clone() }
    }

    fn check(&self, device: &mut Device, version: Option<u8>, cut: impl Fn() -> String) {
        assert_eq!(version, Some(self.runs), "{}: {}", self.name, cut());
        assert!(device.starts_with(AreaName::Primary, self.primary), "{}: {}", self.name, cut());
        if let Some((offset, image)) = self.secondary {
            let slot = device.slot(AreaName::Secondary);
            let at = slot.start().saturating_add(offset);
            let found = device.bytes(Region::clamped(at, image.len() as u32));
            assert!(found == image, "{}: {}: secondary", self.name, cut());
        }
    }
}

/// Trailers of two sectors and of one.
fn bootloaders(swap: SwapKind) -> [BootConfig; 2] {
    let espressif = TrailerConfig::espressif(swap);
    let small = TrailerConfig { max_sectors: 128, ..espressif };
    [config(espressif, equal(7, 2)), config(small, equal(6, 1))]
}

/// An image of two sectors.
const SHORT_BYTES: u32 = SECTOR_BYTES + 500;

/// The largest image that shares no sector with the trailer.
fn longest_before_trailer(config: &BootConfig) -> u32 {
    let largest = config.limits().max_image_len_bytes;
    largest.min(config.first_trailer_sector(AreaName::Primary) * SECTOR_BYTES)
}

fn upgrades(swap: SwapKind) {
    let mut tried = 0;
    for config in bootloaders(swap) {
        let long = longest_before_trailer(&config);
        for (old_len, new_len) in [(long, SHORT_BYTES), (SHORT_BYTES, long), (long, long)] {
            let (old, new) = (image(1, old_len), image(2, new_len));
            let confirmed = TrailerState::CONFIRMED;
            let keeps_old = match swap {
                SwapKind::Scratch | SwapKind::Move => true,
                SwapKind::Offset => old_len <= new_len,
                SwapKind::Overwrite => false,
            };
            let case = Case {
                name: "upgrade",
                before: Device::with_images(config.clone(), &old, &new, confirmed),
                torn: true,
                again: true,
                runs: 2,
                primary: &new,
                secondary: keeps_old.then_some((0, &old)),
            };
            tried += case.sweep();
        }
    }
    assert!(tried > 2000, "{tried}");
}

fn reverts(swap: SwapKind) {
    let mut tried = 0;
    for config in bootloaders(swap) {
        let long = longest_before_trailer(&config);
        for (old_len, new_len) in [(long, SHORT_BYTES), (SHORT_BYTES, long)] {
            let (old, new) = (image(1, old_len), image(2, new_len));
            let pending = TrailerState::PENDING;
            let mut before = Device::with_images(config.clone(), &old, &new, pending);
            assert_eq!(before.boots(), Some(2));
            let secondary = Some((before.upload_offset(), &new[..]));
            let case = Case {
                name: "revert",
                before,
                torn: true,
                again: false,
                runs: 1,
                primary: &old,
                secondary,
            };
            tried += case.sweep();
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn an_upgrade_using_scratch_survives_every_cut() {
    upgrades(SwapKind::Scratch);
}

#[test]
fn an_upgrade_using_move_survives_every_cut() {
    upgrades(SwapKind::Move);
}

#[test]
fn an_upgrade_using_offset_survives_every_cut() {
    upgrades(SwapKind::Offset);
}

#[test]
fn an_overwriting_upgrade_survives_every_cut() {
    upgrades(SwapKind::Overwrite);
}

#[test]
fn a_revert_using_scratch_survives_every_cut() {
    reverts(SwapKind::Scratch);
}

#[test]
fn a_revert_using_move_survives_every_cut() {
    reverts(SwapKind::Move);
}

#[test]
fn a_revert_using_offset_survives_every_cut() {
    reverts(SwapKind::Offset);
}

#[test]
fn a_power_cut_ends_the_boot_at_once() {
    for swap in SwapKind::ALL {
        let [config, _] = bootloaders(swap);
        let (old, new) = (image(1, 6000), image(2, 9000));
        let device = Device::with_images(config.clone(), &old, &new, TrailerState::CONFIRMED);
        let whole = device.clone().boot().ops;
        for op in (0..whole.len() as u64).step_by(37) {
            for cut in cuts(op) {
                let flash = PowerCut::new(device.flash.clone()).with(cut);
                let mut driver = Driver::new(flash);
                let outcome = boot(&mut driver, &config, &mut |_| {});
                assert_eq!(outcome, Err(NorError::PowerLost), "{swap} {cut:?}");
                assert_eq!(driver.write(0, &[0]), Err(NorError::PowerLost));
                let left = driver.into_device().into_inner().to_bytes();
                assert_eq!(left, whole.cut(cut).unwrap().to_bytes(), "{swap} {cut:?}");
            }
        }
    }
}

/// The first pass then keeps the progress in the scratch area, beside the image's last bytes.
#[test]
fn images_beside_the_trailer_survive_every_cut_between_operations() {
    for config in bootloaders(SwapKind::Scratch) {
        let largest = config.limits().max_image_len_bytes;
        for (old_len, new_len) in [(largest, SHORT_BYTES), (SHORT_BYTES, largest)] {
            let (old, new) = (image(1, old_len), image(2, new_len));
            let case = Case {
                name: "beside the trailer",
                before: Device::with_images(config.clone(), &old, &new, TrailerState::CONFIRMED),
                torn: false,
                again: true,
                runs: 2,
                primary: &new,
                secondary: Some((0, &old)),
            };
            assert!(case.sweep() > 500);
        }
    }
}

/// Counts the cuts, torn ones too, after which the device does not run the new image with all of
/// both images in place.
fn lost(config: &BootConfig, old_len: u32, new_len: u32) -> (usize, usize) {
    let (old, new) = (image(1, old_len), image(2, new_len));
    let device = Device::with_images(config.clone(), &old, &new, TrailerState::CONFIRMED);
    let swap = device.clone().boot().ops;
    let (mut dead, mut damaged) = (0, 0);
    for op in 0..swap.len() as u64 {
        for cut in cuts(op) {
            let flash = swap.cut(cut).unwrap();
            let mut device = Device { flash, config: config.clone() };
            dead += usize::from(device.boots() != Some(2));
            damaged += usize::from(!device.starts_with(AreaName::Secondary, &old));
        }
    }
    (dead, damaged)
}

/// The scratch area is erased from its end, so that the magic is erased before the image. In a
/// sector with both there is no such order, and a swap whose erase was torn is resumed as if the
/// image in it were complete.
#[test]
fn a_torn_erase_of_the_scratch_area_can_break_a_swap_beside_the_trailer() {
    let [_, config] = bootloaders(SwapKind::Scratch);
    let largest = config.limits().max_image_len_bytes;
    let (dead, _) = lost(&config, SHORT_BYTES, largest);
    assert!(dead > 0);
}

/// With both images inside their first sector the headers are looked for in the wrong places
/// (`boot_read_image_header`, boot/bootutil/src/swap_offset.c).
#[test]
fn swap_using_offset_of_images_of_one_sector_does_not_survive_some_cuts() {
    for config in bootloaders(SwapKind::Offset) {
        let (dead, _) = lost(&config, 300, SECTOR_BYTES);
        assert!(dead > 0);
        assert_eq!(lost(&config, 300, SECTOR_BYTES + 1), (0, 0));
    }
}

/// A swap that is resumed in its last sectors takes the new image's header for that of the old one,
/// and does not copy what is past the end of an image so short (`swap_run`, same file).
#[test]
fn swap_using_offset_can_lose_the_end_of_a_longer_old_image() {
    for config in bootloaders(SwapKind::Offset) {
        let long = longest_before_trailer(&config);
        let (dead, damaged) = lost(&config, long, SHORT_BYTES);
        assert_eq!(dead, 0);
        assert!(damaged > 0);
    }
}

/// Boots a device whose swap was cut, cuts that boot as well, and boots again.
fn twice_cut(
    config: &BootConfig,
    swap: &Recording,
    first: Cut,
    second: Cut,
) -> Option<McubootOutcome> {
    let after = |ops: &Recording, cut| {
        Some(Device { flash: ops.cut(cut)?, config: config.clone() })
            .map(|mut device| device.boot())
    };
    let recovery = after(swap, first)?;
    Some(after(&recovery.ops, second)?.outcome)
}

/// The primary's trailer gets its swap info while the scratch area's good magic still covers it. If
/// that is torn, the next boot begins again by erasing the scratch area. After a cut then, the torn
/// byte is read: an invalid swap type, at which MCUboot panics at every boot.
#[test]
fn a_torn_swap_info_and_a_second_cut_can_crash_swap_using_scratch() {
    for config in bootloaders(SwapKind::Scratch) {
        let (old, new) = (image(1, SHORT_BYTES), image(2, 9000));
        let device = Device::with_images(config.clone(), &old, &new, TrailerState::CONFIRMED);
        let swap = device.clone().boot().ops;
        let swap_info = device.layout(AreaName::Primary).swap_info();
        let op = swap.ops().position(|op| op.region().start() == swap_info).unwrap() as u64;
        // The erase of the scratch area's last sector takes its magic.
        let scratch_sectors = device.slot(AreaName::Scratch).len_bytes() / SECTOR_BYTES;
        let second = Cut::after(u64::from(scratch_sectors - 1));
        let ends =
            (0..32).map(|seed| twice_cut(&config, &swap, Cut::middle(op, seed), second).unwrap());
        let (crashes, runs): (Vec<_>, Vec<_>) =
            ends.partition(|end| matches!(end, McubootOutcome::Crash(Crash::SwapType { .. })));
        assert!(!crashes.is_empty());
        assert!(
            runs.iter()
                .all(|end| { end.running().is_some_and(|image| image.header.version.major == 2) })
        );
    }
}

/// The outcomes after two cuts between operations in a revert.
fn reverts_cut_twice(config: &BootConfig) -> impl Iterator<Item = McubootOutcome> {
    let (old, new) = (image(1, SHORT_BYTES), image(2, 8000));
    let mut device = Device::with_images(config.clone(), &old, &new, TrailerState::PENDING);
    assert_eq!(device.boots(), Some(2));
    let revert = device.boot().ops;
    let first = (0..revert.len() as u64).map(Cut::after);
    let pairs = first.flat_map(|first| (0..8).map(move |op| (first, Cut::after(op))));
    pairs.filter_map(move |(first, second)| twice_cut(config, &revert, first, second))
}

/// Between the erase of the scratch area and the first field of its trailer nothing asks for the
/// revert any more if a cut before left the primary's trailer erased.
#[test]
fn two_cuts_can_leave_a_revert_using_scratch_undone() {
    let [_, config] = bootloaders(SwapKind::Scratch);
    let mut ends = reverts_cut_twice(&config);
    assert!(ends.any(|end| end.running().is_some_and(|image| image.header.version.major == 2)));
}

#[test]
fn two_cuts_can_break_a_revert_using_offset() {
    let [_, config] = bootloaders(SwapKind::Offset);
    let mut ends = reverts_cut_twice(&config);
    let crash = McubootOutcome::Crash(Crash::ImageSize { slot: AreaName::Primary });
    assert!(ends.any(|end| end == crash));
}
