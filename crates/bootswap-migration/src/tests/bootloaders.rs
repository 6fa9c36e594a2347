//! The map compared with what the bootloader's file shows.

use bootswap_plan::Reason;
use device_sim::McubootConfig;
use mcuboot_format::DowngradePrevention;
use mcuboot_format::key::PublicKey;

use super::*;

/// The example on an ESP32-C3, whose code is analysed too, with that bootloader.
fn with(config: &McubootConfig, from: &str, to: &str) -> OwnedMigration {
    let lab = ExampleDir::new();
    let key = config.key.as_ref().map(|_| PrivateKey::ed25519([7; 32]));
    let options = SignOptions {
        padding: Padding::Confirmed,
        key: key.as_ref(),
        ..SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch)
    };
    let payload = synthetic::target_payload(Chip::Esp32c3, 0x2000, 1);
    lab.write("app_upd.bin", &sign(&payload, &options).unwrap());
    lab.write("key.pem", &public_pem());
    let file = synthetic::mcuboot(Chip::Esp32c3, FlashSize::Mb4, 0x6000, 2, config).unwrap();
    lab.write("mcuboot.bin", &file);
    let text = EXAMPLE.replace("esp32s3", "esp32c3");
    assert!(text.contains(from), "{from}");
    lab.load(&text.replacen(from, to, 1)).unwrap()
}

fn own_key() -> PublicKey {
    PrivateKey::ed25519([7; 32]).public_key()
}

#[test]
fn a_map_that_is_the_bootloaders_leaves_nothing_open() {
    let migration = with(&McubootConfig::example(), "", "");
    assert_eq!(migration.against, []);
    assert_eq!(migration.assumed, []);
}

/// Such a bootloader starts nothing before both of its primary slots have an image.
#[test]
fn a_bootloader_for_two_images_is_refused() {
    let record = |id: u32, start: u32, len_bytes: u32| {
        [id, start, len_bytes].map(u32::to_le_bytes).as_flattened().to_vec()
    };
    let config = McubootConfig::example();
    let mut file = synthetic::mcuboot(Chip::Esp32c3, FlashSize::Mb4, 0x6000, 2, &config).unwrap();
    let scratch = record(3, 0x21_0000, 0x4_0000);
    let at = file.windows(12).position(|bytes| bytes == scratch).unwrap();
    let second = [record(4, 0x25_0000, 0x8_0000), record(5, 0x35_0000, 0x8_0000)].concat();
    file[at..at + 24].copy_from_slice(&second);
    esp_idf_format::image::update_checksums(&mut file).unwrap();
    let lab = ExampleDir::new();
    let options = SignOptions {
        padding: Padding::Confirmed,
        ..SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch)
    };
    let payload = synthetic::target_payload(Chip::Esp32c3, 0x2000, 1);
    lab.write("app_upd.bin", &sign(&payload, &options).unwrap());
    lab.write("mcuboot.bin", &file);
    let migration = lab.load(&EXAMPLE.replace("esp32s3", "esp32c3")).unwrap();
    let said: Vec<String> = migration.against.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|said| said.contains("for 2 images")), "{said:?}");
    assert!(migration.against.iter().all(|reason| reason.code() == "bootloader-differs"));
}

/// What the bootloader is built with, what the migration says, and how the refusal names both.
#[test]
fn every_contradiction_is_refused_with_both_values() {
    let example = McubootConfig::example;
    let slot = |start| region(start, 0x10_0000);
    let max_align = "max_align = 8";
    let cases: [(McubootConfig, &str, &str, &str, [&str; 2]); 10] = [
        (
            McubootConfig { primary: slot(0x2_0000), secondary: slot(0x12_0000), ..example() },
            "",
            "",
            "mcuboot.primary",
            ["0x10000+0x100000", "0x20000+0x100000"],
        ),
        (
            McubootConfig { secondary: slot(0x21_0000), scratch: None, ..example() },
            "",
            "",
            "mcuboot.secondary",
            ["0x110000+0x100000", "0x210000+0x100000"],
        ),
        (
            McubootConfig { scratch: Some(region(0x31_0000, 0x4_0000)), ..example() },
            "",
            "",
            "mcuboot.scratch",
            ["0x210000+0x40000", "0x310000+0x40000"],
        ),
        (
            McubootConfig { swap: SwapKind::Overwrite, ..example() },
            "",
            "",
            "mcuboot.swap",
            ["scratch", "overwrite"],
        ),
        (example(), "\"scratch\"\nmax", "\"move\"\nmax", "mcuboot.swap", ["move", "scratch"]),
        (example(), max_align, "max_align = 16", "mcuboot.max_align", ["16", "8"]),
        (
            example(),
            max_align,
            "max_align = 8\nmax_sectors = 976",
            "mcuboot.max_sectors",
            ["976", "512"],
        ),
        (
            McubootConfig { downgrade_prevention: DowngradePrevention::Version, ..example() },
            max_align,
            "max_align = 8\ndowngrade_prevention = \"none\"",
            "mcuboot.downgrade_prevention",
            ["none", "version"],
        ),
        (
            example(),
            "# public_key = \"root.pub.pem\"",
            "public_key = \"key.pem\"",
            "mcuboot.public_key",
            ["ed25519", "none"],
        ),
        (
            McubootConfig { key: Some(PrivateKey::ed25519([8; 32]).public_key()), ..example() },
            "# public_key = \"root.pub.pem\"",
            "public_key = \"key.pem\"",
            "mcuboot.public_key",
            ["ed25519", "ed25519"],
        ),
    ];
    for (config, from, to, wanted, values) in cases {
        let migration = with(&config, from, to);
        let refused = migration.against.iter().find_map(|reason| match reason {
            Reason::BootloaderDiffers { key, declared, found } if *key == wanted => {
                Some((declared, found))
            }
            _ => None,
        });
        let Some((declared, found)) = refused else { panic!("{wanted}: {:?}", migration.against) };
        let [is_declared, is_found] = values;
        assert!(declared.starts_with(is_declared), "{wanted}: {declared}");
        assert!(found.starts_with(is_found) && found != declared, "{wanted}: {found}");
        // The planner refuses it on any device.
        let found = crate::facts::assumed(&migration).unwrap();
        let report = crate::plan::report(&migration, &found, None);
        assert_eq!((report.outcome, report.reasons[0].code), ("refused", "bootloader-differs"));
    }
}

