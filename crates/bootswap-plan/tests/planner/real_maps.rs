//! Tables that devices in the field have, and the flash maps of the system that they may get:
//! ESP-IDF's and Arduino's partition tables over Zephyr's maps for Espressif's chips.
//!
//! Each pair of them, from each partition that a migrator can come to and with each kind of swap,
//! is either planned safely, or what the refusal says to do leads to a plan. The numbers are those
//! of `components/partition_table/*.csv` in espressif/esp-idf, `tools/partitions/*.csv` in
//! espressif/arduino-esp32, and `dts/vendor/espressif/partitions_*.dtsi` (before 2025
//! `dts/common/espressif`) in zephyrproject-rtos/zephyr.

use bootswap_plan::*;
use esp_idf_format::Chip;
use esp_idf_format::partition::{Partition, PartitionType, subtype};
use flash_region::SECTOR_BYTES;
use mcuboot_format::SwapKind;

use crate::case::*;

const KIB: u32 = 1024;

/// A flash map: its primary and secondary slots have so many KiB, and a scratch area where it has
/// one.
struct ZephyrMap {
    name: &'static str,
    flash_mb: u32,
    secondary: u32,
    slot_kib: u32,
    scratch: Option<(u32, u32)>,
}

/// All of them have the primary slot at 0x20000.
const MAPS: [ZephyrMap; 9] = [
    zephyr("2M", 2, 0xe_0000, 768, None),
    zephyr("4M", 4, 0x1e_0000, 1792, None),
    zephyr("4M with scratch", 4, 0x1e_0000, 1792, Some((0x3e_0000, 124))),
    zephyr("8M", 8, 0x3e_0000, 3840, Some((0x7e_0000, 124))),
    zephyr("8M of 2024", 8, 0x3f_0000, 3904, Some((0x7e_0000, 64))),
    zephyr("16M", 16, 0x7e_0000, 7936, None),
    zephyr("4M for two cores", 4, 0x17_0000, 1344, Some((0x3e_0000, 124))),
    zephyr("8M for two cores", 8, 0x2f_0000, 2880, None),
    zephyr("16M for two cores", 16, 0x5f_0000, 5952, None),
];

const fn zephyr(
    name: &'static str,
    flash_mb: u32,
    secondary: u32,
    slot_kib: u32,
    scratch: Option<(u32, u32)>,
) -> ZephyrMap {
    ZephyrMap { name, flash_mb, secondary, slot_kib, scratch }
}

impl ZephyrMap {
    /// The map as MCUboot with that kind of swap has it; `None` where it has no place for scratch.
    fn built(&self, swap: SwapKind) -> Option<McubootMap<'static>> {
        let slot_len_bytes = self.slot_kib * KIB;
        let scratch = self.scratch.map(|(start, kib)| region(start, kib * KIB));
        if swap == SwapKind::Scratch && scratch.is_none() {
            return None;
        }
        Some(McubootMap {
            primary: region(0x2_0000, slot_len_bytes),
            secondary: region(self.secondary, slot_len_bytes),
            scratch: scratch.filter(|_| swap == SwapKind::Scratch),
            swap,
            // BOOT_MAX_IMG_SECTORS_AUTO
            max_sectors: slot_len_bytes / SECTOR_BYTES,
            overwrites_fast: swap == SwapKind::Overwrite,
            ..McubootMap::ESPRESSIF
        })
    }
}

