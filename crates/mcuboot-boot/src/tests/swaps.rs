//! Swaps of every kind that nothing interrupts.

use flash_region::SECTOR_BYTES;
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::{Flag, Magic, SwapType, TrailerConfig, TrailerState};

use super::bench::{Device, Sectors, config, equal, image};
use crate::{AreaName, BootConfig, BootEvent, confirm, request_swap};
use nor_sim::Driver;

const REVERTING: [SwapKind; 3] = [SwapKind::Scratch, SwapKind::Move, SwapKind::Offset];

/// Trailers of two sectors and of one, scratch areas of one sector, some, and more than a slot.
fn bootloaders(swap: SwapKind) -> [BootConfig; 4] {
    let espressif = TrailerConfig::espressif(swap);
    let small = TrailerConfig { max_sectors: 128, ..espressif };
    let aligned = TrailerConfig { max_align: 32, write_unit_bytes: 32, max_sectors: 16, swap };
    [
        config(espressif, equal(12, 4)),
        config(espressif, equal(9, 1)),
        config(small, equal(8, 16)),
        config(aligned, equal(8, 3)),
    ]
}

/// Sizes at and around what matters, up to the largest that fits.
fn sizes(config: &BootConfig) -> [u32; 6] {
    let largest = config.limits().max_image_len_bytes;
    [73, SECTOR_BYTES - 1, SECTOR_BYTES, SECTOR_BYTES + 1, largest - 1, largest]
}

#[test]
fn images_of_all_sizes_are_swapped_for_good() {
    for swap in SwapKind::ALL {
        for config in bootloaders(swap) {
            for old_len in sizes(&config) {
                for new_len in sizes(&config) {
                    let (old, new) = (image(1, old_len), image(2, new_len));
                    let confirmed = TrailerState::CONFIRMED;
                    let mut device = Device::with_images(config.clone(), &old, &new, confirmed);
                    let case = (swap, config.trailer(), old_len, new_len);
                    let first = device.boot();
                    assert_eq!(first.version(), Some(2), "{case:?}");
                    assert_eq!(first.outcome.running().unwrap().swapped, SwapType::Permanent);
                    assert!(device.starts_with(AreaName::Primary, &new), "{case:?}");
                    if swap != SwapKind::Overwrite {
                        assert!(device.starts_with(AreaName::Secondary, &old), "{case:?}");
                        assert_eq!(device.trailer(AreaName::Primary).image_ok, Flag::Set);
                        assert_eq!(device.trailer(AreaName::Primary).copy_done, Flag::Set);
                    }
                    assert_eq!(device.trailer(AreaName::Secondary).magic, Magic::Unset);
                    let second = device.boot();
                    assert_eq!(second.version(), Some(2), "{case:?}");
                    assert_eq!(second.outcome.running().unwrap().swapped, SwapType::None);
                    assert!(second.ops.is_empty(), "{case:?}");
                }
            }
        }
    }
}

#[test]
fn an_image_that_does_not_confirm_itself_is_swapped_back() {
    for swap in REVERTING {
        for config in bootloaders(swap) {
            let [.., largest] = sizes(&config);
            for (old_len, new_len) in [(largest, largest), (5000, largest), (largest, 300)] {
                let (old, new) = (image(1, old_len), image(2, new_len));
                let pending = TrailerState::PENDING;
                let mut device = Device::with_images(config.clone(), &old, &new, pending);
                let case = (swap, config.trailer(), old_len, new_len);
                let swapped =
                    |device: &mut Device| device.boot().outcome.running().unwrap().swapped;
                assert_eq!(swapped(&mut device), SwapType::Test, "{case:?}");
                assert!(device.starts_with(AreaName::Primary, &new), "{case:?}");
                assert_eq!(device.trailer(AreaName::Primary).image_ok, Flag::Unset);
                assert_eq!(swapped(&mut device), SwapType::Revert, "{case:?}");
                assert!(device.starts_with(AreaName::Primary, &old), "{case:?}");
                let upload_offset = device.upload_offset();
                let at = device
                    .slot(AreaName::Secondary)
                    .from(device.slot(AreaName::Secondary).start().saturating_add(upload_offset));
                assert_eq!(device.bytes(at.prefix(new_len)), new, "{case:?}");
                assert_eq!(swapped(&mut device), SwapType::None, "{case:?}");
            }
        }
    }
}