#[test]
fn what_the_migration_leaves_out_is_the_bootloaders() {
    let config = McubootConfig {
        max_sectors: 976,
        downgrade_prevention: DowngradePrevention::Version,
        key: Some(own_key()),
        ..McubootConfig::example()
    };
    let migration = with(&config, "", "");
    assert_eq!(migration.against, []);
    let map = migration.mcuboot.unwrap();
    assert_eq!(map.max_sectors, 976);
    assert_eq!(map.downgrade_prevention, DowngradePrevention::Version);
    assert_eq!(map.key_der, Some(own_key().to_der()));
    let config = McubootConfig {
        swap: SwapKind::Overwrite,
        overwrites_fast: true,
        ..McubootConfig::example()
    };
    let map = with(&config, "\"scratch\"\nmax", "\"overwrite\"\nmax").mcuboot.unwrap();
    assert!(map.overwrites_fast);
}

/// An application that is not signed with the bootloader's own key is damaged, whatever keys the
/// migration names.
#[test]
fn the_application_is_checked_with_the_bootloaders_own_key() {
    let lab = ExampleDir::new();
    let config = McubootConfig { key: Some(own_key()), ..McubootConfig::example() };
    let file = synthetic::mcuboot(Chip::Esp32s3, FlashSize::Mb4, 0x6000, 2, &config).unwrap();
    lab.write("mcuboot.bin", &file);
    lab.write("app_upd.bin", &app(Padding::Confirmed, Some(&PrivateKey::ed25519([8; 32]))));
    let problem = lab.load(EXAMPLE).unwrap_err();
    assert!(problem.is_unsafe && problem.message.contains("signed with key"), "{problem:?}");
}

#[test]
fn what_no_file_shows_is_assumed() {
    let keys = |migration: &OwnedMigration| -> Vec<(&str, Option<String>)> {
        let assumed = migration.assumed.iter();
        assumed.map(|assumption| (assumption.key, assumption.value.clone())).collect()
    };
    let lab = ExampleDir::new();
    // A file that shows nothing.
    let migration = lab.load(EXAMPLE).unwrap();
    assert_eq!(keys(&migration), [("mcuboot", None)]);
    assert!(migration.assumed[0].message.contains("nothing in the file of bootloader"));
    // No file.
    let migration = lab.load(&EXAMPLE.replace("file   = \"mcuboot.bin\"\n", "")).unwrap();
    assert_eq!(keys(&migration), [("mcuboot", None)]);
    assert!(migration.assumed[0].message.contains("no `file`"), "{:?}", migration.assumed);
    // An Xtensa file, whose code is not analysed.
    let config = McubootConfig::example();
    let file = synthetic::mcuboot(Chip::Esp32s3, FlashSize::Mb4, 0x6000, 2, &config).unwrap();
    lab.write("mcuboot.bin", &file);
    let migration = lab.load(EXAMPLE).unwrap();
    assert_eq!(keys(&migration), [("mcuboot.max_sectors", Some("512".to_owned()))]);
    // MCUboot without a map.
    let without = EXAMPLE.split("[mcuboot]").next().unwrap().to_owned()
        + "[bootloader]\nfile = \"mcuboot.bin\"\nurl = \"http://lab/b\"\n";
    let migration = lab.load(&without).unwrap();
    assert_eq!(keys(&migration), [("mcuboot", None)]);
    assert!(migration.assumed[0].message.contains("is MCUboot"), "{:?}", migration.assumed);
    // The plan lists them, for people and for scripts.
    let migration = lab.load(EXAMPLE).unwrap();
    let found = crate::facts::assumed(&migration).unwrap();
    let report = crate::plan::report(&migration, &found, None);
    let (of_files, of_board) = report.assumed.split_at(migration.assumed.len());
    assert_eq!(of_files, migration.assumed);
    let keys: Vec<&str> = of_board.iter().map(|assumed| assumed.key).collect();
    assert_eq!(keys, ["flash_size", "bootloader.file"]);
    let text = report.to_string();
    assert!(text.contains("assumed        mcuboot.max_sectors is 512"), "{text}");
}

