//! New migration files for tables of all kinds.

use super::*;

/// A new migration for that table, and what is said about it.
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
    // Nothing is left for a scratch area.
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
    // What is no MCUboot has no map.
    let failure = new(Chip::Esp32c3, &partitions, Some(&partitions), &path).unwrap_err();
    assert!(failure.message.contains("nothing in it says"), "{failure}");
}
