//! Dumps of devices in every state of an update. In one file, though it is long: every test begins
//! with the same dump.

use std::sync::LazyLock;

use device_sim::{FlashBuilder, OldData, synthetic};
use esp_idf_format::image::FlashMode;
use esp_idf_format::otadata::{OtaEntry, OtaState};
use proptest::prelude::*;

use bootswap_engine::ContainerHeader;
use esp_idf_format::image::{FlashSize, ImageError};
use esp_idf_format::partition::{Partition, PartitionTableError};
use esp_idf_format::{Chip, FixedText};
use flash_region::{FlashAddr, Region};

use super::*;
use crate::{
    OwnedArtifact, OwnedIdentity, OwnedMigration, OwnedNetwork, OwnedStaging, SentImage,
    assumed_image_len_bytes,
};
use bootswap_config::LogLevel;
use bootswap_engine::ContainerEntry;
use bootswap_plan::Role;

const CHIP: Chip = Chip::Esp32c3;
/// Assumed length of the migrator.
const LEN_BYTES: u32 = assumed_image_len_bytes(CHIP);

fn app(len_bytes: u32) -> Vec<u8> {
    synthetic::app(CHIP, "app", "1.0", len_bytes, 1).unwrap()
}

/// A device of the example with a bootloader, and noise where nothing else is.
fn device() -> FlashBuilder {
    let bootloader = synthetic::bootloader(CHIP, FlashSize::Mb4, 0x5000, 3).unwrap();
    FlashBuilder::new(CHIP, FlashSize::Mb4)
        .partitions(&synthetic::example_partitions())
        .bootloader(&bootloader)
        .old_data(OldData::Noise { seed: 5 })
}

fn dump(builder: FlashBuilder) -> Vec<u8> {
    builder.build().unwrap().to_bytes()
}

fn read(builder: FlashBuilder, running: Option<&str>) -> Result<FoundFacts, FactsError> {
    read_flash(CHIP, &dump(builder), None, running)
}

fn entry(seq: u32, state: OtaState) -> Option<OtaEntry> {
    Some(OtaEntry::new(seq, state))
}

fn region(label: &str) -> Region {
    let partitions = synthetic::example_partitions();
    partitions.iter().find(|p| p.label.as_str() == Some(label)).unwrap().region
}

#[test]
fn a_new_device_runs_the_factory_app() {
    let found = read(device().app("factory", &app(0x8000)), None).unwrap();
    let facts = &found.facts;
    assert_eq!((facts.chip, facts.flash_len_bytes), (CHIP, 0x40_0000));
    assert_eq!(facts.partitions, synthetic::example_partitions());
    assert_eq!((facts.running, facts.running_len_bytes), (region("factory"), 0x8000));
    assert_eq!(facts.previous, None);
    assert_eq!(facts.bootloader_flash_len_bytes, Some(0x40_0000));
    assert_eq!(facts.bootloader_flash_mode, Some(FlashMode::Dio));
    assert!(!facts.secure_boot && !facts.flash_encryption);
    assert_eq!(found.image.unwrap().app_desc.unwrap().project_name.as_str(), Some("app"));
}

#[test]
fn otadata_decides_what_runs() {
    let updated = || {
        device().app("factory", &app(0x8000)).app("ota_0", &app(0x9000)).app("ota_1", &app(0xa000))
    };
    let of = |entries| {
        let facts = read(updated().otadata(entries), None).unwrap().facts;
        (facts.running, facts.running_len_bytes, facts.previous)
    };
    // The table alone decides what ran before, and it does not change during a migration.
    let [factory, first, second] = ["factory", "ota_0", "ota_1"].map(region);
    assert_eq!(of([None, None]), (factory, 0x8000, None));
    assert_eq!(of([entry(1, OtaState::Valid), None]), (first, 0x9000, Some(factory)));
    assert_eq!(
        of([entry(1, OtaState::Valid), entry(2, OtaState::Valid)]),
        (second, 0xa000, Some(factory))
    );
    // An app whose update was aborted is not started.
    assert_eq!(
        of([entry(1, OtaState::Valid), entry(2, OtaState::Aborted)]),
        (first, 0x9000, Some(factory))
    );
}

#[test]
fn a_slot_without_image_is_passed_over() {
    let builder = device().app("factory", &app(0x8000)).otadata([entry(2, OtaState::Valid), None]);
    let facts = read(builder, None).unwrap().facts;
    assert_eq!((facts.running, facts.previous), (region("factory"), None));
}

