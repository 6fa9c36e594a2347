//! Tables that devices in the field have, and the flash maps of the system that they may get:
//! ESP-IDF's and Arduino's partition tables over Zephyr's maps for Espressif's chips.
//!
//! Each pair of them, from each partition that a migrator can come to and with each kind of swap,
//! is either planned safely, or what the refusal says to do leads to a plan.

use bootswap_plan::*;
use esp_idf_format::Chip;
use esp_idf_format::partition::Partition;
use flash_region::SECTOR_BYTES;
use mcuboot_format::SwapKind;

use crate::case::*;
use crate::real_tables::{MAPS, ZephyrMap, tables};
/// Bytes of the migrator for ESP32-C3 with Wi-Fi, and of a small one.
const MIGRATORS: [u32; 2] = [0xa_8000, 0x8_0000];

/// Labels of data partitions, which the target may overwrite once it is asked for by name.
const LABELS: [&str; 8] =
    ["spiffs", "eeprom", "ffat", "coredump", "phy_init", "fctry", "nvs", PARTITION_TABLE];

/// Labels of app partitions.
const APPS: [&str; 9] =
    ["factory", "ota_0", "ota_1", "ota_2", "ota_3", "app0", "app1", "uf2", "firmware"];

/// A pair of table and map, from one partition and with one migrator.
struct Pair {
    what: String,
    swap: SwapKind,
    map: &'static ZephyrMap,
    case: Case,
}

fn pairs() -> Vec<Pair> {
    let mut all = Vec::new();
    for chip in [Chip::Esp32, Chip::Esp32c3, Chip::Esp32s3] {
        for (name, flash_mb, partitions) in tables() {
            for map in &MAPS {
                for swap in SwapKind::ALL {
                    let Some(built) = map.built(swap) else { continue };
                    let flash_len_bytes = flash_mb.max(map.flash_mb) * MIB;
                    if flash_mb > map.flash_mb {
                        continue;
                    }
                    for running in partitions.iter().filter(|p| p.is_app() && p.is_aligned()) {
                        for len_bytes in MIGRATORS {
                            if len_bytes > running.region.len_bytes() {
                                continue;
                            }
                            let label = running.label;
                            let what = format!(
                                "{chip}, {name} in {label} ({len_bytes:#x}), {} {swap}",
                                map.name
                            );
                            let case = case(chip, flash_len_bytes, &partitions, running, built);
                            let case = Case { running_len_bytes: len_bytes, ..case };
                            all.push(Pair { what, swap, map, case });
                        }
                    }
                }
            }
        }
    }
    all
}

fn case(
    chip: Chip,
    flash_len_bytes: u32,
    partitions: &[Partition],
    running: &Partition,
    map: McubootMap<'static>,
) -> Case {
    let running = APPS.into_iter().find(|label| running.label.as_str() == Some(label)).unwrap();
    // The application fills its slot: Zephyr's `west sign` pads it if asked to confirm.
    let mut case = on(chip, flash_len_bytes, partitions.to_vec(), running, map);
    case.wanted_flash_bytes = None;
    case.artifacts[1].region_len_bytes = None;
    case
}

#[test]
fn every_pair_of_table_and_map_is_planned_or_its_refusal_helps() {
    let (mut planned, mut refused, mut smaller) = (0, 0, 0);
    for Pair { what, swap, map, mut case } in pairs() {
        // What the migration may overwrite has to be said.
        let asked = case.plan().err().unwrap_or_default();
        for reason in asked.iter().filter(|reason| !reason.is_about_place()) {
            let code = reason.code();
            assert!(matches!(code, "over-kept" | "no-relocation"), "{what}: {reason}");
        }
        case.allow.overwrite = &LABELS;
        let reasons = match case.plan() {
            Ok(plan) => {
                planned += 1;
                assert_safe(&case, &plan);
                continue;
            }
            Err(reasons) => reasons,
        };
        // All that the refusal names leads to a plan: a smaller migrator, if any would do, here or
        // in another partition, and another kind of swap.
        let Some(Reason::NoRelocation { most_bytes, .. }) = reasons.last() else {
            panic!("{what}: {reasons:?}")
        };
        refused += 1;
        let said = reasons.last().map(ToString::to_string).unwrap_or_default();
        let with = |running: &'static str, len_bytes| {
            let smaller = Case { running, running_len_bytes: len_bytes, ..case.clone() };
            len_bytes > 0 && smaller.running().len_bytes() >= len_bytes && smaller.plan().is_ok()
        };
        let anywhere = |len_bytes| labels(&case).any(|label| with(label, len_bytes));
        assert_eq!(said.contains("at most"), *most_bytes > 0, "{what}: {said}");
        assert!(*most_bytes == 0 || anywhere(*most_bytes), "{what}: {said}");
        assert!(!anywhere(most_bytes + SECTOR_BYTES), "{what}: {said}");
        smaller += usize::from(*most_bytes > 0);
        assert!(said.contains("with overwrite"), "{what}: {said}");
        let overwriting = map.built(SwapKind::Overwrite);
        let plan = Case { map: overwriting, ..case.clone() }.plan();
        assert!(plan.is_ok(), "{what}: {said}: {plan:?}");
        assert!(!matches!(swap, SwapKind::Scratch | SwapKind::Overwrite), "{what}: {said}");
    }
    // As many as the tables and maps above make.
    assert!(planned > 2000 && refused > 100 && smaller > 50, "{planned} {refused} {smaller}");
}

/// The app partitions of a case that can start. One of RainMaker's for 8 MB begins where no app can
/// be mapped.
fn labels(case: &Case) -> impl Iterator<Item = &'static str> + '_ {
    let apps = || case.table.iter().filter(|p| p.is_app() && p.is_aligned());
    let named = move |label: &&str| apps().any(|p| p.label.as_str() == Some(label));
    APPS.into_iter().filter(named)
}

/// Zephyr's MCUboot with a key is longer than the room before the partition table. Without `size`
/// in the migration its own length counts, and what it covers has to be named.
#[test]
fn a_bootloader_over_the_partition_table_asks_for_what_it_covers() {
    for chip in Chip::ALL {
        for (name, flash_mb, partitions) in tables() {
            let running = partitions.iter().find(|p| p.is_app()).unwrap();
            let map = MAPS.iter().find(|map| map.flash_mb == flash_mb).unwrap();
            let built = map.built(SwapKind::Overwrite).unwrap();
            let mut case = case(chip, flash_mb * MIB, &partitions, running, built);
            case.running_len_bytes = 0x8_0000;
            case.artifacts[1].len_bytes = Some(44_880);
            let reasons = case.plan().unwrap_err();
            let kept = |text: &str| {
                reasons.iter().any(|reason| match reason {
                    Reason::OverKept { artifact, kept, .. } => {
                        artifact == "bootloader" && kept == text
                    }
                    _ => false,
                })
            };
            assert!(kept(PARTITION_TABLE) && kept("nvs"), "{chip}, {name}: {reasons:?}");
            assert!(reasons.iter().all(|r| r.code() == "over-kept"), "{chip}, {name}: {reasons:?}");
            case.allow.overwrite = &LABELS;
            assert_safe(&case, &case.plan().unwrap());
        }
    }
}