#[test]
fn an_image_that_confirms_itself_stays() {
    for swap in REVERTING {
        let [config, ..] = bootloaders(swap);
        let (old, new) = (image(1, 6000), image(2, 9000));
        let mut device = Device::with_images(config, &old, &new, TrailerState::PENDING);
        assert_eq!(device.boots(), Some(2));
        let config = device.config.clone();
        assert_eq!(confirm(&mut Driver::new(&mut device.flash), &config), Ok(true));
        for _ in 0..2 {
            assert_eq!(device.boots(), Some(2), "{swap}");
        }
        assert!(device.starts_with(AreaName::Secondary, &old), "{swap}");
    }
}

#[test]
fn the_application_can_ask_for_a_swap() {
    for swap in REVERTING {
        for (for_good, later) in [(true, 2), (false, 1)] {
            let [config, ..] = bootloaders(swap);
            let (old, new) = (image(1, 6000), image(2, 9000));
            let mut device = Device::with_images(config.clone(), &old, &new, TrailerState::UNSET);
            assert_eq!(device.boots(), Some(1), "{swap}");
            let asked = request_swap(&mut Driver::new(&mut device.flash), &config, for_good);
            assert_eq!(asked, Ok(true));
            assert_eq!(device.boots(), Some(2), "{swap}");
            assert_eq!(device.boots(), Some(later), "{swap}");
        }
    }
}

#[test]
fn nothing_can_be_asked_for_with_a_bad_trailer() {
    let [config, ..] = bootloaders(SwapKind::Scratch);
    let mut device = Device::new(config.clone());
    let bad = TrailerState { magic: Magic::Bad, ..TrailerState::UNSET };
    device.set_trailer(AreaName::Secondary, bad);
    device.set_trailer(AreaName::Primary, bad);
    let before = device.flash.clone();
    let mut driver = Driver::new(&mut device.flash);
    assert_eq!(request_swap(&mut driver, &config, true), Ok(false));
    assert_eq!(confirm(&mut driver, &config), Ok(false));
    let after = device.flash.to_bytes();
    assert_eq!(after, before.to_bytes());
}

#[test]
fn move_takes_a_primary_and_offset_a_secondary_of_one_sector_more() {
    let longer = |slot| match slot {
        AreaName::Primary => Sectors { primary: 9, secondary: 8, scratch: 1 },
        _ => Sectors { primary: 8, secondary: 9, scratch: 1 },
    };
    let cases = [
        (SwapKind::Move, longer(AreaName::Primary), true),
        (SwapKind::Move, longer(AreaName::Secondary), false),
        (SwapKind::Offset, longer(AreaName::Secondary), true),
        (SwapKind::Offset, longer(AreaName::Primary), false),
        (SwapKind::Overwrite, longer(AreaName::Primary), false),
        (SwapKind::Scratch, longer(AreaName::Secondary), false),
    ];
    for (swap, sectors, compatible) in cases {
        let config = config(TrailerConfig::espressif(swap), sectors);
        let (old, new) = (image(1, 6000), image(2, 9000));
        let mut device = Device::with_images(config, &old, &new, TrailerState::CONFIRMED);
        let boot = device.boot();
        assert_eq!(boot.version(), Some(if compatible { 2 } else { 1 }), "{swap} {sectors:?}");
        let refused = boot.events.contains(&BootEvent::SlotsIncompatible);
        assert_eq!(refused, !compatible, "{swap} {sectors:?}");
        assert_eq!(boot.ops.is_empty(), !compatible);
    }
}

#[test]
fn slots_of_more_sectors_than_the_status_has_room_for_are_not_swapped() {
    for swap in SwapKind::ALL {
        let trailer = TrailerConfig { max_sectors: 7, ..TrailerConfig::espressif(swap) };
        let (old, new) = (image(1, 6000), image(2, 9000));
        for (sectors, version) in [(7, 2), (8, 1)] {
            let config = config(trailer, equal(sectors, 2));
            let mut device = Device::with_images(config, &old, &new, TrailerState::CONFIRMED);
            assert_eq!(device.boots(), Some(version), "{swap} {sectors}");
        }
    }
}

#[test]
fn the_log_is_that_of_mcuboot() {
    let [config, ..] = bootloaders(SwapKind::Scratch);
    let (old, new) = (image(1, 6000), image(2, 9000));
    let mut device = Device::with_images(config, &old, &new, TrailerState::CONFIRMED);
    let unset = "magic=unset, swap_type=0x1, copy_done=0x3, image_ok=0x3";
    assert_eq!(
        device.boot().log(),
        [
            std::format!("Primary image: {unset}"),
            std::format!("Scratch: {unset}"),
            "Boot source: primary slot".into(),
            "Image index: 0, Swap type: perm".into(),
            "Starting swap using scratch algorithm.".into(),
        ]
    );
}
