//! The planner with a table of layouts: every chip, flash size, running partition and kind of swap,
//! on partition tables and maps as they are found in the field.
//!
//! Each case has two judges. A plan must be safe according to [`assert_safe`]. A refused case must
//! be impossible according to [`Feasible`], which tries every partition to run from and every place
//! to stage in, knows nothing about strategies, and requires only that nothing is overwritten that
//! must remain.

use bootswap_plan::*;
use esp_idf_format::Chip;
use esp_idf_format::partition::{Partition, PartitionType, subtype};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

use crate::case::*;

/// MCUboot's own map for a chip (boot/espressif/port/*/bootloader.conf in mcu-tools/mcuboot).
fn own_map(chip: Chip, swap: SwapKind) -> McubootMap<'static> {
    let slot_bytes = match chip {
        Chip::Esp32 | Chip::Esp32s3 => 0x15_0000,
        _ => 0x1c_0000,
    };
    map(0x2_0000, slot_bytes, region(0x3e_0000, 0x1_f000), swap)
}

fn map(start: u32, slot_bytes: u32, scratch: Region, swap: SwapKind) -> McubootMap<'static> {
    McubootMap {
        primary: region(start, slot_bytes),
        secondary: region(start + slot_bytes, slot_bytes),
        scratch: (swap == SwapKind::Scratch).then_some(scratch),
        swap,
        // As Zephyr builds it: for as many sectors as its slots have.
        max_sectors: DEFAULT_MAX_SECTORS.max(slot_bytes / SECTOR_BYTES),
        ..McubootMap::ESPRESSIF
    }
}

/// The example's map, MCUboot's own, and one that is spread over all of the flash.
fn maps(chip: Chip, flash_len_bytes: u32, swap: SwapKind) -> Vec<McubootMap<'static>> {
    let half = ((flash_len_bytes - 0x6_0000) / 2) & !0xffff;
    vec![
        map(0x1_0000, MIB, region(0x21_0000, 0x4_0000), swap),
        own_map(chip, swap),
        map(0x2_0000, half, region(0x2_0000 + 2 * half, 0x1_0000), swap),
    ]
}

fn app_partition(label: &str, subtype: u8, start: u32, len_bytes: u32) -> Partition {
    partition(label, PartitionType::App, subtype, start, len_bytes)
}

/// Partition tables by name, for a flash of this size.
fn tables(flash_len_bytes: u32) -> Vec<(&'static str, Vec<Partition>)> {
    use PartitionType::{Custom, Data};
    let small = [
        partition("nvs", Data, subtype::NVS, 0x9000, 0x4000),
        partition("otadata", Data, subtype::OTADATA, 0xd000, 0x2000),
        partition("phy_init", Data, subtype::PHY, 0xf000, 0x1000),
    ];
    let with = |apps: Vec<Partition>| [small.to_vec(), apps].concat();
    let half = ((flash_len_bytes - 0x1_0000) / 2) & !0xffff;
    let quarter = ((flash_len_bytes - 0x1_0000) / 4) & !0xffff;
    let ota = |index: u8| subtype::OTA_0 + index;
    vec![
        ("example", example_table()),
        (
            "app only",
            vec![
                partition("nvs", Data, subtype::NVS, 0x9000, 0x6000),
                partition("phy_init", Data, subtype::PHY, 0xf000, 0x1000),
                app_partition("factory", subtype::FACTORY, 0x1_0000, MIB),
            ],
        ),
        (
            "two slots",
            with(vec![
                app_partition("ota_0", ota(0), 0x1_0000, half),
                app_partition("ota_1", ota(1), 0x1_0000 + half, half),
            ]),
        ),
        (
            "four slots",
            with(
                (0..4)
                    .zip(["ota_0", "ota_1", "ota_2", "ota_3"])
                    .map(|(index, label)| {
                        let start = 0x1_0000 + u32::from(index) * quarter;
                        app_partition(label, ota(index), start, quarter)
                    })
                    .collect(),
            ),
        ),
        (
            "custom types and gaps",
            with(vec![
                app_partition("factory", subtype::FACTORY, 0x2_0000, 0xc_0000),
                partition("cfg", Custom(0x40), 0x01, 0xf_0000, 0x1000),
                app_partition("ota_0", ota(0), 0x10_0000, 0xc_0000),
                partition("cal", Custom(0xfe), 0xff, flash_len_bytes - 0x1000, 0x1000),
            ]),
        ),
    ]
}