#[test]
fn a_version_that_would_lose_is_told_before_any_device_is_asked() {
    let text =
        EXAMPLE.replace("max_align = 8", "max_align = 8\ndowngrade_prevention = \"version\"");
    let lab = ExampleDir::new();
    let migration = lab.load(&text).unwrap();
    let found = crate::facts::assumed(&migration).unwrap();
    // From factory, which is the primary slot, the header is the migrator's own.
    let report = crate::plan::report(&migration, &found, None);
    let objections = &report.stages[0].objections;
    assert!(objections.iter().any(|o| o.code == "downgrade"), "{objections:?}");
    let is_about_versions =
        |a: &&crate::Assumption| a.key == "mcuboot.downgrade_prevention" && a.value.is_some();
    assert!(!report.assumed.iter().any(|a| is_about_versions(&a)), "{:?}", report.assumed);
    // From another partition it is not known.
    let text = text.replace("running    = \"factory\"", "running    = \"ota_1\"");
    let migration = lab.load(&text).unwrap();
    let found = crate::facts::assumed(&migration).unwrap();
    let report = crate::plan::report(&migration, &found, None);
    let assumption = report.assumed.iter().find(is_about_versions).unwrap();
    assert_eq!(assumption.value.as_deref(), Some("0.0.256+0"));
}

#[test]
fn numbers_of_sectors_have_bounds() {
    let lab = ExampleDir::new();
    for sectors in ["0", "32769"] {
        let key = format!("max_align = 8\nmax_sectors = {sectors}");
        let problem = lab.problem("max_align = 8", &key);
        assert_eq!(problem.field, "mcuboot.max_sectors");
        assert!(problem.message.contains("32768"), "{problem:?}");
    }
    let problem = lab.problem("max_align = 8", "downgrade_prevention = \"always\"");
    assert!(problem.help.contains("security-counter"), "{problem:?}");
}

/// Devices check a signature with the same key as the desk.
#[test]
fn an_rsa_key_goes_to_devices() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mcuboot-format/testdata");
    let read = |name: &str| fs::read_to_string(path.join(name)).unwrap();
    let key = PrivateKey::from_pem(&read("rsa-2048.pem")).unwrap();
    let lab = ExampleDir::new();
    let config = McubootConfig { key: Some(key.public_key()), ..McubootConfig::example() };
    let file = synthetic::mcuboot(Chip::Esp32s3, FlashSize::Mb4, 0x6000, 2, &config).unwrap();
    lab.write("mcuboot.bin", &file);
    lab.write("app_upd.bin", &app(Padding::Confirmed, Some(&PrivateKey::ed25519([8; 32]))));
    assert!(lab.load(EXAMPLE).unwrap_err().is_unsafe);
    lab.write("app_upd.bin", &app(Padding::Confirmed, Some(&key)));
    lab.write("key.pem", read("rsa-2048.pub.pem").as_bytes());
    // From the file, and named by the owner, whose file has another form of it.
    let named = EXAMPLE.replace("# public_key = \"root.pub.pem\"", "public_key = \"key.pem\"");
    for text in [EXAMPLE, &named] {
        let migration = lab.load(text).unwrap();
        assert_eq!(migration.against, []);
        let map = migration.mcuboot.as_ref().unwrap();
        assert_eq!(map.key_der, Some(key.public_key().to_der()));
        let packed = migration
            .with_config(|config| config.migration.mcuboot.unwrap().key_der.map(<[u8]>::to_vec));
        assert_eq!(packed, Ok(Some(key.public_key().to_der())));
        assert!(migration.assumed.iter().all(|a| a.key != "mcuboot.public_key"));
    }
}

/// ESP-IDF's bootloaders before 5.3 have no description: the texts of their log tell them.
#[test]
fn an_old_esp_idf_bootloader_is_told_by_its_texts() {
    let lab = ExampleDir::new();
    let mut code = vec![0x13; 0x1000];
    let file = |code: &[u8]| {
        let image = esp_idf_format::image::ImageBuilder::new(Chip::Esp32s3);
        let image = image.flash_size(FlashSize::Mb4).entry_addr(0x403b_a000);
        image.segment(0x403b_a000, code).build().unwrap()
    };
    lab.write("mcuboot.bin", &file(&code));
    assert_eq!(lab.load(EXAMPLE).unwrap().against, []);
    let text = b"\0No bootable app partitions in the partition table\0";
    code[0x100..0x100 + text.len()].copy_from_slice(text);
    lab.write("mcuboot.bin", &file(&code));
    let migration = lab.load(EXAMPLE).unwrap();
    assert!(
        matches!(migration.against.as_slice(), [Reason::NotMcuboot { .. }]),
        "{:?}",
        migration.against
    );
    let found = crate::facts::assumed(&migration).unwrap();
    let report = crate::plan::report(&migration, &found, None);
    assert_eq!((report.outcome, report.reasons[0].code), ("refused", "not-mcuboot"));
}
