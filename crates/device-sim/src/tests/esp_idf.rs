//! Which app the ESP-IDF bootloader starts.

use esp_idf_format::otadata::{BootSlot, ENTRY_LEN_BYTES, OtaEntry, OtaState};
use esp_idf_format::partition::{Partition, PartitionTableError, TABLE_ADDR};
use nor_sim::{EraseUnit, NorDevice, PowerCut};

use super::*;

const OTADATA: [FlashAddr; 2] = [FlashAddr(0xd000), FlashAddr(0xe000)];
const OTA_0: FlashAddr = FlashAddr(0x11_0000);

/// The flash with an app in every slot and these entries.
fn three_apps(entries: [Option<OtaEntry>; 2]) -> FlashBuilder {
    flash().app("ota_0", &app("ota_0")).app("ota_1", &app("ota_1")).otadata(entries)
}

fn entry(seq: u32, state: OtaState) -> Option<OtaEntry> {
    Some(OtaEntry::new(seq, state))
}

fn entry_in_flash(device: &Device<NorMemory>, index: usize) -> Option<OtaEntry> {
    let bytes = device.memory().bytes(Region::clamped(OTADATA[index], ENTRY_LEN_BYTES as u32));
    OtaEntry::parse(&bytes).ok()
}

fn esp_idf_failure(device: &mut Device<NorMemory>) -> EspIdfFailure {
    match failure(device) {
        BootFailure::EspIdf(why) => why,
        other => panic!("{other}"),
    }
}

#[test]
fn otadata_selects_the_slot() {
    let undefined = OtaState::Undefined;
    for (entries, expected) in [
        ([None, None], "factory"),
        ([entry(1, undefined), None], "ota_0"),
        ([entry(1, undefined), entry(2, undefined)], "ota_1"),
        ([entry(3, undefined), entry(2, undefined)], "ota_0"),
        ([entry(3, OtaState::Invalid), entry(2, undefined)], "ota_1"),
        ([entry(3, OtaState::Aborted), entry(2, OtaState::Invalid)], "factory"),
    ] {
        let memory = three_apps(entries).build().unwrap();
        assert_eq!(name_of_running(&mut device(memory)), expected, "{entries:?}");
    }
}

#[test]
fn the_app_learns_which_slot_was_started() {
    let memory = three_apps([None, entry(2, OtaState::Valid)]).build().unwrap();
    let mut seen = None;
    let mut software = |app: &RunningApp, machine: Machine<'_>| {
        assert_eq!(machine.board.chip(), CHIP);
        seen = Some(app.clone());
        AppExit::Stay
    };
    device(memory).boot(&mut software, &mut ());
    let seen = seen.unwrap();
    assert_eq!((seen.slot, seen.ota_state), (BootSlot::Ota(1), Some(OtaState::Valid)));
    assert_eq!(seen.code(), region(0x21_0000, 0x6000));
    assert_eq!(seen.to_string(), "ota_1 1.0 in ota_1");
}

#[test]
fn a_damaged_app_is_skipped() {
    let selected = [None, entry(2, OtaState::Valid)];
    // From the selected slot downwards to the factory app, then upwards.
    let mut damaged: Vec<u32> = Vec::new();
    for (expected, next) in [("ota_1", 0x21_0000), ("ota_0", 0x11_0000), ("factory", 0x1_0000)] {
        let mut memory = three_apps(selected).build().unwrap();
        for addr in &damaged {
            memory.program_page(FlashAddr(addr + 0x2000), &[0; 16]).unwrap();
        }
        assert_eq!(name_of_running(&mut device(memory)), expected);
        damaged.push(next);
    }
    let mut memory = three_apps(selected).build().unwrap();
    for addr in damaged {
        memory.program_page(FlashAddr(addr), &[0]).unwrap();
    }
    assert_eq!(esp_idf_failure(&mut device(memory)), EspIdfFailure::NoBootableApp);
}

#[test]
fn slots_after_the_selected_one_are_tried_after_the_factory_app() {
    let mut memory = three_apps([entry(1, OtaState::Valid), None]).build().unwrap();
    memory.program_page(OTA_0, &[0]).unwrap();
    memory.program_page(FlashAddr(0x1_0000), &[0]).unwrap();
    let mut lines = Vec::new();
    let life = device(memory).live(1, &mut stay, &mut lines);
    assert_eq!(life.outcome.to_string(), "old firmware running: ota_1 1.0 in ota_1");
    let refused: Vec<String> = lines
        .iter()
        .filter(|line| matches!(line.event, DeviceEvent::NotBootable { .. }))
        .map(|line| line.event.to_string())
        .collect();
    assert_eq!(refused.len(), 2);
    assert!(refused[0].starts_with("boot: OTA app partition slot 0 is not bootable"));
    assert!(refused[1].starts_with("boot: Factory app partition is not bootable"));
}