/// Whether a migration can be done at all, found by trying.
struct Feasible<'a> {
    case: &'a Case,
    map: McubootMap<'static>,
}

impl Feasible<'_> {
    /// From where it runs, or from any partition that the old bootloader can be made to start.
    fn anywhere(&self) -> bool {
        let running = self.case.running();
        let told = self.case.table.iter().any(Partition::is_otadata);
        let image = running.prefix(self.case.running_len_bytes).align_out(SECTOR_BYTES).unwrap();
        let others = self.case.table.iter().filter(|p| p.is_app() && p.region != running);
        self.from(running)
            || others.map(|p| p.region).any(|to| {
                let room = to.len_bytes() >= image.len_bytes() && !to.overlaps(image);
                told && room && self.from(to)
            })
    }

    /// With the migrator in this partition.
    fn from(&self, home: Region) -> bool {
        let Self { case, map } = self;
        let kept: Vec<Region> = case
            .table
            .iter()
            .filter(|p| !p.is_app())
            .map(|p| p.region)
            .chain([region(0, 0x9000)])
            .collect();
        let areas = [Some(map.primary), Some(map.secondary), map.scratch];
        let areas: Vec<Region> = areas.into_iter().flatten().collect();
        let flash = region(0, case.flash_len_bytes);
        if areas.iter().any(|a| !flash.contains_region(*a) || kept.iter().any(|k| k.overlaps(*a))) {
            return false;
        }
        let image = home.prefix(case.running_len_bytes);
        let slots: &[Region] = match map.swap {
            SwapKind::Scratch | SwapKind::Overwrite => &[map.secondary, map.primary],
            SwapKind::Move | SwapKind::Offset => &[map.primary],
        };
        slots.iter().any(|&slot| {
            let other = if slot == map.primary { map.secondary } else { map.primary };
            // A trailer of two sectors at the slot's end must be blank.
            let trailer = map.trailer(other).unwrap().trailer().align_out(SECTOR_BYTES).unwrap();
            let image = image.align_out(SECTOR_BYTES).unwrap();
            !slot.overlaps(image) && !trailer.overlaps(image) && self.stages(&kept, home, slot)
        })
    }

    /// Whether there is a place to stage the bootloader.
    fn stages(&self, kept: &[Region], home: Region, slot: Region) -> bool {
        let needed = self.case.artifacts[1].len_bytes.unwrap().next_multiple_of(SECTOR_BYTES);
        let map = &self.map;
        let ends = [Some(map.primary), Some(map.secondary), map.scratch].into_iter().flatten();
        let ends: Vec<Region> = ends.map(|area| area.suffix(2 * SECTOR_BYTES)).collect();
        (0..self.case.flash_len_bytes - needed).step_by(SECTOR_BYTES as usize).any(|start| {
            let place = region(start, needed);
            let taken = kept.iter().chain(&ends).any(|k| k.overlaps(place));
            !taken && !place.overlaps(home) && !place.overlaps(slot)
        })
    }
}

