//! New migration files for tables of all kinds.

use super::*;
use crate::judge::{Judge, Judgement};

/// A new migration for that table, and the planner's verdict on it.
fn begun(chip: Chip, table: &str) -> (String, Judgement) {
    let dir = tempfile::tempdir().unwrap();
    let partitions = dir.path().join("partitions.csv");
    fs::write(&partitions, table).unwrap();
    let text = new(chip, &partitions, None, &dir.path().join("new.toml")).unwrap();
    let judgement = Judge::new(dir.path()).judge(&text).judgement;
    (text, judgement)
}

const EXAMPLE: &str = "nvs,data,nvs,0x9000,0x4000\notadata,data,ota,0xd000,0x2000\n\
    phy_init,data,phy,0xf000,0x1000\nfactory,app,factory,0x10000,1M\n\
    ota_0,app,ota_0,,1M\nota_1,app,ota_1,,1M\n";

#[test]
fn the_examples_table_gives_the_examples_map() {
    let (text, judgement) = begun(Chip::Esp32s3, EXAMPLE);
    for line in [
        "chip       = \"esp32s3\"",
        "flash_size = \"4MB\"",
        "running    = \"factory\"",
        "primary   = { offset = 0x10000,  size = 0x100000 }",
        "secondary = { offset = 0x110000, size = 0x100000 }",
        "scratch   = { offset = 0x210000, size = 0x40000 }",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(text.contains("partitions = \"partitions.csv\" "), "{text}");
    assert!(matches!(judgement, Judgement::Safe(_)), "{judgement:?}");
}

#[test]
fn a_table_of_two_apps_gives_its_own() {
    let table = "nvs,data,nvs,0x9000,0x5000\notadata,data,ota,0xe000,0x2000\n\
        app0,app,ota_0,0x10000,0x1E0000\napp1,app,ota_1,,0x1E0000\nspiffs,data,spiffs,,0x20000\n";
    let (text, judgement) = begun(Chip::Esp32c3, table);
    assert!(text.contains("primary   = { offset = 0x10000,  size = 0x1e0000 }"), "{text}");
    assert!(text.contains("secondary = { offset = 0x1f0000, size = 0x1e0000 }"), "{text}");
    // There is no room for a scratch area.
    assert!(text.contains("\n# scratch") && !text.contains("\"scratch\""), "{text}");
    assert!(matches!(judgement, Judgement::Safe(_)), "{judgement:?}");
}

#[test]
fn a_chip_without_wifi_gets_its_files_with_the_migrator() {
    let (text, judgement) = begun(Chip::Esp32h2, EXAMPLE);
    assert!(text.contains("\nfile = \"app_upd.bin\"\n# url"), "{text}");
    assert!(!text.contains("[network]"), "{text}");
    assert!(
        matches!(&judgement, Judgement::Unreadable { field, .. } if field == "app.file"),
        "{judgement:?}"
    );
}

#[test]
fn a_table_without_apps_is_none_to_begin_with() {
    let dir = tempfile::tempdir().unwrap();
    let partitions = dir.path().join("p.csv");
    fs::write(&partitions, "nvs,data,nvs,0x9000,0x4000\n").unwrap();
    let failure = new(Chip::Esp32, &partitions, None, &dir.path().join("new.toml")).unwrap_err();
    assert!(failure.message.contains("no partition for an app"), "{failure}");
    let missing = new(Chip::Esp32, &dir.path().join("none"), None, Path::new("new.toml"));
    assert!(missing.unwrap_err().to_string().contains("none"));
}

#[test]
fn a_table_elsewhere_is_named_by_its_whole_path() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let partitions = there.path().join("p.csv");
    fs::write(&partitions, EXAMPLE).unwrap();
    let text = new(Chip::Esp32, &partitions, None, &here.path().join("new.toml")).unwrap();
    let whole = fs::canonicalize(&partitions).unwrap();
    assert!(text.contains(&format!("partitions = {:?}", whole.to_str().unwrap())), "{text}");
}

#[test]
fn a_bootloader_brings_its_map() {
    let dir = tempfile::tempdir().unwrap();
    let partitions = dir.path().join("partitions.csv");
    fs::write(&partitions, EXAMPLE).unwrap();
    let slot = |start| Region::clamped(FlashAddr(start), 0xf_0000);
    let config = device_sim::McubootConfig {
        primary: slot(0x1_0000),
        secondary: slot(0x12_0000),
        ..device_sim::McubootConfig::example()
    };
    let size = FlashSize::Mb4;
    let file = device_sim::synthetic::mcuboot(Chip::Esp32c3, size, 0x6000, 1, &config).unwrap();
    let bootloader = dir.path().join("boot one.bin");
    fs::write(&bootloader, &file).unwrap();
    let path = dir.path().join("new.toml");
    let text = new(Chip::Esp32c3, &partitions, Some(&bootloader), &path).unwrap();
    for line in ["offset = 0x120000", "size = 0xf0000", "file = \"boot one.bin\""] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let migration = from_text(&text, dir.path()).unwrap();
    assert_eq!(migration.against, [], "{text}");
    assert_eq!(migration.mcuboot.unwrap().secondary, slot(0x12_0000));
    // A bootloader that is not MCUboot has no map.
    let failure = new(Chip::Esp32c3, &partitions, Some(&partitions), &path).unwrap_err();
    assert!(failure.message.contains("nothing in it says"), "{failure}");
}

