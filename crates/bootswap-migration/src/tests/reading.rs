//! Reading correct files.

use super::*;

#[test]
fn the_documented_example_is_read() {
    let migration = ExampleDir::new().load(EXAMPLE).unwrap();
    assert_eq!(migration.chip, Chip::Esp32s3);
    assert_eq!(migration.flash_len_bytes, Some(0x40_0000));
    assert_eq!(migration.running.as_deref(), Some("factory"));
    assert_eq!(migration.staging, OwnedStaging::Auto);
    assert!(!migration.allow_test_image && migration.allow_overwrite.is_empty());

    let table = PartitionTable::parse(migration.partition_table.as_deref().unwrap()).unwrap();
    assert_eq!(table.iter().collect::<Vec<_>>(), synthetic::example_partitions());

    let map = migration.mcuboot.as_ref().unwrap();
    assert_eq!(map.primary, region(0x1_0000, 0x10_0000));
    assert_eq!(map.secondary, region(0x11_0000, 0x10_0000));
    assert_eq!(map.scratch, Some(region(0x21_0000, 0x4_0000)));
    assert_eq!((map.swap, map.max_align_bytes), (SwapKind::Scratch, 8));
    assert_eq!(map.key_der, None);

    let [app, loader] = &migration.artifacts[..] else { panic!("two artifacts") };
    assert_eq!((app.name.as_str(), app.role), ("app", Role::Application));
    assert_eq!(app.url.as_deref(), Some("http://192.168.100.101:8070/app_upd.bin"));
    assert_eq!((app.dest, app.region_len_bytes, app.confirm), (None, None, false));
    let Some(Content::Mcuboot { image_len_bytes, padded, confirmed, signed, .. }) = app.content
    else {
        panic!("{:?}", app.content)
    };
    assert!(padded && confirmed && !signed && image_len_bytes < 0x3000);
    assert_eq!((loader.name.as_str(), loader.role), ("bootloader", Role::Bootloader));
    assert_eq!((loader.dest, loader.region_len_bytes), (None, Some(0xf000)));
    let Some(Content::EspImage { chip_id, flash_len_bytes, .. }) = loader.content else {
        panic!("{:?}", loader.content)
    };
    assert_eq!((chip_id, flash_len_bytes), (9, Some(0x40_0000)));
}

#[test]
fn everything_that_is_optional_is_read() {
    let lab = ExampleDir::new();
    let key = PrivateKey::ed25519([7; 32]);
    lab.write("signed.bin", &app(Padding::None, Some(&key)));
    lab.write("data.bin", b"\xe9 begins like an image, and is none");
    lab.write("root.pub.pem", &public_pem());
    let migration = lab
        .load(
            r#"
            chip = "ESP32-C3"
            mcuboot.primary   = { offset = 65536, size = 1_048_576 }
            mcuboot.secondary = { offset = 0x110000, size = 0x100000 }
            mcuboot.scratch   = { offset = 0x210000, size = 0x40000 }
            mcuboot.swap = "move"
            mcuboot.public_key = "root.pub.pem"
            staging.label = "storage"
            allow = { test_image = true, overwrite = ["nvs", "partition-table"] }

            [app]
            name = "target"
            file = "signed.bin"
            dest = 0x10000
            size = 0x100000
            confirm = true

            [[artifact]]
            file = "data.bin"
            dest = 0x300000
            size = 0x1000

            [[artifact]]
            url = "http://lab/assets/www.tar.gz"
            dest = 0x310000
            size = 0x1000
            "#,
        )
        .unwrap();
    assert_eq!(migration.chip, Chip::Esp32c3);
    assert_eq!(migration.staging, OwnedStaging::Label("storage".to_owned()));
    assert!(migration.allow_test_image);
    assert_eq!(migration.allow_overwrite, ["nvs", "partition-table"]);
    let map = migration.mcuboot.as_ref().unwrap();
    assert_eq!(map.scratch, None, "swap using move has no use for one");
    assert_eq!(map.key_der.as_deref(), Some(&key.public_key().to_der()[..]));

    let [target, data, www] = &migration.artifacts[..] else { panic!("three artifacts") };
    assert_eq!((target.name.as_str(), target.url.as_deref()), ("target", None));
    assert_eq!((target.dest, target.confirm), (Some(region(0x1_0000, 0x10_0000)), true));
    assert!(matches!(
        target.content,
        Some(Content::Mcuboot { padded: false, confirmed: false, signed: true, .. })
    ));
    assert_eq!((data.name.as_str(), data.content), ("data", Some(Content::Opaque)));
    assert_eq!((www.name.as_str(), www.content), ("www", None));
    assert!(www.bytes.is_none());
}

#[test]
fn a_binary_table_is_as_good_as_csv() {
    let lab = ExampleDir::new();
    let table = lab.load(EXAMPLE).unwrap().partition_table.unwrap();
    // As read from a device, with the rest of its sector.
    let sector = [table.as_slice(), &[0xff; 0x400]].concat();
    lab.write("partitions.bin", &sector);
    let text = EXAMPLE.replace("partitions.csv", "partitions.bin");
    assert_eq!(lab.load(&text).unwrap().partition_table, Some(table));
}

#[test]
fn an_artifact_needs_a_source() {
    let lab = ExampleDir::new();
    let problem = lab.load("chip = \"esp32\"\n[bootloader]\nsize = 1").unwrap_err();
    assert_eq!(problem.message, "there is neither `file` nor `url`");
    let problem = lab.load("chip = \"esp32\"").unwrap_err();
    assert_eq!(problem.message, "there is no artifact");
    let problem = lab.load("chip = \"esp32\"\n[app]\nfile = \"app_upd.bin\"").unwrap_err();
    assert_eq!(problem.field, "app.dest");
    assert!(problem.help.contains("[mcuboot]"), "{problem:?}");
}