#[test]
fn a_label_decides_whatever_otadata_says() {
    let builder = || device().app("factory", &app(0x8000)).app("ota_1", &app(0xa000));
    let facts = read(builder(), Some("ota_1")).unwrap().facts;
    assert_eq!((facts.running, facts.running_len_bytes), (region("ota_1"), 0xa000));
    assert_eq!(facts.previous, Some(region("factory")));
    // A partition that the migrator is not in yet.
    let found = read(builder(), Some("ota_0")).unwrap();
    assert_eq!((found.facts.running_len_bytes, found.image), (LEN_BYTES, None));

    let apps: Vec<String> = ["factory", "ota_0", "ota_1"].map(str::to_owned).into();
    let unknown = FactsError::UnknownLabel { label: "ota_2".to_owned(), apps: apps.clone() };
    assert_eq!(read(builder(), Some("ota_2")).unwrap_err(), unknown);
    assert!(unknown.help().contains("factory, ota_0, ota_1"));
    let data = FactsError::NotAnApp { label: "nvs".to_owned(), apps };
    assert_eq!(read(builder(), Some("nvs")).unwrap_err(), data);
}

/// As on the device, which knows where its image begins, but not its label.
#[test]
fn of_two_apps_that_begin_together_the_last_one_runs() {
    let mut partitions = synthetic::example_partitions();
    let factory = partitions[3];
    let twin = Partition { label: FixedText::new("twin").unwrap(), ..factory };
    partitions.push(Partition { region: factory.region.prefix(0x8_0000), ..twin });
    let mut table: Vec<u8> = partitions.iter().flat_map(Partition::to_bytes).collect();
    table.resize(0xc00, 0xff);
    let builder = || device().raw_table(&table).unwrap().app("factory", &app(0x8000));
    for label in [None, Some("factory"), Some("twin")] {
        let found = read(builder(), label).unwrap();
        assert_eq!(found.running.as_str(), Some("twin"), "{label:?}");
        assert_eq!(found.facts.running, partitions[6].region, "{label:?}");
    }
}

/// A container with one artifact of that length, whose directory may state a wrong length.
fn container(len_bytes: u32, claimed_len_bytes: u32) -> Vec<u8> {
    let directory = ContainerHeader::directory_len(1);
    let entry = ContainerEntry::new("app", directory as u32, len_bytes, [0; 32]).unwrap();
    let header =
        ContainerHeader { entries: [entry].into_iter().collect(), len_bytes: claimed_len_bytes };
    let mut bytes = vec![0; directory + len_bytes as usize];
    header.emit(&mut bytes).unwrap();
    bytes
}

#[test]
fn embedded_artifacts_are_part_of_the_running_image() {
    let directory = ContainerHeader::directory_len(1) as u32;
    let with = |container: Vec<u8>| {
        let image = [app(0x8000), container].concat();
        read(device().app("factory", &image), None).unwrap().facts.running_len_bytes
    };
    assert_eq!(with(container(0x1000, directory + 0x1000)), 0x8000 + directory + 0x1000);
    // A container that claims to be longer than the partition is not accepted.
    assert_eq!(with(container(0x1000, 0x10_0000)), 0x8000);
    assert_eq!(with(vec![0xff; 64]), 0x8000);
}

