//! Tables that a bootloader accepts and tools refuse, and tables at other addresses.

use bootswap_plan::*;
use esp_idf_format::partition::{PartitionType, subtype};
use flash_region::{FlashAddr, Region};

use crate::case::*;

/// The example with more flash than its table claims.
fn roomy() -> Case {
    Case { flash_len_bytes: 8 * MIB, ..example() }
}

fn changed(case: &Case) -> Vec<Region> {
    let plan = case.plan().unwrap_or_else(|reasons| panic!("{case:?}\n{reasons:?}"));
    assert_safe(case, &plan);
    changed_before_commit(&plan)
}

#[test]
fn a_misaligned_partition_is_kept_with_the_sectors_around_it() {
    let mut case = roomy();
    // It leaves parts of sectors free that nothing may use.
    case.table[0].region = region(0x30_f800, 0x1000);
    case.table[5].region = region(0x21_0000, 0xf_f800);
    let around = region(0x30_f000, 0x2000);
    for running in ["factory", "ota_0", "ota_1"] {
        case.running = running;
        let used = changed(&case);
        assert!(used.iter().all(|used| !used.overlaps(around)), "{running}: {used:?}");
    }
}

/// Where two entries overlap, the contents may belong to either.
#[test]
fn nothing_is_put_where_entries_overlap() {
    let mut case = roomy();
    case.flash_len_bytes = 4 * MIB;
    case.table[5].region = region(0x28_0000, 0x18_0000);
    let files = ("files", PartitionType::Data, subtype::SPIFFS, 0x3f_0000, 0x1_0000);
    case.table.push(partition(files.0, files.1, files.2, files.3, files.4));
    let doubtful = case.table[5].region;
    case.map.as_mut().unwrap().scratch = Some(region(0x21_0000, 0x4_0000));
    let used = changed(&case);
    assert!(used.iter().all(|used| !used.overlaps(doubtful)), "{used:?}");
    // The migrator does not move there either, although nothing else would be in the way.
    let map = case.map.as_mut().unwrap();
    (map.swap, map.scratch) = (mcuboot_format::SwapKind::Move, None);
    map.secondary = region(0x14_0000, MIB);
    case.table.retain(|p| p.ota_index() != Some(0));
    case.table[4].subtype = subtype::OTA_0;
    case.table[4].region = region(0x26_0000, 0x19_1000);
    assert!(case.codes().contains(&"no-relocation"), "{:?}", case.codes());
    case.table[4].region = region(0x26_0000, 0x19_0000);
    assert!(case.plan().is_ok_and(|plan| plan.strategy == Strategy::Relocate));
}

#[test]
fn a_staging_partition_that_shares_flash_with_data_is_refused() {
    let mut case = roomy();
    case.table.push(partition("spare", PartitionType::Data, 0x99, 0x31_0000, 2 * MIB));
    case.table.push(partition("files", PartitionType::Data, subtype::FAT, 0x32_0000, 0x8_0000));
    case.staging = Staging::Label("spare");
    assert_eq!(case.codes()[0], "staging-in-use");
}

/// Of several entries with one role the bootloader uses the last; the others have no owner.
#[test]
fn the_last_of_several_entries_counts() {
    let mut case = roomy();
    case.running = "ota_1";
    let mut first = case.table[1];
    first.region = region(0x41_0000, 0x2000);
    first.label = esp_idf_format::FixedText::new("old").unwrap();
    case.table.insert(0, first);
    let plan = case.plan().unwrap();
    let Some(Step::Select { otadata, app }) = plan.steps.first() else { panic!("{plan:?}") };
    assert_eq!((*otadata, *app), (region(0xd000, 0x2000), App::Ota { index: 1, count: 2 }));
    assert_safe(&case, &plan);

    // The entry of ota_1 that the bootloader does not know cannot be selected.
    let mut twice = case.table.iter().find(|p| p.ota_index() == Some(1)).copied().unwrap();
    twice.region = region(0x51_0000, MIB);
    twice.label = esp_idf_format::FixedText::new("again").unwrap();
    case.table.push(twice);
    case.with(|_, facts| {
        assert_eq!(app_in(facts, region(0x21_0000, MIB)), None);
        assert_eq!(app_in(facts, twice.region), Some(App::Ota { index: 1, count: 3 }));
    });
}

#[test]
fn otadata_that_does_not_begin_with_a_sector_is_not_written() {
    let mut case = roomy();
    case.running = "ota_1";
    case.table[1].region = region(0xd800, 0x2000);
    case.table[2].region = region(0x41_0000, 0x1000);
    let plan = case.plan().unwrap();
    assert!(plan.steps.iter().all(|step| !matches!(step, Step::Select { .. })), "{plan:?}");
    assert_safe(&case, &plan);
}

