//! A device that came from ESP-IDF: the slots of the example, an ESP-IDF application in the
//! primary.

use std::vec;

use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::{SwapType, TrailerState, magic_bytes};

use super::bench::{Device, esp_idf_app, example, image, noise};
use crate::{AreaName, BootEvent, Crash, McubootOutcome, Unbootable};

/// The size of the image in the application that the C example ships, with its TLVs.
const NEW_BYTES: u32 = 149_908;

/// Where the status area starts in a slot of 1 MiB.
const STATUS_OFFSET: u32 = 0xf_e7d0;
/// Where a trailer's copy done is in a slot of 1 MiB. If it is set, MCUboot does not look for an
/// interrupted swap.
const COPY_DONE_OFFSET: u32 = 0xf_ffe0;

const FROM_ANYTHING: [SwapKind; 2] = [SwapKind::Scratch, SwapKind::Overwrite];

fn migrated(swap: SwapKind, app_len: u32, trailer: TrailerState) -> Device {
    Device::with_images(example(swap), &esp_idf_app(app_len), &image(2, NEW_BYTES), trailer)
}

#[test]
fn scratch_and_overwrite_start_a_confirmed_image_over_an_esp_idf_app() {
    for swap in FROM_ANYTHING {
        let mut device = migrated(swap, 900_000, TrailerState::CONFIRMED);
        let boot = device.boot();
        assert_eq!(boot.version(), Some(2), "{swap}");
        assert!(device.starts_with(AreaName::Primary, &image(2, NEW_BYTES)), "{swap}");
        let again = device.boot();
        assert_eq!(again.version(), Some(2), "{swap}");
        assert!(again.ops.is_empty(), "{swap}");
    }
}

#[test]
fn move_and_offset_boot_nothing_over_an_esp_idf_app() {
    for swap in [SwapKind::Move, SwapKind::Offset] {
        let mut device = migrated(swap, 900_000, TrailerState::CONFIRMED);
        for _ in 0..2 {
            let boot = device.boot();
            assert!(boot.events.contains(&BootEvent::HeadersUnreadable), "{swap}");
            assert!(boot.log().contains(&"Failed reading image headers; Image=0".into()));
            assert!(
                matches!(boot.outcome, McubootOutcome::Nothing(Unbootable::Image(_))),
                "{swap}"
            );
            assert!(boot.ops.is_empty(), "{swap}");
        }
    }
}

#[test]
fn move_and_offset_run_a_new_image_that_was_put_into_the_primary() {
    for swap in [SwapKind::Move, SwapKind::Offset] {
        for trailer in [TrailerState::CONFIRMED, TrailerState::UNSET] {
            let mut device = Device::new(example(swap));
            device.put(AreaName::Primary, 0, &image(2, NEW_BYTES));
            device.set_trailer(AreaName::Primary, trailer);
            let boot = device.boot();
            assert_eq!(boot.version(), Some(2), "{swap}");
            assert!(boot.ops.is_empty(), "{swap}");
        }
    }
}

#[test]
fn the_status_area_of_the_example_starts_where_it_was_measured() {
    let layout = *example(SwapKind::Scratch).layout(AreaName::Primary).unwrap();
    assert_eq!(layout.trailer().len_bytes(), 0x1830);
    assert_eq!(layout.offset_bytes(), STATUS_OFFSET);
    assert_eq!(layout.copy_done().bytes_since(layout.slot().start()), COPY_DONE_OFFSET);
}

#[test]
fn an_app_that_reaches_into_the_status_area_crashes_every_boot() {
    for app_len in [STATUS_OFFSET + 1, 0xf_f000, COPY_DONE_OFFSET - 16, COPY_DONE_OFFSET] {
        let mut device = migrated(SwapKind::Scratch, app_len, TrailerState::CONFIRMED);
        for _ in 0..2 {
            let boot = device.boot();
            assert!(
                matches!(boot.outcome, McubootOutcome::Crash(Crash::SwapSize { .. })),
                "{app_len:#x}: {}",
                boot.outcome
            );
            assert!(boot.ops.is_empty(), "{app_len:#x}");
        }
    }
}

#[test]
fn an_app_up_to_the_status_area_or_over_the_whole_trailer_is_swapped() {
    for app_len in [STATUS_OFFSET, COPY_DONE_OFFSET + 1, 0x10_0000] {
        let mut device = migrated(SwapKind::Scratch, app_len, TrailerState::CONFIRMED);
        assert_eq!(device.boots(), Some(2), "{app_len:#x}");
        assert_eq!(device.boots(), Some(2), "{app_len:#x}");
    }
}

#[test]
fn no_app_harms_a_bootloader_that_overwrites() {
    for app_len in [STATUS_OFFSET + 1, COPY_DONE_OFFSET, 0x10_0000] {
        let mut device = migrated(SwapKind::Overwrite, app_len, TrailerState::CONFIRMED);
        assert_eq!(device.boots(), Some(2), "{app_len:#x}");
    }
}