/// A line of a partition table: label, subtype of an app or a data partition, start, bytes.
type Line = (&'static str, Kind, u32, u32);

enum Kind {
    Factory,
    Ota(u8),
    Otadata,
    Nvs,
    Data(u8),
}

use Kind::{Data, Factory, Nvs, Ota, Otadata};

/// Tables by name, with the least MB of flash that they need.
fn tables() -> Vec<(&'static str, u32, Vec<Partition>)> {
    let idf = |apps: &[Line]| {
        let small: &[Line] = &[
            ("nvs", Nvs, 0x9000, 0x4000),
            ("otadata", Otadata, 0xd000, 0x2000),
            ("phy_init", Data(subtype::PHY), 0xf000, 0x1000),
        ];
        [table(small), table(apps)].concat()
    };
    let arduino = |rest: &[Line]| {
        let small: &[Line] = &[("nvs", Nvs, 0x9000, 0x5000), ("otadata", Otadata, 0xe000, 0x2000)];
        [table(small), table(rest)].concat()
    };
    let spiffs = || Data(subtype::SPIFFS);
    let coredump = || Data(subtype::COREDUMP);
    vec![
        (
            "ESP-IDF, two OTA",
            4,
            idf(&[
                ("factory", Factory, 0x1_0000, MIB),
                ("ota_0", Ota(0), 0x11_0000, MIB),
                ("ota_1", Ota(1), 0x21_0000, MIB),
            ]),
        ),
        (
            "ESP-IDF, two OTA, large",
            4,
            table(&[
                ("nvs", Nvs, 0x9000, 0x6000),
                ("otadata", Otadata, 0xf000, 0x2000),
                ("phy_init", Data(subtype::PHY), 0x1_1000, 0x1000),
                ("ota_0", Ota(0), 0x2_0000, 1700 * KIB),
                ("ota_1", Ota(1), 0x1d_0000, 1700 * KIB),
            ]),
        ),
        (
            "Arduino, 4 MB",
            4,
            arduino(&[
                ("app0", Ota(0), 0x1_0000, 0x14_0000),
                ("app1", Ota(1), 0x15_0000, 0x14_0000),
                ("eeprom", Data(0x99), 0x29_0000, 0x1000),
                ("spiffs", spiffs(), 0x29_1000, 0x16_f000),
            ]),
        ),
        (
            "Arduino, minimal SPIFFS",
            4,
            arduino(&[
                ("app0", Ota(0), 0x1_0000, 0x1e_0000),
                ("app1", Ota(1), 0x1f_0000, 0x1e_0000),
                ("spiffs", spiffs(), 0x3d_0000, 0x3_0000),
            ]),
        ),
        (
            "RainMaker",
            4,
            arduino(&[
                ("ota_0", Ota(0), 0x1_0000, 0x1e_0000),
                ("ota_1", Ota(1), 0x1f_0000, 0x1e_0000),
                ("fctry", Nvs, 0x3d_0000, 0x6000),
            ]),
        ),
        (
            "TinyUF2, 4 MB",
            4,
            arduino(&[
                ("ota_0", Ota(0), 0x1_0000, 1408 * KIB),
                ("ota_1", Ota(1), 0x17_0000, 1408 * KIB),
                ("uf2", Factory, 0x2d_0000, 256 * KIB),
                ("ffat", Data(subtype::FAT), 0x31_0000, 960 * KIB),
            ]),
        ),
        (
            "Arduino, 8 MB",
            8,
            arduino(&[
                ("app0", Ota(0), 0x1_0000, 0x33_0000),
                ("app1", Ota(1), 0x34_0000, 0x33_0000),
                ("spiffs", spiffs(), 0x67_0000, 0x18_0000),
                ("coredump", coredump(), 0x7f_0000, 0x1_0000),
            ]),
        ),
        (
            "Arduino, 8 MB, large SPIFFS",
            8,
            arduino(&[
                ("app0", Ota(0), 0x1_0000, 0x14_0000),
                ("app1", Ota(1), 0x15_0000, 0x14_0000),
                ("spiffs", spiffs(), 0x29_0000, 0x56_0000),
                ("coredump", coredump(), 0x7f_0000, 0x1_0000),
            ]),
        ),
        (
            "RainMaker, 8 MB",
            8,
            arduino(&[
                ("ota_0", Ota(0), 0x1_0000, 0x3e_d000),
                ("ota_1", Ota(1), 0x3f_d000, 0x3e_d000),
                ("fctry", Nvs, 0x7e_a000, 0x6000),
                ("coredump", coredump(), 0x7f_0000, 0x1_0000),
            ]),
        ),
        (
            "Arduino, 16 MB",
            16,
            arduino(&[
                ("app0", Ota(0), 0x1_0000, 0x64_0000),
                ("app1", Ota(1), 0x65_0000, 0x64_0000),
                ("spiffs", spiffs(), 0xc9_0000, 0x36_fffc),
            ]),
        ),
        (
            "Arduino, 16 MB, FAT",
            16,
            arduino(&[
                ("app0", Ota(0), 0x1_0000, 0x30_0000),
                ("app1", Ota(1), 0x31_0000, 0x30_0000),
                ("ffat", Data(subtype::FAT), 0x61_0000, 0x9e_0000),
                ("coredump", coredump(), 0xff_0000, 0x1_0000),
            ]),
        ),
        (
            "M5Stack, 16 MB",
            16,
            arduino(&[
                ("ota_0", Ota(0), 0x1_0000, 0x30_0000),
                ("ota_1", Ota(1), 0x31_0000, 0x30_0000),
                ("ota_2", Ota(2), 0x61_0000, 0x30_0000),
                ("ota_3", Ota(3), 0x91_0000, 0x30_0000),
                ("firmware", Factory, 0xc1_0000, 0xf_0000),
                ("spiffs", spiffs(), 0xd0_0000, 0x2f_0000),
                ("coredump", coredump(), 0xff_0000, 0x1_0000),
            ]),
        ),
    ]
}

fn table(lines: &[Line]) -> Vec<Partition> {
    let lines = lines.iter().map(|(label, kind, start, len_bytes)| {
        let (kind, subtype) = match kind {
            Factory => (PartitionType::App, subtype::FACTORY),
            Ota(index) => (PartitionType::App, subtype::OTA_0 + index),
            Otadata => (PartitionType::Data, subtype::OTADATA),
            Nvs => (PartitionType::Data, subtype::NVS),
            Data(subtype) => (PartitionType::Data, *subtype),
        };
        partition(label, kind, subtype, *start, *len_bytes)
    });
    lines.collect()
}

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
