//! Dumps of devices in every state of an update.

use std::sync::LazyLock;

use device_sim::{FlashBuilder, OldData, synthetic};
use esp_idf_format::image::FlashMode;
use esp_idf_format::otadata::{OtaEntry, OtaState};
use proptest::prelude::*;

use bootswap_engine::ContainerHeader;
use esp_idf_format::Chip;
use esp_idf_format::image::{FlashSize, ImageError};
use esp_idf_format::partition::PartitionTableError;
use flash_region::{FlashAddr, Region};

use super::*;
use crate::{OwnedArtifact, OwnedIdentity, OwnedMigration, OwnedNetwork, OwnedStaging};
use bootswap_config::LogLevel;
use bootswap_engine::ContainerEntry;
use bootswap_plan::Role;

const CHIP: Chip = Chip::Esp32c3;

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
    read_flash(CHIP, &dump(builder), running)
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
    // What ran before is told by the table alone, which does not change under a migration.
    let [factory, first, second] = ["factory", "ota_0", "ota_1"].map(region);
    assert_eq!(of([None, None]), (factory, 0x8000, None));
    assert_eq!(of([entry(1, OtaState::Valid), None]), (first, 0x9000, Some(factory)));
    assert_eq!(
        of([entry(1, OtaState::Valid), entry(2, OtaState::Valid)]),
        (second, 0xa000, Some(factory))
    );
    // Whatever has been aborted is not started.
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
    // A partition that the migrator is still to come to.
    let found = read(builder(), Some("ota_0")).unwrap();
    assert_eq!((found.facts.running_len_bytes, found.image), (ASSUMED_IMAGE_LEN_BYTES, None));

    let apps: Vec<String> = ["factory", "ota_0", "ota_1"].map(str::to_owned).into();
    let unknown = FactsError::UnknownLabel { label: "ota_2".to_owned(), apps: apps.clone() };
    assert_eq!(read(builder(), Some("ota_2")).unwrap_err(), unknown);
    assert!(unknown.help().contains("factory, ota_0, ota_1"));
    let data = FactsError::NotAnApp { label: "nvs".to_owned(), apps };
    assert_eq!(read(builder(), Some("nvs")).unwrap_err(), data);
}

/// A container with one artifact of that length, its directory saying so or lying.
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
    // One that says that it is longer than the partition is none.
    assert_eq!(with(container(0x1000, 0x10_0000)), 0x8000);
    assert_eq!(with(vec![0xff; 64]), 0x8000);
}

#[test]
fn what_is_no_dump_of_such_a_device_is_refused() {
    let whole = || dump(device().app("factory", &app(0x8000)));
    let cut = &whole()[..0x3f_ffff];
    assert_eq!(
        read_flash(CHIP, cut, None).unwrap_err(),
        FactsError::Length { len_bytes: 0x3f_ffff }
    );
    let error = read_flash(Chip::Esp32s3, &whole(), None).unwrap_err();
    assert_eq!(error, FactsError::Chip { wanted: Chip::Esp32s3, start: FlashAddr(0), found: 5 });
    assert_eq!(
        error.to_string(),
        "the bootloader at 0x0 is for esp32c3, the migration for esp32s3"
    );
    // The other kind of chip has its bootloader at another place.
    let error = read_flash(Chip::Esp32, &whole(), None).unwrap_err();
    assert_eq!(error, FactsError::Chip { wanted: Chip::Esp32, start: FlashAddr(0), found: 5 });

    let with = |at: usize, byte: u8| {
        let mut flash = whole();
        flash[at] = byte;
        read_flash(CHIP, &flash, None).unwrap_err()
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
        matches!(error, FactsError::Table { error: PartitionTableError::BadMagic { .. } }),
        "{error}"
    );
    assert!(error.help().contains("0x8000"));
    let error = with(0x1_0800, 0x5a);
    assert!(matches!(error, FactsError::App { start: FlashAddr(0x1_0000), .. }), "{error}");

    let other = synthetic::app(Chip::Esp32c6, "app", "1.0", 0x8000, 1).unwrap();
    let error = read(device().app("factory", &other), None).unwrap_err();
    assert!(matches!(error, FactsError::AppChip { found: 13, .. }), "{error}");
    assert!(error.to_string().contains("esp32c6"));
}

fn migration(artifacts: Vec<OwnedArtifact>) -> OwnedMigration {
    let mut table = vec![0; 0xc00];
    esp_idf_format::partition::emit(&synthetic::example_partitions(), &mut table).unwrap();
    OwnedMigration {
        chip: CHIP,
        flash_len_bytes: None,
        partition_table: Some(table),
        running: None,
        mcuboot: None,
        artifacts,
        staging: OwnedStaging::Auto,
        allow_test_image: false,
        allow_overwrite: Vec::new(),
        network: OwnedNetwork::default(),
        log_level: LogLevel::default(),
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
    assert_eq!(found.facts.running_len_bytes, ASSUMED_IMAGE_LEN_BYTES);
    // What is embedded comes on top, as far as there is room.
    let found = assumed(&migration(vec![embedded(0x1_0000)])).unwrap();
    let directory = ContainerHeader::directory_len(1).next_multiple_of(16) as u32;
    assert_eq!(found.facts.running_len_bytes, ASSUMED_IMAGE_LEN_BYTES + 0x1_0000 + directory);
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
    /// Dumps with a table and bootloader, everything else being arbitrary at the places that are
    /// read.
    #[test]
    fn no_dump_panics(
        patches in prop::collection::vec((read_place(), any::<u8>()), 0..12),
    ) {
        let mut flash = WHOLE.clone();
        for (at, byte) in patches {
            flash[at] = byte;
        }
        if let Ok(found) = read_flash(CHIP, &flash, None) {
            prop_assert!(found.facts.running_len_bytes <= found.facts.running.len_bytes());
        }
    }
}
