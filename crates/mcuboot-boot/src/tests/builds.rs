//! What depends on how a bootloader was built: its sector limit, downgrade prevention, how much it
//! overwrites.

use std::vec::Vec;

use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::builder::{SignOptions, sign};
use mcuboot_format::trailer::{Flag, Magic, TrailerConfig, TrailerState};
use mcuboot_format::{DowngradePrevention, ImageVersion, SwapKind};
use nor_sim::{Cut, NorMemory};

use super::bench::{Device, Sectors, config, equal, esp_idf_app, image, noise};
use crate::{AreaName, BootConfig, BootEvent, Crash, FlashMap, McubootOutcome, Unbootable};

const SWAPS: [SwapKind; 3] = [SwapKind::Scratch, SwapKind::Move, SwapKind::Offset];
const CONFIRMED: TrailerState = TrailerState::CONFIRMED;

fn limited(swap: SwapKind, max_sectors: u32) -> TrailerConfig {
    TrailerConfig { max_sectors, ..TrailerConfig::espressif(swap) }
}

fn prevents(swap: SwapKind, prevention: DowngradePrevention) -> BootConfig {
    let config = config(TrailerConfig::espressif(swap), equal(8, 2));
    config.with_downgrade_prevention(prevention)
}

/// An image with that version and security counter.
fn numbered(version: &str, security_counter: Option<u32>) -> Vec<u8> {
    let options = SignOptions {
        version: version.parse().unwrap(),
        security_counter,
        ..SignOptions::espressif(0x20_0000, SwapKind::Overwrite)
    };
    sign(&noise(7, 4500), &options).unwrap()
}

/// The version that runs after the new image was put into the secondary, for good.
fn runs(config: &BootConfig, old: &[u8], new: &[u8]) -> Option<ImageVersion> {
    let mut device = Device::with_images(config.clone(), old, new, CONFIRMED);
    let boot = device.boot();
    let refused = boot.events.iter().any(|event| matches!(event, BootEvent::Downgrade { .. }));
    if refused {
        assert!(device.is_blank(AreaName::Secondary));
        assert!(boot.events.contains(&BootEvent::SecondaryErased));
    }
    boot.outcome.running().map(|image| image.header.version)
}

fn version(text: &str) -> Option<ImageVersion> {
    Some(text.parse().unwrap())
}

#[test]
fn slots_of_too_many_sectors_are_left_alone() {
    for swap in SwapKind::ALL {
        let config = config(limited(swap, 16), equal(17, 2));
        let mut device = Device::with_images(config, &image(1, 6000), &image(2, 9000), CONFIRMED);
        for _ in 0..2 {
            let boot = device.boot();
            assert_eq!(boot.version(), Some(1), "{swap}");
            let said = BootEvent::TooManySectors { sectors: 17, max_sectors: 16 };
            assert!(boot.events.contains(&said), "{swap}");
            assert!(boot.log()[..].iter().any(|line| line.contains("more sectors than allowed")));
            assert!(boot.ops.is_empty(), "{swap}");
        }
    }
}

/// The 976 sectors of Zephyr's map for 8 MB, in a bootloader for Espressif's 512.
#[test]
fn far_too_many_sectors_stop_even_a_good_primary() {
    let area = |start: u32| Region::clamped(FlashAddr(start), 976 * SECTOR_BYTES);
    let map = FlashMap {
        primary: area(0x2_0000),
        secondary: area(0x3f_0000),
        scratch: Some(Region::clamped(FlashAddr(0x7c_0000), 0x1_f000)),
    };
    for swap in SwapKind::ALL {
        let new_at = |device: &Device| device.upload_offset();
        let device = |max_sectors, swaps: bool| {
            let config = BootConfig::new(map, limited(swap, max_sectors)).unwrap();
            let mut device = Device { config, flash: NorMemory::erased(8 << 20) };
            device.put(AreaName::Primary, 0, &image(1, 6000));
            if swaps {
                let offset = new_at(&device);
                device.put(AreaName::Secondary, offset, &image(2, 9000));
                device.set_trailer(AreaName::Secondary, CONFIRMED);
            }
            device
        };
        // Built for as many sectors as there are, every kind of swap goes well.
        assert_eq!(device(976, true).boots(), Some(2), "{swap}");
        let boot = device(512, false).boot();
        if swap == SwapKind::Scratch {
            // The extra entries fit into the scratch area's table.
            assert_eq!(boot.version(), Some(1));
        } else {
            let (area, sectors, max_sectors) = (AreaName::Secondary, 976, 512);
            let crash = Crash::SectorTables { area, sectors, max_sectors };
            assert_eq!(boot.outcome, McubootOutcome::Crash(crash), "{swap}");
        }
    }
}

