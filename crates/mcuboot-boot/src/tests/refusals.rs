//! What the bootloader refuses, and what it destroys as it does.

use flash_region::{FlashAddr, SECTOR_BYTES};
use mcuboot_format::key::PrivateKey;
use mcuboot_format::trailer::{Flag, Magic, SwapInfo, SwapType, TrailerConfig, TrailerState};
use mcuboot_format::{ImageFlags, ImageHeader, SwapKind, ValidateError};

use super::bench::{Boot, Device, config, equal, image, signed_image};
use crate::{AreaName, BootConfig, BootEvent, Crash, McubootOutcome, Unbootable};

fn bootloader(swap: SwapKind) -> BootConfig {
    config(TrailerConfig::espressif(swap), equal(8, 2))
}

fn erases(boot: &Boot) -> usize {
    boot.ops.ops().filter(|op| matches!(op, nor_sim::Op::Erase { .. })).count()
}

/// Boots a device whose new image was changed, and expects it to be refused and erased.
fn refused(mut device: Device) -> Boot {
    let swap = device.config.swap();
    let boot = device.boot();
    assert_eq!(boot.version(), Some(1), "{swap}");
    assert!(boot.events.contains(&BootEvent::SecondaryErased), "{swap}");
    assert!(device.is_blank(AreaName::Secondary), "{swap}");
    assert_eq!(erases(&boot), 8, "{swap}");
    assert_eq!(boot.ops.len(), 8, "{swap}");
    let again = device.boot();
    assert_eq!(again.version(), Some(1), "{swap}");
    assert!(again.ops.is_empty(), "{swap}");
    boot
}

fn upgrade(config: BootConfig, old: &[u8], new: &[u8]) -> Device {
    Device::with_images(config, old, new, TrailerState::CONFIRMED)
}

#[test]
fn an_image_with_one_bit_wrong_is_erased_with_its_slot() {
    for swap in SwapKind::ALL {
        let mut device = upgrade(bootloader(swap), &image(1, 5000), &image(2, 9000));
        let payload =
            device.slot(AreaName::Secondary).start().get() + device.upload_offset() + 8000;
        device.patch(FlashAddr(payload), |byte| byte ^ 0x10);
        let boot = refused(device);
        let mismatch = boot.events.iter().any(|event| {
            matches!(
                event,
                BootEvent::ImageInvalid {
                    slot: AreaName::Secondary,
                    why: Unbootable::Image(ValidateError::HashMismatch { .. }),
                }
            )
        });
        assert!(mismatch, "{swap}: {:?}", boot.log());
    }
}

#[test]
fn a_bootloader_with_a_key_accepts_no_other_images() {
    let key = PrivateKey::ed25519([1; 32]);
    let other = PrivateKey::ed25519([2; 32]);
    for swap in SwapKind::ALL {
        let config = bootloader(swap).with_key(key.public_key());
        let old = signed_image(1, 5000, Some(&key));
        let mut good = upgrade(config.clone(), &old, &signed_image(2, 9000, Some(&key)));
        assert_eq!(good.boots(), Some(2), "{swap}");
        refused(upgrade(config.clone(), &old, &image(2, 9000)));
        refused(upgrade(config, &old, &signed_image(2, 9000, Some(&other))));
        // Without a key it takes all of them.
        let mut keyless = upgrade(bootloader(swap), &old, &signed_image(2, 9000, Some(&other)));
        assert_eq!(keyless.boots(), Some(2), "{swap}");
    }
}

#[test]
fn an_image_that_reaches_into_the_trailer_is_refused() {
    // Overwriting leaves no byte between the largest image and the flags.
    for swap in [SwapKind::Scratch, SwapKind::Move, SwapKind::Offset] {
        let config = bootloader(swap);
        let largest = config.limits().max_image_len_bytes;
        refused(upgrade(config, &image(1, 5000), &image(2, largest + 1)));
    }
}

#[test]
fn a_slot_that_starts_erased_loses_only_its_trailer() {
    for swap in SwapKind::ALL {
        let mut device = Device::new(bootloader(swap));
        device.put(AreaName::Primary, 0, &image(1, 5000));
        device.set_trailer(AreaName::Secondary, TrailerState::CONFIRMED);
        let boot = device.boot();
        assert_eq!(boot.version(), Some(1), "{swap}");
        if swap == SwapKind::Overwrite {
            // Here the trailer stays, and every boot looks at it again.
            assert!(boot.ops.is_empty());
            assert_eq!(device.trailer(AreaName::Secondary).magic, Magic::Good);
        } else {
            assert!(boot.events.contains(&BootEvent::SecondaryTrailerErased), "{swap}");
            assert_eq!((erases(&boot), boot.ops.len()), (2, 2), "{swap}");
            assert!(device.is_blank(AreaName::Secondary), "{swap}");
        }
    }
}

#[test]
fn an_image_that_is_not_to_be_booted_counts_as_none() {
    let config = bootloader(SwapKind::Scratch);
    let mut new = image(2, 9000);
    let header = ImageHeader::parse(&new).unwrap();
    let marked = ImageHeader { flags: ImageFlags::NON_BOOTABLE, ..header };
    new[..32].copy_from_slice(&marked.to_bytes());
    let mut device = upgrade(config.clone(), &image(1, 5000), &new);
    let boot = device.boot();
    assert_eq!(boot.version(), Some(1));
    assert!(boot.events.contains(&BootEvent::SecondaryTrailerErased));
    assert!(device.starts_with(AreaName::Secondary, &new));

    let mut device = Device::new(config);
    device.put(AreaName::Primary, 0, &new);
    assert_eq!(device.boot().outcome, McubootOutcome::Nothing(Unbootable::NonBootable));
}