#[test]
fn an_app_for_another_chip_is_skipped() {
    let other = synthetic::app(Chip::Esp32c3, "ota_0", "1.0", 0x6000, 1).unwrap();
    let memory = flash().app("ota_0", &other).select_ota(0, OtaState::Undefined).build().unwrap();
    assert_eq!(name_of_running(&mut device(memory)), "factory");
}

#[test]
fn an_app_that_is_longer_than_its_partition_is_skipped() {
    let mut memory =
        flash().app("ota_0", &app("ota_0")).select_ota(0, OtaState::Undefined).build().unwrap();
    let long = synthetic::app(CHIP, "long", "1", 0x10_0010, 1).unwrap();
    memory.load(OTA_0, &long);
    assert_eq!(name_of_running(&mut device(memory.clone())), "factory");
    memory.load(OTA_0, &synthetic::app(CHIP, "full", "1", 0x10_0000, 1).unwrap());
    assert_eq!(name_of_running(&mut device(memory)), "full");
}

/// After a torn update of otadata, the old slot or the new one is started.
#[test]
fn torn_otadata_selects_old_or_new() {
    let before = three_apps([entry(1, OtaState::Valid), None]).build().unwrap();
    let mut seen = Vec::new();
    for cut in (0..2).flat_map(cuts_at) {
        let mut flash = PowerCut::new(before.clone()).with(cut);
        let update = OtaEntry::new(2, OtaState::Undefined).to_bytes();
        let _ = flash.erase(EraseUnit::Sector4K, OTADATA[1]);
        let _ = flash.program_page(OTADATA[1], &update);
        seen.push(name_of_running(&mut device(flash.into_inner())));
    }
    assert!(seen.iter().all(|name| name == "ota_0" || name == "ota_1"), "{seen:?}");
    assert!(seen.iter().any(|name| name == "ota_0") && seen.iter().any(|name| name == "ota_1"));
}

#[test]
fn a_trial_is_over_with_the_first_reset() {
    let memory = three_apps([entry(1, OtaState::Valid), entry(2, OtaState::New)]).build().unwrap();
    let mut device = Device::new(board(true), memory);
    assert_eq!(name_of_running(&mut device), "ota_1");
    assert_eq!(entry_in_flash(&device, 1), entry(2, OtaState::PendingVerify));
    assert_eq!(name_of_running(&mut device), "ota_0");
    assert_eq!(entry_in_flash(&device, 1), entry(2, OtaState::Aborted));
    assert_eq!(entry_in_flash(&device, 0), entry(1, OtaState::Valid));
    assert_eq!(name_of_running(&mut device), "ota_0");
}

#[test]
fn an_app_that_confirms_stays() {
    let memory = three_apps([entry(1, OtaState::Valid), entry(2, OtaState::New)]).build().unwrap();
    let mut device = Device::new(board(true), memory);
    let mut confirm = |app: &RunningApp, machine: Machine<'_>| {
        assert_eq!(app.ota_state, Some(OtaState::PendingVerify));
        machine.flash.erase(EraseUnit::Sector4K, OTADATA[1]).unwrap();
        let valid = OtaEntry::new(2, OtaState::Valid).to_bytes();
        machine.flash.program_page(OTADATA[1], &valid).unwrap();
        AppExit::Reset
    };
    assert_eq!(device.boot(&mut confirm, &mut ()), BootOutcome::Reset(ResetCause::Software));
    assert_eq!(name_of_running(&mut device), "ota_1");
}

#[test]
fn without_rollback_states_are_left_alone() {
    let entries = [entry(1, OtaState::Valid), entry(2, OtaState::New)];
    let mut device = device(three_apps(entries).build().unwrap());
    for _ in 0..2 {
        assert_eq!(name_of_running(&mut device), "ota_1");
    }
    assert_eq!([entry_in_flash(&device, 0), entry_in_flash(&device, 1)], entries);
    assert_eq!(device.supply().ops(), 0);
}