/// Both entries are needed: one of them is good at every moment.
#[test]
fn otadata_of_one_sector_is_not_written() {
    let mut case = roomy();
    case.running = "ota_1";
    let selects = |case: &Case| {
        let plan = case.plan().unwrap();
        assert_safe(case, &plan);
        plan.steps.iter().any(|step| matches!(step, Step::Select { .. }))
    };
    assert!(selects(&case));
    case.table[1].region = region(0xd000, 0x1000);
    assert!(!selects(&case));
}

/// A migration of data ends in the firmware before it, which otadata has to name.
#[test]
fn without_otadata_that_can_be_written_nothing_leads_back() {
    let mut case = roomy();
    case.map = None;
    let data = Artifact { dest: Some(region(0x40_0000, 0x1_0000)), ..other("data") };
    case.artifacts = vec![data];
    case.running = "ota_1";
    assert!(case.plan().is_ok(), "{:?}", case.plan());
    for otadata in [region(0xd800, 0x1000), region(0xd100, 0x1f00), region(0xd000, 0x1000)] {
        case.table[1].region = otadata;
        assert_eq!(case.codes(), ["nothing-to-start"], "{otadata}");
    }
    case.table.remove(1);
    assert_eq!(case.codes(), ["nothing-to-start"]);
}

/// An erase of the file's last sector would take what begins in it.
#[test]
fn a_file_spares_the_partition_that_begins_in_its_last_sector() {
    let mut case = roomy();
    let data = Artifact { dest: Some(region(0x40_0000, 0x1800)), ..other("data") };
    case.artifacts.push(Artifact { len_bytes: Some(0x1800), ..data });
    case.table.push(partition("files", PartitionType::Data, subtype::FAT, 0x40_1800, 0x1000));
    assert_eq!(case.codes(), ["over-kept"]);
    case.table.last_mut().unwrap().region = region(0x40_2000, 0x1000);
    assert!(case.plan().is_ok());
}

/// Its second sector is where the migrator begins: to write it is to erase the running code.
#[test]
fn otadata_that_an_app_lies_over_is_not_written() {
    let mut case = roomy();
    case.running = "ota_1";
    case.with(|_, facts| assert_eq!(facts.otadata(), Some(region(0xd000, 0x2000))));
    let running = case.table.iter().find(|p| p.ota_index() == Some(1)).unwrap().region;
    case.table[1].region = region(running.start().get() - 0x1000, 0x2000);
    case.with(|_, facts| assert_eq!(facts.otadata(), None));
}

#[test]
fn nothing_is_put_over_a_table_elsewhere() {
    for addr in [0x9000, 0xc000, 0xf000] {
        let mut case = roomy();
        case.table_addr = FlashAddr(addr);
        case.table.retain(|p| p.region.start() >= FlashAddr(addr + 0x1000));
        let used = changed(&case);
        let boot = region(0, addr + 0x1000);
        assert!(used.iter().all(|used| !used.overlaps(boot)), "{addr:#x}: {used:?}");
        // The bootloader's region ends before it, whatever was asked for.
        let plan = case.plan().unwrap();
        let commit = plan.steps.iter().find_map(|step| match step {
            Step::Commit { to, .. } => Some(to.erasable),
            _ => None,
        });
        assert!(!commit.unwrap().overlaps(region(addr, 0x1000)), "{addr:#x}");
    }
    let mut case = roomy();
    case.table_addr = FlashAddr(0x1_0000);
    assert!(case.codes().contains(&"over-kept"));
}

/// If the table's address is not known, it may be in the gap before the first partition.
#[test]
fn the_gap_before_the_first_partition_is_left_alone() {
    let mut case = roomy();
    case.table.retain(|p| p.region.start() >= FlashAddr(0x1_0000));
    let used = changed(&case);
    assert!(used.iter().all(|used| used.start() >= FlashAddr(0x1_0000)), "{used:?}");
}

/// Tables of ESP-IDF 5.4 may list the bootloader and themselves.
#[test]
fn the_bootloader_that_a_table_lists_is_what_the_migration_replaces() {
    let primary = |label, kind, start, len| partition(label, kind, subtype::PRIMARY, start, len);
    let table = primary("pt", PartitionType::PARTITION_TABLE, 0x8000, 0x1000);
    let mut case = example();
    case.table.insert(0, table);
    case.table.insert(0, primary("bl", PartitionType::BOOTLOADER, 0, 0x8000));
    assert_safe(&case, &case.plan().unwrap());

    // The table is kept nevertheless, and the permission is asked for once.
    let Some(artifact) = case.artifacts.iter_mut().find(|a| a.role == Role::Bootloader) else {
        panic!("{case:?}")
    };
    artifact.len_bytes = Some(0x8800);
    assert_eq!(case.codes(), ["over-kept"]);

    // An entry of that kind at another address describes no boot area: it is data like any other.
    let mut case = example();
    case.table.push(primary("bl", PartitionType::BOOTLOADER, 0x21_0000, 0x1000));
    case.table.retain(|p| p.ota_index() != Some(1));
    assert!(case.codes().contains(&"over-kept"), "{:?}", case.codes());
}