#[test]
fn an_erased_primary_boots_nothing() {
    for swap in SwapKind::ALL {
        let mut device = Device::new(bootloader(swap));
        let boot = device.boot();
        assert_eq!(boot.outcome, McubootOutcome::Nothing(Unbootable::Erased), "{swap}");
        assert!(boot.ops.is_empty(), "{swap}");
    }
}

#[test]
fn an_invalid_primary_is_left_as_it_is() {
    for swap in SwapKind::ALL {
        let mut device = Device::new(bootloader(swap));
        device.put(AreaName::Primary, 0, &image(1, 5000));
        let payload = device.slot(AreaName::Primary).start().get() + 4000;
        device.patch(FlashAddr(payload), |byte| byte ^ 1);
        let boot = device.boot();
        assert!(
            matches!(
                boot.outcome,
                McubootOutcome::Nothing(Unbootable::Image(ValidateError::HashMismatch { .. }))
            ),
            "{swap}: {}",
            boot.outcome
        );
        assert!(boot.ops.is_empty(), "{swap}");
    }
}

#[test]
fn swap_using_offset_refuses_an_image_at_the_start_of_the_secondary() {
    let mut device = Device::new(bootloader(SwapKind::Offset));
    device.put(AreaName::Primary, 0, &image(1, 5000));
    device.put(AreaName::Secondary, 0, &image(2, 3000));
    device.set_trailer(AreaName::Secondary, TrailerState::CONFIRMED);
    let boot = refused(device);
    assert!(boot.events.contains(&BootEvent::WrongUploadAddress));
}

#[test]
fn a_revert_without_an_image_is_given_up_by_swap_using_move() {
    let mut device = Device::new(bootloader(SwapKind::Move));
    device.put(AreaName::Primary, 0, &image(1, 5000));
    let reverting = TrailerState { copy_done: Flag::Set, ..TrailerState::PENDING };
    device.set_trailer(AreaName::Primary, reverting);
    let boot = device.boot();
    assert_eq!(boot.version(), Some(1));
    assert!(boot.events.contains(&BootEvent::StuckRevertCleared));
    assert_eq!((erases(&boot), boot.ops.len()), (4, 4));
    assert!(device.boot().ops.is_empty());
}

#[test]
fn a_swap_that_had_been_prepared_is_dropped_with_its_image() {
    for swap in [SwapKind::Scratch, SwapKind::Move, SwapKind::Offset] {
        let mut device = Device::new(bootloader(swap));
        device.put(AreaName::Primary, 0, &image(1, 5000));
        let upload_offset = device.upload_offset();
        device.put(AreaName::Secondary, upload_offset, &image(2, 3000));
        let payload = device.slot(AreaName::Secondary).start().get() + upload_offset + 2000;
        device.patch(FlashAddr(payload), |byte| byte ^ 1);
        let prepared = TrailerState {
            swap_info: SwapInfo::new(SwapType::Test),
            swap_size_bytes: Some(5000),
            ..TrailerState::PENDING
        };
        device.set_trailer(AreaName::Primary, prepared);
        let boot = device.boot();
        assert_eq!(boot.version(), Some(1), "{swap}");
        assert!(boot.events.contains(&BootEvent::KeptPrimary), "{swap}");
        assert!(device.is_blank(AreaName::Secondary), "{swap}");
        assert_eq!(device.trailer(AreaName::Primary).image_ok, Flag::Set, "{swap}");
    }
}

#[test]
fn a_trailer_with_an_unknown_type_of_swap_makes_it_panic() {
    for swap in [SwapKind::Scratch, SwapKind::Move, SwapKind::Offset] {
        for found in [0, 6, 15] {
            let config = bootloader(swap);
            let (old, new) = (image(1, 5000), image(2, 3000));
            let mut device = Device::with_images(config, &old, &new, TrailerState::UNSET);
            let odd = TrailerState { swap_info: SwapInfo(found), ..TrailerState::PENDING };
            device.set_trailer(AreaName::Primary, odd);
            let crash = McubootOutcome::Crash(Crash::SwapType { found });
            assert_eq!(device.boot().outcome, crash, "{swap}");
        }
    }
}

#[test]
fn a_primary_with_a_header_and_no_tlvs_makes_a_swap_crash() {
    for swap in [SwapKind::Scratch, SwapKind::Move, SwapKind::Offset] {
        let old = image(1, 5000);
        let config = bootloader(swap);
        let mut device = upgrade(config, &old[..4000], &image(2, 3000));
        let boot = device.boot();
        let crash = McubootOutcome::Crash(Crash::ImageSize { slot: AreaName::Primary });
        assert_eq!(boot.outcome, crash, "{swap}");
        assert!(boot.ops.is_empty(), "{swap}");
        assert_eq!(device.boot().outcome, crash, "{swap}");
    }
}

#[test]
fn an_old_image_in_the_way_of_the_trailer_is_not_swapped() {
    for swap in [SwapKind::Move, SwapKind::Offset] {
        let config = bootloader(swap);
        let too_long = config.first_trailer_sector(AreaName::Primary) * SECTOR_BYTES;
        let too_long = if swap == SwapKind::Offset { too_long + 1 } else { too_long };
        let mut device = upgrade(config, &image(1, too_long), &image(2, 3000));
        let boot = device.boot();
        let said =
            boot.events.iter().any(|event| matches!(event, BootEvent::NotEnoughSpace { .. }));
        assert!(said, "{swap}: {:?}", boot.log());
        assert!(matches!(
            boot.outcome,
            McubootOutcome::Nothing(Unbootable::Image(ValidateError::TooLong { .. }))
        ));
        assert_eq!(erases(&boot), 0, "{swap}");
    }
}