#[test]
fn more_sectors_make_a_longer_trailer() {
    for (max_sectors, crashes) in [(512, false), (976, true)] {
        let config = config(limited(SwapKind::Scratch, max_sectors), equal(256, 64));
        let mut device =
            Device::with_images(config, &esp_idf_app(900_000), &image(2, 9000), CONFIRMED);
        // A byte of the old contents, before a trailer of 512 sectors and in one of 976.
        device.put(AreaName::Primary, 0x10_0000 - 0x2df0, &[0]);
        let crashed = matches!(device.boot().outcome, McubootOutcome::Crash(_));
        assert_eq!(crashed, crashes, "{max_sectors}");
    }
}

#[test]
fn a_lower_version_is_erased_where_that_is_prevented() {
    for swap in SwapKind::ALL {
        let ends = |prevention, old, new| {
            runs(&prevents(swap, prevention), &numbered(old, None), &numbered(new, None))
        };
        let by_version = |old, new| ends(DowngradePrevention::Version, old, new);
        assert_eq!(by_version("1.2.3", "1.2.2"), version("1.2.3"), "{swap}");
        assert_eq!(by_version("1.2.3", "1.2.4"), version("1.2.4"), "{swap}");
        assert_eq!(by_version("1.2.3+5", "1.2.3+4"), version("1.2.3+4"), "{swap}");
        let by_build = |old, new| ends(DowngradePrevention::VersionAndBuild, old, new);
        assert_eq!(by_build("1.2.3+5", "1.2.3+4"), version("1.2.3+5"), "{swap}");
        assert_eq!(by_build("1.2.3+5", "1.2.3+5"), version("1.2.3+5"), "{swap}");
        assert_eq!(ends(DowngradePrevention::None, "1.2.3", "0.0.0"), version("0.0.0"), "{swap}");
    }
}

#[test]
fn a_target_below_0_0_256_does_not_replace_an_esp_idf_app() {
    for swap in [SwapKind::Scratch, SwapKind::Overwrite] {
        let mut app = esp_idf_app(9000);
        app[8..24].fill(0);
        app[23] = 1;
        let ends = |prevention, new| runs(&prevents(swap, prevention), &app, &numbered(new, None));
        for new in ["0.0.0", "0.0.255+9"] {
            assert_eq!(ends(DowngradePrevention::Version, new), None, "{swap} {new}");
            assert_eq!(ends(DowngradePrevention::None, new), version(new), "{swap} {new}");
        }
        let new = "0.0.256";
        assert_eq!(ends(DowngradePrevention::Version, new), version(new), "{swap}");
        // There is no counter in an app; overwriting does not look for one.
        let by_counter = ends(DowngradePrevention::SecurityCounter, "0.0.0");
        assert_eq!(by_counter.is_some(), swap == SwapKind::Scratch, "{swap}");
    }
}

#[test]
fn an_erased_primary_reads_as_the_highest_version() {
    for (swap, expected) in [(SwapKind::Scratch, None), (SwapKind::Overwrite, version("2.0.0"))] {
        let config = prevents(swap, DowngradePrevention::Version);
        assert_eq!(runs(&config, &[], &numbered("2.0.0", None)), expected, "{swap}");
    }
}

#[test]
fn a_lower_counter_is_erased_where_that_is_prevented() {
    for swap in SWAPS {
        let config = prevents(swap, DowngradePrevention::SecurityCounter);
        let taken = |old, new| {
            let (old, new) = (numbered("2.0.0", old), numbered("1.0.0", new));
            runs(&config, &old, &new) == version("1.0.0")
        };
        assert!(taken(None, None) && taken(None, Some(1)), "{swap}");
        assert!(taken(Some(1), Some(1)) && taken(Some(1), Some(2)), "{swap}");
        assert!(!taken(Some(1), None) && !taken(Some(2), Some(1)), "{swap}");
    }
}

#[test]
fn overwriting_compares_versions_even_if_built_for_counters() {
    let config = prevents(SwapKind::Overwrite, DowngradePrevention::SecurityCounter);
    let ends = |old: &[u8], new: &[u8]| runs(&config, old, new);
    let (low, high) = (numbered("1.0.0", Some(9)), numbered("2.0.0", None));
    assert_eq!(ends(&low, &high), version("2.0.0"));
    assert_eq!(ends(&high, &low), version("2.0.0"));
}

#[test]
fn a_revert_is_not_a_downgrade() {
    for swap in SWAPS {
        for prevention in DowngradePrevention::ALL {
            let (old, new) = (numbered("1.0.0", Some(1)), numbered("2.0.0", Some(2)));
            let config = prevents(swap, prevention);
            let mut device = Device::with_images(config, &old, &new, TrailerState::PENDING);
            assert_eq!(device.boots(), Some(2), "{swap} {prevention}");
            assert_eq!(device.boots(), Some(1), "{swap} {prevention}");
        }
    }
}