#[test]
fn what_is_no_dump_of_such_a_device_is_refused() {
    let whole = || dump(device().app("factory", &app(0x8000)));
    let cut = &whole()[..0x3f_ffff];
    assert_eq!(
        read_flash(CHIP, cut, None, None).unwrap_err(),
        FactsError::CutOff { len_bytes: 0x3f_ffff, wanted: FlashSize::Mb4 }
    );
    let error = read_flash(CHIP, &whole()[..0x20_0000], None, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the dump is cut off: it has 0x200000 bytes, and the bootloader in it is built for 4MB"
    );
    let long = [whole(), vec![0xff; 1]].concat();
    let error = read_flash(CHIP, &long, None, None).unwrap_err();
    assert_eq!(error, FactsError::Length { len_bytes: 0x40_0001 });
    let error = read_flash(Chip::Esp32s3, &whole(), None, None).unwrap_err();
    assert_eq!(error, FactsError::Chip { wanted: Chip::Esp32s3, start: FlashAddr(0), found: 5 });
    assert_eq!(
        error.to_string(),
        "the bootloader at 0x0 is for esp32c3, the migration for esp32s3"
    );
    // The other kind of chip has its bootloader at another address.
    let error = read_flash(Chip::Esp32, &whole(), None, None).unwrap_err();
    assert_eq!(error, FactsError::Chip { wanted: Chip::Esp32, start: FlashAddr(0), found: 5 });

    let with = |at: usize, byte: u8| {
        let mut flash = whole();
        flash[at] = byte;
        read_flash(CHIP, &flash, None, None).unwrap_err()
    };
    assert!(matches!(
        with(0, 0xff),
        FactsError::Bootloader { error: ImageError::BadMagic { .. }, .. }
    ));
    assert!(matches!(
        with(0x100, 0x5a),
        FactsError::Bootloader { error: ImageError::Checksum { .. }, .. }
    ));
    let error = with(0x8000, 0xff);
    assert!(
        matches!(error, FactsError::Table { error: PartitionTableError::BadMagic { .. }, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("0x8000"));
    assert!(error.help().contains("partition_table_offset"));
    let error = with(0x1_0800, 0x5a);
    assert!(matches!(error, FactsError::App { start: FlashAddr(0x1_0000), .. }), "{error}");

    let other = synthetic::app(Chip::Esp32c6, "app", "1.0", 0x8000, 1).unwrap();
    let error = read(device().app("factory", &other), None).unwrap_err();
    assert!(matches!(error, FactsError::AppChip { found: 13, .. }), "{error}");
    assert!(error.to_string().contains("esp32c6"));
}

/// The example's table, with everything moved by this many bytes.
fn moved(by: u32) -> Vec<Partition> {
    let mut partitions = synthetic::example_partitions();
    for partition in &mut partitions {
        let start = partition.region.start().saturating_add(by);
        partition.region = Region::clamped(start, partition.region.len_bytes());
    }
    partitions
}

/// `CONFIG_PARTITION_TABLE_OFFSET` is in none of a project's files, so it must be read from a
/// device.
#[test]
fn the_table_is_found_where_the_bootloader_can_have_it() {
    let whole = synthetic::bootloader(CHIP, FlashSize::Mb8, 0x6000, 3).unwrap();
    let partitions = moved(0x1_0000);
    let device = |table_addr, bootloader: &[u8]| {
        FlashBuilder::new(CHIP, FlashSize::Mb8)
            .table_addr(FlashAddr(table_addr))
            .partitions(&partitions)
            .bootloader(bootloader)
            .old_data(OldData::Noise { seed: 5 })
            .app("factory", &app(0x8000))
    };
    for addr in [0xc000, 0xf000, 0x1_0000, 0x1_8000] {
        let found = read(device(addr, &whole), None).unwrap();
        let facts = &found.facts;
        assert_eq!((facts.table_addr, facts.other_table_addr), (FlashAddr(addr), None));
        assert_eq!((facts.running, &facts.partitions), (partitions[3].region, &partitions));
        assert_eq!(found.warnings, []);
    }
    // A copy after the table, as firmware has that can change the table, is not used.
    let mut table = vec![0; 0xc00];
    esp_idf_format::partition::emit(&partitions, &mut table).unwrap();
    let copy = device(0xc000, &whole).data(FlashAddr(0x2_8000), &table);
    assert_eq!(read(copy, None).unwrap().facts.table_addr, FlashAddr(0xc000));
    // If two tables are possible, neither is used unless an address is given.
    let two = || device(0xc000, &whole).data(FlashAddr(0x1_0000), &table);
    let facts = read(two(), None).unwrap().facts;
    assert_eq!(facts.other_table_addr, Some(FlashAddr(0x1_0000)));
    let named = Some(FlashAddr(0x1_0000));
    let facts = read_flash(CHIP, &dump(two()), named, None).unwrap().facts;
    assert_eq!((facts.table_addr, facts.other_table_addr), (FlashAddr(0x1_0000), None));
    // A table that is named wrongly is found nevertheless.
    let named = Some(FlashAddr(0x9000));
    let facts = read_flash(CHIP, &dump(device(0xf000, &whole)), named, None).unwrap().facts;
    assert_eq!(facts.table_addr, FlashAddr(0xf000));
}

/// A table that ESP-IDF's tools refuse but its bootloader accepts is read, with a warning.
#[test]
fn a_table_that_booted_is_read_as_it_booted() {
    type Change = fn(&mut Vec<Partition>);
    let entries = |change: Change| {
        let mut entries = synthetic::example_partitions();
        change(&mut entries);
        let mut table: Vec<u8> = entries.iter().flat_map(Partition::to_bytes).collect();
        table.resize(0xc00, 0xff);
        table
    };
    let changes: [(Change, usize); 5] = [
        (|e| e[0].region = Region::clamped(FlashAddr(0x9100), 0x3000), 1),
        (|e| e[0].region = Region::clamped(FlashAddr(0x9000), 0x5000), 1),
        (|e| e[2].label = e[0].label, 1),
        (|e| e.push(e[5]), 3),
        (|e| e[5].subtype = e[4].subtype, 1),
    ];
    for (index, (change, warnings)) in changes.into_iter().enumerate() {
        let bootloader = synthetic::bootloader(CHIP, FlashSize::Mb4, 0x5000, 3).unwrap();
        let device = FlashBuilder::new(CHIP, FlashSize::Mb4)
            .raw_table(&entries(change))
            .unwrap()
            .bootloader(&bootloader)
            .app("factory", &app(0x8000));
        let found = read(device, None).unwrap();
        assert_eq!(found.running.as_str(), Some("factory"), "{index}");
        assert_eq!(found.warnings.len(), warnings, "{index}: {:?}", found.warnings);
        for warning in found.warnings {
            assert!(matches!(warning, FactsWarning::Table { .. }));
            assert!(warning.to_string().contains("left alone"), "{warning}");
        }
    }
}

/// Tools that adapt the flash size in the header leave the old SHA-256 after the image.
#[test]
fn a_bootloader_with_a_changed_header_is_taken_as_the_rom_takes_it() {
    let mut bootloader = synthetic::bootloader(CHIP, FlashSize::Mb2, 0x5000, 3).unwrap();
    bootloader[3] = (bootloader[3] & 0xf) | (FlashSize::Mb4.raw() << 4);
    let changed = device().bootloader(&bootloader).app("factory", &app(0x8000));
    let found = read(changed, None).unwrap();
    assert_eq!(found.facts.bootloader_flash_len_bytes, Some(0x40_0000));
    let [warning] = found.warnings.as_slice() else { panic!("{:?}", found.warnings) };
    assert!(matches!(warning, FactsWarning::Digest { start: FlashAddr(0), .. }), "{warning}");
    assert!(warning.to_string().contains("starts it nevertheless"), "{warning}");
}

fn migration(artifacts: Vec<OwnedArtifact>) -> OwnedMigration {
    let mut table = vec![0; 0xc00];
    esp_idf_format::partition::emit(&synthetic::example_partitions(), &mut table).unwrap();
    OwnedMigration {
        chip: CHIP,
        flash_len_bytes: None,
        table_addr: None,
        partition_table: Some(table),
        running: None,
        mcuboot: None,
        artifacts,
        commit: bootswap_plan::CommitWay::Replace,
        staging: OwnedStaging::Auto,
        allow_test_image: false,
        allow_overwrite: Vec::new(),
        network: OwnedNetwork::default(),
        log_level: LogLevel::default(),
        against: Vec::new(),
        assumed: Vec::new(),
        identity: OwnedIdentity::default(),
    }
}

fn embedded(len: usize) -> OwnedArtifact {
    OwnedArtifact {
        name: "app".to_owned(),
        role: Role::Application,
        url: None,
        bytes: Some(vec![0; len]),
        dest: None,
        region_len_bytes: None,
        content: None,
        confirm: false,
    }
}

#[test]
fn without_a_dump_the_migration_says_what_there_is() {
    let found = assumed(&migration(Vec::new())).unwrap();
    assert_eq!(found.running.as_str(), Some("factory"));
    assert_eq!(found.facts.flash_len_bytes, ASSUMED_FLASH_SIZE.bytes());
    assert_eq!(found.facts.running_len_bytes, LEN_BYTES);
    // Embedded artifacts are added, as far as there is room.
    let found = assumed(&migration(vec![embedded(0x1_0000)])).unwrap();
    let directory = ContainerHeader::directory_len(1).next_multiple_of(16) as u32;
    assert_eq!(found.facts.running_len_bytes, LEN_BYTES + 0x1_0000 + directory);
    let found = assumed(&migration(vec![embedded(0x10_0000)])).unwrap();
    assert_eq!(found.facts.running_len_bytes, 0x10_0000);

    let elsewhere = OwnedMigration { running: Some("ota_1".to_owned()), ..migration(Vec::new()) };
    assert_eq!(assumed(&elsewhere).unwrap().facts.running, region("ota_1"));
    let nowhere = OwnedMigration { partition_table: None, ..migration(Vec::new()) };
    assert_eq!(assumed(&nowhere).unwrap_err(), FactsError::NoTable);
}

/// An offset in a part of a dump that is read.
fn read_place() -> impl Strategy<Value = usize> {
    prop_oneof![0usize..0x100, 0x8000usize..0x8c00, 0xd000usize..0xf000, 0x1_0000usize..0x1_0200]
}

static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| dump(device().app("factory", &app(0x1000))));

proptest! {
    /// Dumps with a table and bootloader, and arbitrary bytes at the other places that are read.
    #[test]
    fn no_dump_panics(
        patches in prop::collection::vec((read_place(), any::<u8>()), 0..12),
    ) {
        let mut flash = WHOLE.clone();
        for (at, byte) in patches {
            flash[at] = byte;
        }
        if let Ok(found) = read_flash(CHIP, &flash, None, None) {
            prop_assert!(found.facts.running_len_bytes <= found.facts.running.len_bytes());
        }
    }
}

/// A placeholder for the migrator, which behaves like a real one of that length.
fn sent(len_bytes: u32) -> SentImage {
    SentImage::packed(CHIP, &app(len_bytes)).unwrap()
}

/// Labels of the partitions that the migrator is delivered to, the most important one first.
fn brought(builder: FlashBuilder, running: Option<&str>) -> Result<Vec<String>, FactsError> {
    let delivered = deliver(CHIP, &dump(builder), None, running, &sent(0x4000))?;
    assert!(delivered.iter().all(Delivered::fits));
    Ok(delivered.iter().map(|d| d.partition.label.to_string()).collect())
}

#[test]
fn an_update_goes_to_the_slot_after_the_running_one() {
    let old = || ["factory", "ota_0", "ota_1"].iter().fold(device(), |d, l| d.app(l, &app(0x8000)));
    // From factory to the first slot, from the last one to the first again.
    for (entries, first) in [
        ([None, None], "ota_0"),
        ([entry(1, OtaState::Valid), None], "ota_1"),
        ([entry(1, OtaState::Valid), entry(2, OtaState::Undefined)], "ota_0"),
        // Slot 1 was aborted, so that slot 0 runs.
        ([entry(1, OtaState::Valid), entry(2, OtaState::Aborted)], "ota_1"),
    ] {
        let labels = brought(old().otadata(entries), None).unwrap();
        assert_eq!((labels[0].as_str(), labels.len()), (first, 3), "{entries:?}");
    }
    assert_eq!(brought(old(), Some("factory")).unwrap(), ["factory"]);
    let delivered = deliver(CHIP, &dump(old()), None, None, &sent(0x4000)).unwrap();
    let next: Vec<bool> = delivered.iter().map(|delivered| delivered.is_next).collect();
    assert_eq!(next, [true, false, false]);
}

#[test]
fn an_update_leaves_a_new_app_and_the_entry_before_it() {
    let before = [entry(5, OtaState::Valid), entry(4, OtaState::Valid)];
    let builder = || device().app("factory", &app(0x8000)).app("ota_0", &app(0x9000));
    let old = dump(builder().otadata(before));
    let delivered = deliver(CHIP, &old, None, None, &sent(0x4000)).unwrap();
    let first = &delivered[0];
    assert_eq!(first.partition.label.as_str(), Some("ota_1"));
    let sectors = [0xd000, 0xe000].map(|at| OtaEntry::parse(&first.flash[at..]));
    assert_eq!(sectors, [Ok(before[0].unwrap()), Ok(OtaEntry::new(6, OtaState::New))]);
    // The migrator is in the sectors that it needs; everything else is unchanged.
    assert_eq!(first.flash[0x21_0000..0x21_4000], app(0x4000));
    assert_eq!(first.flash[0x21_4000..], old[0x21_4000..]);
    assert_eq!(first.flash[..0xe000], old[..0xe000]);
    assert_eq!(first.flash[0x1_0000..0x21_0000], old[0x1_0000..0x21_0000]);
    let facts = &first.found.facts;
    assert_eq!((facts.running, facts.running_len_bytes), (region("ota_1"), 0x4000));
    // The bootloader starts the factory app because of an erased otadata.
    let delivered = deliver(CHIP, &old, None, Some("factory"), &sent(0x4000)).unwrap();
    assert!(delivered[0].flash[0xd000..0xf000].iter().all(|byte| *byte == 0xff));
}

/// An app in a dump is the old app, even if it has the migrator's name.
#[test]
fn an_old_app_is_never_taken_for_the_migrator() {
    let old = synthetic::app(CHIP, "bootswap", "1.0", 0x9_0000, 1).unwrap();
    let old = dump(device().app("factory", &old).app("ota_1", &old));
    for label in ["factory", "ota_0", "ota_1"] {
        let delivered = deliver(CHIP, &old, None, Some(label), &sent(0x4000)).unwrap();
        let found = &delivered[0].found;
        assert_eq!((found.facts.running, found.facts.running_len_bytes), (region(label), 0x4000));
        assert_eq!(found.image.as_ref(), Some(&delivered[0].image));
    }
}

#[test]
fn where_no_update_comes_is_told() {
    // More bytes than its partition has.
    let delivered =
        deliver(CHIP, &dump(device().app("factory", &app(0x8000))), None, None, &sent(0x10_0010));
    let delivered = delivered.unwrap();
    assert_eq!(delivered.iter().filter(|delivered| delivered.fits()).count(), 0);
    assert_eq!(delivered[0].found.facts.running_len_bytes, 0x10_0010);
    assert_eq!(delivered[0].flash, dump(device().app("factory", &app(0x8000))));
    // Without otadata the bootloader always starts the factory app.
    let mut partitions = synthetic::example_partitions();
    partitions.remove(1);
    let bare = || device().partitions(&partitions).app("factory", &app(0x8000));
    assert_eq!(brought(bare(), None).unwrap(), ["factory"]);
    let error = brought(bare(), Some("ota_1")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an update cannot install the migrator in ota_1: the bootloader would start factory"
    );
    // The only slot contains the running app, and no app overwrites itself.
    let mut partitions = synthetic::example_partitions();
    partitions.truncate(5);
    let single =
        device().partitions(&partitions).app("ota_0", &app(0x8000)).app("factory", &app(0x100));
    let single = single.otadata([entry(1, OtaState::Valid), None]);
    let delivered = deliver(CHIP, &dump(single), None, None, &sent(0x4000)).unwrap();
    assert!(delivered.iter().all(|delivered| !delivered.is_next));
    // There is no sequence number left for another entry.
    let builder =
        device().app("factory", &app(0x8000)).otadata([entry(u32::MAX - 1, OtaState::Valid), None]);
    let error = brought(builder, Some("ota_1")).unwrap_err();
    assert!(matches!(error, FactsError::Otadata { .. }), "{error}");
}

#[test]
fn a_device_that_its_bootloader_does_not_start_is_refused() {
    let mut whole = dump(device().app("factory", &app(0x8000)));
    assert_eq!(whole[2..4], [FlashMode::Dio.raw(), FlashSize::Mb4.raw() << 4], "mode and size");
    let read = |flash: &[u8]| read_flash(CHIP, flash, None, None).map(|found| found.running);
    assert!(read(&whole).is_ok());

    // 2 MB, and a size that no bootloader knows, which is taken for 2 MB.
    for size in [FlashSize::Mb2.raw(), 0xf] {
        whole[3] = size << 4;
        let FactsError::BeyondHeader { label, header, .. } = read(&whole).unwrap_err() else {
            panic!("{:?}", read(&whole));
        };
        assert_eq!((label.as_str(), header), (Some("ota_0"), FlashSize::Mb2));
    }
    whole[3] = FlashSize::Mb4.raw() << 4;

    whole[2] = 9;
    let error = read(&whole).unwrap_err();
    assert_eq!(error, FactsError::FlashMode { start: FlashAddr(0), number: 9 });
    whole[2] = FlashMode::Dio.raw();

    // The entry, in no segment.
    whole[4..8].fill(0);
    let error = read(&whole).unwrap_err();
    assert!(matches!(error, FactsError::Bootloader { error: ImageError::Rom(_), .. }), "{error}");
}
