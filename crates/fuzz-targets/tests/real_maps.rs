//! Tables that devices in the field have, over Zephyr's flash maps, on simulated devices: what is
//! planned reaches the target, also with power lost on the way, and what is refused the device
//! refuses with the same codes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../bootswap-plan/tests/planner/real_tables.rs"]
mod real_tables;

use std::collections::BTreeMap;

use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use fuzz_targets::desk::{RealDevice, VerdictKind, verdict_on};
use mcuboot_format::SwapKind;
use real_tables::{MAPS, tables};

/// Of how many devices a run of the tests tries one.
const STEP: usize = 149;

/// Bytes of a migrator with Wi-Fi for ESP32-C3, and of a small one.
const MIGRATORS: [u32; 2] = [0xa_8000, 0x4_0000];

/// The verdicts on one device in `step`.
fn verdicts(step: usize) -> BTreeMap<VerdictKind, usize> {
    let (mut kinds, mut index) = (BTreeMap::new(), 0);
    for chip in [Chip::Esp32, Chip::Esp32c3, Chip::Esp32s3] {
        for (name, flash_mb, partitions) in tables() {
            for map in MAPS.iter().filter(|map| map.flash_mb >= flash_mb) {
                for swap in SwapKind::ALL {
                    let Some(built) = map.built(swap) else { continue };
                    let apps = partitions.iter().filter(|p| p.is_app() && p.is_aligned());
                    let cases = apps.flat_map(|app| MIGRATORS.map(|len_bytes| (app, len_bytes)));
                    for (app, migrator_len_bytes) in cases {
                        index += 1;
                        if index % step != 0 {
                            continue;
                        }
                        let real = RealDevice {
                            chip,
                            flash_size: FlashSize::from_bytes(map.flash_mb << 20).unwrap(),
                            partitions: &partitions,
                            running: app.label.as_str().unwrap(),
                            migrator_len_bytes,
                            map: built,
                            gives_up: index % (4 * step) != 0,
                        };
                        let what = format!("{chip}, {name} in {}, {} {swap}", app.label, map.name);
                        let kind = verdict_on(&real).expect(&what);
                        *kinds.entry(kind).or_default() += 1;
                    }
                }
            }
        }
    }
    kinds
}

/// So many planned and refused ones at least, and nothing but those and what does not fit its
/// partition.
fn check(kinds: &BTreeMap<VerdictKind, usize>, planned: usize, refused: usize) {
    let count = |kind| kinds.get(&kind).copied().unwrap_or_default();
    assert!(count(VerdictKind::Planned) >= planned, "{kinds:?}");
    assert!(count(VerdictKind::Refused) >= refused, "{kinds:?}");
    let expected = [VerdictKind::Planned, VerdictKind::Refused, VerdictKind::Undeliverable];
    assert!(kinds.keys().all(|kind| expected.contains(kind)), "{kinds:?}");
}

#[test]
fn real_tables_over_real_maps_do_as_the_desk_says() {
    check(&verdicts(STEP), 8, 3);
}

#[test]
#[ignore = "takes minutes"]
fn all_real_tables_over_all_real_maps_do_as_the_desk_says() {
    check(&verdicts(1), 1000, 100);
}