/// Flash of a device that overwrites, filled with old contents up to the trailer.
fn overwriting(fast: bool, new_len: u32) -> Device {
    let config = config(TrailerConfig::espressif(SwapKind::Overwrite), equal(9, 1));
    let old = esp_idf_app(9 * SECTOR_BYTES - 40);
    let config = config.with_fast_overwrite(fast);
    Device::with_images(config, &old, &image(2, new_len), CONFIRMED)
}

#[test]
fn overwriting_fast_leaves_what_the_image_does_not_need() {
    let primary = |device: &mut Device| {
        let slot = device.slot(AreaName::Primary);
        device.bytes(slot)
    };
    // A multiple of the write unit: one unit more is copied.
    for new_len in [SECTOR_BYTES - 4, SECTOR_BYTES, SECTOR_BYTES + 1, 9000] {
        let new = image(2, new_len);
        let mut device = overwriting(true, new_len);
        let before = primary(&mut device);
        let boot = device.boot();
        assert_eq!(boot.version(), Some(2));
        let copied = (new_len + 1).next_multiple_of(4);
        assert!(boot.events.contains(&BootEvent::Overwriting { len_bytes: copied }));
        let after = primary(&mut device);
        assert!(after.starts_with(&new));
        // The old app goes on after the image's last sector, up to those of a trailer.
        let [image_end, trailer] =
            [new_len.next_multiple_of(SECTOR_BYTES), 7 * SECTOR_BYTES].map(|at| at as usize);
        assert!(flash_region::is_blank(&after[copied as usize..image_end.max(copied as usize)]));
        assert_eq!(after[image_end + 4..trailer], before[image_end + 4..trailer]);
        let state = device.trailer(AreaName::Primary);
        let expected = TrailerState { magic: Magic::Good, ..TrailerState::UNSET };
        assert_eq!(state, expected);
        assert!(flash_region::is_blank(&after[trailer..9 * 0x1000 - 16]));
        assert!(device.boot().ops.is_empty());
    }
    // All of it, and the trailer with it.
    let mut whole = overwriting(false, 9000);
    whole.boot();
    assert!(flash_region::is_blank(&primary(&mut whole)[9000..8 * 0x1000]));
    assert_eq!(whole.trailer(AreaName::Primary).image_ok, Flag::Set);
}

#[test]
fn overwriting_fast_survives_every_cut() {
    let start = overwriting(true, 9000);
    let ops = start.clone().boot().ops;
    assert!(ops.len() < 60, "{}", ops.len());
    for op in 0..ops.len() as u64 {
        for cut in [Cut::before(op), Cut::after(op), Cut::middle(op, op), Cut::middle(op, !op)] {
            let flash = ops.cut(cut).unwrap();
            let mut device = Device { config: start.config.clone(), flash };
            assert_eq!(device.boots(), Some(2), "{cut:?}");
            assert!(device.starts_with(AreaName::Primary, &image(2, 9000)), "{cut:?}");
        }
    }
}

/// Nothing is swapped, but the image in the primary must not be too long.
#[test]
fn slots_that_differ_have_limits_of_their_own() {
    let fits = |swap, (primary, secondary, scratch): (u32, u32, u32), spare: u32| {
        let sectors = Sectors { primary, secondary, scratch };
        let config = config(limited(swap, 64), sectors);
        let longest = config.limits_in(AreaName::Primary).max_image_len_bytes;
        let mut device = Device::new(config);
        if longest == 0 {
            device.put(AreaName::Primary, 0, &image(1, 3000));
            let why = device.boot().outcome;
            assert!(matches!(why, McubootOutcome::Nothing(Unbootable::Image(_))), "{why}");
            return;
        }
        let trailer = device.layout(AreaName::Primary).trailer().len_bytes();
        assert_eq!(longest + trailer, spare * SECTOR_BYTES, "{swap} {sectors:?}");
        device.put(AreaName::Primary, 0, &image(1, longest.min((primary - 1) * SECTOR_BYTES)));
        assert_eq!(device.boots(), Some(1), "{swap} {sectors:?}");
    };
    fits(SwapKind::Overwrite, (9, 7, 1), 9);
    for (sectors, longest) in [
        // One sector too many does not count.
        ((9, 8, 1), 8),
        ((8, 9, 1), 8),
        // More do, as long as the scratch area has as many.
        ((9, 7, 2), 9),
        ((9, 7, 1), 8),
        ((7, 9, 1), 9),
        ((9, 6, 1), 0),
    ] {
        fits(SwapKind::Scratch, sectors, longest);
    }
}