#[test]
fn one_byte_at_the_start_of_a_status_entry_is_enough() {
    let device = migrated(SwapKind::Scratch, 500_000, TrailerState::CONFIRMED);
    for entry in [0, 1, 700, 512 * 3 - 1] {
        let mut stale = device.clone();
        stale.put(AreaName::Primary, STATUS_OFFSET + 4 * entry, &[0x7f]);
        let crash = Crash::SwapSize { found_bytes: u32::MAX };
        assert_eq!(stale.boot().outcome, McubootOutcome::Crash(crash), "{entry}");
        for beside in 1..4 {
            let mut stale = device.clone();
            stale.put(AreaName::Primary, STATUS_OFFSET + 4 * entry + beside, &[0x7f]);
            assert_eq!(stale.boots(), Some(2), "{entry} + {beside}");
        }
    }
}

#[test]
fn scratch_contents_matter_only_below_a_good_magic() {
    let device = migrated(SwapKind::Scratch, 500_000, TrailerState::CONFIRMED);
    let len = device.slot(AreaName::Scratch).len_bytes();
    let magic_at = len - 16;
    let mut random = device.clone();
    random.put(AreaName::Scratch, 0, &noise(7, len));
    assert_eq!(random.boots(), Some(2));

    let mut with_magic = device.clone();
    with_magic.put(AreaName::Scratch, 0, &noise(7, magic_at));
    with_magic.put(AreaName::Scratch, magic_at, &magic_bytes(8));
    for _ in 0..2 {
        let boot = with_magic.boot();
        assert!(matches!(boot.outcome, McubootOutcome::Crash(Crash::SwapSize { .. })));
        assert!(boot.ops.is_empty());
    }

    // The status before the magic causes the crash; the magic alone makes no difference.
    let mut magic_alone = device;
    magic_alone.put(AreaName::Scratch, magic_at, &magic_bytes(8));
    assert_eq!(magic_alone.boots(), Some(2));
}

#[test]
fn an_invalid_image_is_erased_and_nothing_boots_any_more() {
    for swap in FROM_ANYTHING {
        let mut device = migrated(swap, 500_000, TrailerState::CONFIRMED);
        let payload = device.slot(AreaName::Secondary).start().get() + 100_000;
        device.patch(FlashAddr(payload), |byte| byte ^ 1);
        let boot = device.boot();
        assert!(matches!(boot.outcome, McubootOutcome::Nothing(_)), "{swap}");
        assert!(boot.events.contains(&BootEvent::SecondaryErased), "{swap}");
        assert_eq!(boot.ops.len(), 256, "{swap}");
        assert!(device.is_blank(AreaName::Secondary), "{swap}");
        assert!(device.starts_with(AreaName::Primary, &esp_idf_app(500_000)), "{swap}");
        let again = device.boot();
        assert!(matches!(again.outcome, McubootOutcome::Nothing(_)), "{swap}");
        assert!(again.ops.is_empty(), "{swap}");
    }
}

#[test]
fn without_a_trailer_magic_nothing_is_swapped_and_nothing_boots() {
    for swap in FROM_ANYTHING {
        let mut device = migrated(swap, 500_000, TrailerState::UNSET);
        let boot = device.boot();
        assert!(boot.events.contains(&BootEvent::SwapType(SwapType::None)), "{swap}");
        assert!(matches!(boot.outcome, McubootOutcome::Nothing(_)), "{swap}");
        assert!(boot.ops.is_empty(), "{swap}");
    }
}

#[test]
fn a_test_image_stays_and_wears_the_flash_at_every_boot() {
    let mut device = migrated(SwapKind::Scratch, 500_000, TrailerState::PENDING);
    let first = device.boot();
    assert_eq!(first.version(), Some(2));
    assert!(first.events.contains(&BootEvent::SwapType(SwapType::Test)));
    assert!(device.starts_with(AreaName::Secondary, &esp_idf_app(500_000)[..NEW_BYTES as usize]));
    // The old application is not an image that can be restored; it is erased, so there is no way
    // back.
    let second = device.boot();
    assert_eq!(second.version(), Some(2));
    assert!(second.events.contains(&BootEvent::SwapType(SwapType::Revert)));
    assert_eq!(second.ops.len(), 256);
    assert!(device.is_blank(AreaName::Secondary));
    for _ in 0..3 {
        let later = device.boot();
        assert_eq!(later.version(), Some(2));
        assert!(later.events.contains(&BootEvent::SwapType(SwapType::Revert)));
        let erased = later.ops.ops().map(|op| op.addr());
        let trailer = device.layout(AreaName::Secondary).trailer();
        let sectors = trailer.align_out(SECTOR_BYTES).unwrap().chunks(SECTOR_BYTES);
        let backwards = sectors.map(Region::start).collect::<vec::Vec<_>>().into_iter().rev();
        assert!(erased.eq(backwards));
        assert_eq!(later.ops.len(), 2);
    }
}

#[test]
fn the_swap_of_the_example_does_what_it_did_on_the_host() {
    let mut device = migrated(SwapKind::Scratch, 500_000, TrailerState::CONFIRMED);
    let boot = device.boot();
    let programs = boot.ops.ops().filter(|op| matches!(op, nor_sim::Op::Program { .. })).count();
    // Scratch twice, 37 sectors of both slots, two sectors of both trailers.
    assert_eq!(boot.ops.len() - programs, 2 * 64 + 2 * 37 + 2 * 2);
    // 592 pages three times; four fields of two trailers, three steps, copy done.
    assert_eq!(programs, 3 * 592 + 2 * 4 + 3 + 1);
}