/// Tables of real devices: of Arduino, of ESP-IDF, of others, with the size of their flash in MB.
const TABLES: [(&str, u32, &str); 8] = [
    (
        "Arduino's for 4 MB",
        4,
        "nvs,data,nvs,0x9000,0x5000\notadata,data,ota,0xe000,0x2000\n\
         app0,app,ota_0,0x10000,0x140000\napp1,app,ota_1,0x150000,0x140000\n\
         spiffs,data,spiffs,0x290000,0x160000\ncoredump,data,coredump,0x3F0000,0x10000\n",
    ),
    (
        "Arduino's with little SPIFFS",
        4,
        "nvs,data,nvs,0x9000,0x5000\notadata,data,ota,0xe000,0x2000\n\
         app0,app,ota_0,0x10000,0x1E0000\napp1,app,ota_1,0x1F0000,0x1E0000\n\
         spiffs,data,spiffs,0x3D0000,0x20000\ncoredump,data,coredump,0x3F0000,0x10000\n",
    ),
    (
        "ESP-IDF's with two slots, large",
        4,
        "nvs,data,nvs,0x9000,0x4000\notadata,data,ota,0xd000,0x2000\n\
         phy_init,data,phy,0xf000,0x1000\n\
         ota_0,app,ota_0,0x10000,1700K\nota_1,app,ota_1,,1700K\n",
    ),
    (
        "two slots and nothing else",
        4,
        "nvs,data,nvs,0x9000,0x4000\notadata,data,ota,0xd000,0x2000\n\
         ota_0,app,ota_0,0x10000,0x1F0000\nota_1,app,ota_1,0x200000,0x200000\n",
    ),
    (
        "two slots in 2 MB",
        2,
        "nvs,data,nvs,0x9000,0x4000\notadata,data,ota,0xd000,0x2000\n\
         ota_0,app,ota_0,0x10000,0xF0000\nota_1,app,ota_1,0x100000,0xF0000\n",
    ),
    (
        "factory alone in 2 MB",
        2,
        "nvs,data,nvs,0x9000,0x6000\nphy_init,data,phy,0xf000,0x1000\n\
         factory,app,factory,0x10000,0x1F0000\n",
    ),
    (
        "one large app of Arduino's",
        4,
        "nvs,data,nvs,0x9000,0x5000\notadata,data,ota,0xe000,0x2000\n\
         app0,app,ota_0,0x10000,0x300000\nspiffs,data,spiffs,0x310000,0xE0000\n\
         coredump,data,coredump,0x3F0000,0x10000\n",
    ),
    (
        "factory and two slots in 8 MB",
        8,
        "nvs,data,nvs,0x9000,0x4000\notadata,data,ota,0xd000,0x2000\n\
         phy_init,data,phy,0xf000,0x1000\n\
         factory,app,factory,0x10000,0x200000\nota_0,app,ota_0,,0x200000\n\
         ota_1,app,ota_1,,0x200000\n\
         storage,data,fat,,0x180000\n",
    ),
];

/// Tables with one partition for apps, and no room for staging.
const CROWDED: [&str; 2] = ["factory alone in 2 MB", "one large app of Arduino's"];

#[test]
fn every_table_begins_with_a_map_that_can_be() {
    for (name, megabytes, table) in TABLES {
        let (text, judgement) = begun(Chip::Esp32c3, table);
        assert!(text.contains(&format!("flash_size = \"{megabytes}MB\"")), "{name}: {text}");
        if CROWDED.contains(&name) {
            // The target's regions are inside of flash and do not overlap, and the file says why it
            // is refused.
            let Judgement::Refused(reasons) = judgement else { panic!("{name}: {judgement:?}") };
            let codes: Vec<&str> = reasons.iter().map(|reason| reason.code).collect();
            assert_eq!(codes, ["no-staging", "no-relocation"], "{name}: {text}");
            let said = "# No map under this table is accepted with the migrator in ";
            assert!(text.contains(said), "{name}: {text}");
        } else {
            assert!(matches!(judgement, Judgement::Safe(_)), "{name}: {judgement:?}\n{text}");
            let said = "# The planner accepts this map with the migrator in ";
            assert!(text.contains(said), "{name}: {text}");
            assert!(!text.contains("It refuses it"), "{name}: {text}");
        }
    }
}

/// Without a network, the files are needed for a verdict, and nothing else is missing.
#[test]
fn only_the_files_are_missing_where_they_travel_with_the_migrator() {
    let (text, judgement) = begun(Chip::Esp32h2, EXAMPLE);
    assert!(matches!(judgement, Judgement::Unreadable { .. }), "{judgement:?}");
    let said = "The planner accepts this map with the migrator in factory, ota_0, ota_1. Name the";
    assert!(text.replace("\n# ", " ").contains(said), "{text}");
}