/// Power is lost while the bootloader itself writes otadata: some app always starts.
#[test]
fn power_lost_in_the_bootloader_leaves_an_app() {
    for entries in [
        [entry(1, OtaState::Valid), entry(2, OtaState::New)],
        [entry(1, OtaState::Valid), entry(2, OtaState::PendingVerify)],
        [entry(1, OtaState::New), entry(2, OtaState::PendingVerify)],
    ] {
        let memory = three_apps(entries).build().unwrap();
        let mut ops = Device::new(board(true), memory.clone());
        ops.boot(&mut stay, &mut ());
        assert!(ops.supply().ops() >= 2);
        for cut in (0..ops.supply().ops()).flat_map(cuts_at) {
            let mut device = Device::new(board(true), memory.clone()).with_cut(cut);
            let life = device.live(4, &mut stay, &mut ());
            assert_eq!(life.power_losses, 1, "{cut:?}");
            assert!(life.outcome.is_alive(), "{entries:?} {cut:?}: {}", life.outcome);
        }
    }
}

/// Without a factory app, the first boot records which slot it has started.
#[test]
fn without_factory_app_the_first_boot_writes_otadata() {
    let partitions: Vec<Partition> = synthetic::example_partitions()
        .into_iter()
        .filter(|partition| !partition.is_factory())
        .collect();
    let build = || {
        FlashBuilder::new(CHIP, FlashSize::Mb4)
            .partitions(&partitions)
            .bootloader(&old_bootloader())
            .app("ota_1", &app("ota_1"))
    };
    let mut device = device(build().build().unwrap());
    assert_eq!(name_of_running(&mut device), "ota_1");
    assert_eq!(entry_in_flash(&device, 0), entry(2, OtaState::Valid));

    // An entry that is damaged but not erased is left alone.
    let garbage = build().data(OTADATA[0], &[0x55; 32]).build().unwrap();
    let mut damaged = super::device(garbage);
    assert_eq!(name_of_running(&mut damaged), "ota_1");
    assert_eq!(damaged.supply().ops(), 0);
}

#[test]
fn a_bad_partition_table_starts_nothing() {
    let mut memory = flash().build().unwrap();
    memory.program_page(TABLE_ADDR, &[0xff, 0xff, 0xff, 0xff, 0xff, 0]).unwrap();
    let why = esp_idf_failure(&mut device(memory.clone()));
    assert!(matches!(why, EspIdfFailure::PartitionTable(PartitionTableError::Md5 { .. })), "{why}");
    memory.erase(EraseUnit::Sector4K, TABLE_ADDR).unwrap();
    let empty = EspIdfFailure::PartitionTable(PartitionTableError::Empty);
    assert_eq!(esp_idf_failure(&mut device(memory)), empty);
}

#[test]
fn the_table_is_read_where_the_bootloader_was_built_to_read_it() {
    let table_addr = FlashAddr(0xc000);
    let mut partitions = synthetic::example_partitions();
    partitions.retain(|p| p.region.start() > table_addr);
    let bootloader = synthetic::bootloader(CHIP, FlashSize::Mb4, 0xb000, 1).unwrap();
    let memory = FlashBuilder::new(CHIP, FlashSize::Mb4)
        .table_addr(table_addr)
        .partitions(&partitions)
        .bootloader(&bootloader)
        .app("factory", &synthetic::app(CHIP, "x", "1", 0x1000, 1).unwrap())
        .build()
        .unwrap();
    let board = |config| Board::new(CHIP).esp_idf(&bootloader, config).unwrap();
    let moved = board(EspIdfConfig { table_addr, ..EspIdfConfig::default() });
    assert_eq!(name_of_running(&mut Device::new(moved, memory.clone())), "x");
    let why = esp_idf_failure(&mut Device::new(board(EspIdfConfig::default()), memory));
    assert!(matches!(why, EspIdfFailure::PartitionTable(_)), "{why}");
}

/// A bootloader with 2 MB in its header refuses a table that goes past them.
#[test]
fn partitions_have_to_lie_in_the_flash_of_the_bootloaders_header() {
    let small = synthetic::bootloader(CHIP, FlashSize::Mb2, 20_000, 1).unwrap();
    let memory = flash().bootloader(&small).build().unwrap();
    let board = Board::new(CHIP).esp_idf(&small, EspIdfConfig::default()).unwrap();
    let why = esp_idf_failure(&mut Device::new(board, memory));
    let expected =
        "partition ota_0 (app ota_0) at 0x110000..0x210000 exceeds the flash size 0x200000";
    assert!(why.to_string().starts_with(expected), "{why}");
}