#[test]
fn every_layout_of_the_table_is_planned_safely_or_impossible() {
    let (mut planned, mut refused) = (0, 0);
    for chip in Chip::ALL {
        for flash_len_bytes in [2 * MIB, 4 * MIB, 8 * MIB, 16 * MIB] {
            for (name, table) in tables(flash_len_bytes) {
                if table.iter().any(|p| p.region.end().get() > flash_len_bytes) {
                    continue;
                }
                let apps = table.iter().filter(|p| p.is_app());
                let labels = apps.map(|p| {
                    ["factory", "ota_0", "ota_1", "ota_2", "ota_3"]
                        .into_iter()
                        .find(|label| p.label.as_str() == Some(label))
                        .unwrap()
                });
                for running in labels {
                    for swap in SwapKind::ALL {
                        for map in maps(chip, flash_len_bytes, swap) {
                            let case = on(chip, flash_len_bytes, table.clone(), running, map);
                            let feasible = Feasible { case: &case, map };
                            let what = format!("{chip}, {flash_len_bytes:#x}, {name}");
                            match case.plan() {
                                Ok(plan) => {
                                    planned += 1;
                                    assert_safe(&case, &plan);
                                }
                                Err(reasons) => {
                                    refused += 1;
                                    assert!(!feasible.anywhere(), "{what}, {case:?}: {reasons:?}");
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    // Both judges have work.
    assert!(planned > 1000 && refused > 200, "{planned} planned, {refused} refused");
}

/// Where an application with an explicit destination is, as seen from the running partition, and
/// the result: the migrator stays, moves first, or cannot.
#[test]
fn a_destination_beside_over_and_under_the_running_partition() {
    let ota_0 = (0x11_0000, MIB);
    let table = [
        ("equal", ota_0, Ok(Strategy::Relocate)),
        ("inside", (0x12_0000, 0x8_0000), Ok(Strategy::Relocate)),
        ("at its start", (0x11_0000, 0x4_0000), Ok(Strategy::Relocate)),
        ("at its end, behind the image", (0x1b_0000, 0x6_0000), Ok(Strategy::AsNamed)),
        ("over the image's last sector", (0x1a_f000, 0x6_1000), Ok(Strategy::Relocate)),
        ("around", (0x10_0000, 0x12_0000), Ok(Strategy::Relocate)),
        ("over its first sector", (0x3_0000, 0xe_1000), Ok(Strategy::Relocate)),
        ("touching it from below", (0x1_0000, MIB), Ok(Strategy::AsNamed)),
        ("touching it from above", (0x21_0000, MIB), Ok(Strategy::AsNamed)),
        ("around every app", (0x1_0000, 0x30_0000), Err("over-running-code")),
    ];
    for (what, (start, len_bytes), wanted) in table {
        let mut case = Case { map: None, running: "ota_0", ..example() };
        case.artifacts[0].dest = Some(region(start, len_bytes));
        case.artifacts[0].content = Some(Content::Opaque);
        case.artifacts[0].len_bytes = Some(len_bytes);
        match (case.plan(), wanted) {
            (Ok(plan), Ok(strategy)) => {
                assert_eq!(plan.strategy, strategy, "{what}");
                assert_safe(&case, &plan);
            }
            (Err(reasons), Err(code)) => {
                assert!(reasons.iter().any(|r| r.code() == code), "{what}: {reasons:?}");
            }
            (found, _) => panic!("{what}: {found:?}"),
        }
    }
}

/// The same, seen from every OTA partition of a table with many.
#[test]
fn from_any_further_ota_partition() {
    let labels = ["ota_0", "ota_1", "ota_2", "ota_3", "ota_4", "ota_5", "ota_6", "ota_7"];
    for running in labels {
        let mut table = example_table();
        table.truncate(3);
        for (index, label) in (0..).zip(labels) {
            let start = 0x1_0000 + u32::from(index) * MIB;
            table.push(app_partition(label, subtype::OTA_0 + index, start, MIB));
        }
        let map = map(0x1_0000, MIB, region(0x21_0000, 0x4_0000), SwapKind::Scratch);
        let case = on(Chip::Esp32c6, 16 * MIB, table, running, map);
        let plan = case.plan().unwrap();
        let wanted = match running {
            "ota_1" => Strategy::StraightToPrimary,
            _ => Strategy::SecondaryAndSwap,
        };
        assert_eq!(plan.strategy, wanted, "{running}");
        assert_safe(&case, &plan);
    }
}

/// A 39,776-byte bootloader at 0x0 covers the partition table and the start of the NVS partition.
#[test]
fn what_the_target_covers_is_said_and_changes_in_the_commit_alone() {
    for chip in Chip::ALL {
        let map = map(0x1_0000, MIB, region(0x21_0000, 0x4_0000), SwapKind::Scratch);
        let mut case = on(chip, 4 * MIB, example_table(), "factory", map);
        case.artifacts[1].len_bytes = Some(39_776);
        let reasons = case.plan().unwrap_err();
        let said: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        for label in [PARTITION_TABLE, "nvs"] {
            assert!(said.iter().any(|text| text.contains(label)), "{chip}: {said:?}");
        }
        case.allow.overwrite = &[PARTITION_TABLE, "nvs"];
        let plan = case.plan().unwrap();
        let first = chip.bootloader_addr();
        let commit = plan.commit_region().unwrap();
        assert!(commit.contains(first) && commit.contains(FlashAddr(0x8000)), "{chip}: {commit}");
        for changed in changed_before_commit(&plan) {
            assert!(changed.start() >= FlashAddr(0xd000), "{chip}: {changed}");
        }
    }
}
