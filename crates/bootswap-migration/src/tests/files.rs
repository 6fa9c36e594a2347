//! The files that a migration names.

use super::*;

#[test]
fn files_that_are_named_have_to_be_there_and_be_what_they_should() {
    let lab = ExampleDir::new();
    lab.write("empty.bin", b"");
    lab.write("page.html", b"<html>");
    lab.write("misplaced.csv", PARTITIONS.replace("0x9000", "0x9800").as_bytes());
    lab.write("typo.csv", PARTITIONS.replace("phy,   ", "fie,   ").as_bytes());
    let large = PARTITIONS.replace("ota_1,    app,  ota_1,   ,        1M,", "ota_1,app,ota_1,,2M,");
    lab.write("large.csv", large.as_bytes());
    for (from, to, field, message) in [
        ("\"app_upd.bin\"", "\"app.bin\"", "app.file", "cannot read"),
        ("\"app_upd.bin\"", "\"empty.bin\"", "app.file", "empty.bin is empty"),
        ("\"partitions.csv\"", "\"none.csv\"", "partitions", "none.csv"),
        ("\"partitions.csv\"", "\"page.html\"", "partitions", "line 1"),
        (
            "\"partitions.csv\"",
            "\"misplaced.csv\"",
            "partitions",
            "table offset 0x0 begins at 0x9800",
        ),
        ("\"partitions.csv\"", "\"typo.csv\"", "partitions", "line 3"),
        ("\"partitions.csv\"", "\"large.csv\"", "partitions", "past the flash"),
        ("\"partitions.csv\"", "\"mcuboot.bin\"", "partitions", "no text"),
        ("# public_key = \"root", "public_key = \"none", "mcuboot.public_key", "cannot read"),
        (
            "# public_key = \"root.pub.pem",
            "public_key = \"page.html",
            "mcuboot.public_key",
            "not PEM",
        ),
    ] {
        let problem = lab.problem(from, to);
        assert_eq!(problem.field, field, "{to}: {problem:?}");
        assert!(problem.message.contains(message), "{to}: {problem:?}");
        assert!(!problem.is_unsafe, "{to}: {problem:?}");
    }
}

#[test]
fn damaged_images_fail_with_their_offset() {
    let lab = ExampleDir::new();
    let mut damaged = app(Padding::Confirmed, None);
    damaged[0x1000] ^= 1;
    lab.write("app_upd.bin", &damaged);
    let problem = lab.load(EXAMPLE).unwrap_err();
    assert!(problem.is_unsafe);
    assert_eq!(problem.field, "app.file");
    let header = ImageHeader::parse(&damaged).unwrap();
    let offset =
        Tlvs::parse(&damaged, &header).unwrap().find(TlvType::SHA256).unwrap().offset_bytes;
    for part in ["app_upd.bin", &format!("at offset {offset:#x}"), "fails its verification"] {
        assert!(problem.message.contains(part), "{problem:?}");
    }

    let lab = ExampleDir::new();
    let mut damaged = bootloader();
    damaged[0x100] ^= 1;
    lab.write("mcuboot.bin", &damaged);
    let problem = lab.load(EXAMPLE).unwrap_err();
    assert!(problem.is_unsafe && problem.field == "bootloader.file", "{problem:?}");
    assert!(problem.message.contains("checksum at offset"), "{problem:?}");

    let lab = ExampleDir::new();
    lab.write("mcuboot.bin", &bootloader()[..0x5000]);
    let problem = lab.load(EXAMPLE).unwrap_err();
    assert!(problem.message.contains("image ends at offset 0x5000"), "{problem:?}");
}

#[test]
fn the_bootloaders_key_decides() {
    let lab = ExampleDir::new();
    lab.write("root.pub.pem", &public_pem());
    let text = EXAMPLE.replace("# public_key", "public_key");
    // An unsigned image is not damaged: the planner has a reason for it.
    let migration = lab.load(&text).unwrap();
    assert!(matches!(migration.artifacts[0].content, Some(Content::Mcuboot { signed: false, .. })));

    let other = PrivateKey::ed25519([8; 32]);
    lab.write("app_upd.bin", &app(Padding::Confirmed, Some(&other)));
    let problem = lab.load(&text).unwrap_err();
    assert!(problem.is_unsafe && problem.message.contains("signed with key"), "{problem:?}");

    let own = PrivateKey::ed25519([7; 32]);
    lab.write("app_upd.bin", &app(Padding::Pending, Some(&own)));
    let content = lab.load(&text).unwrap().artifacts[0].content;
    let Some(Content::Mcuboot { padded, confirmed, signed, .. }) = content else {
        panic!("{content:?}")
    };
    assert_eq!((padded, confirmed, signed), (true, false, true));
}

#[test]
fn an_image_is_padded_only_if_it_fills_the_slot() {
    let lab = ExampleDir::new();
    let text =
        EXAMPLE.replace("size = 0x100000", "size = 0x110000").replace("0x110000,", "0x120000,");
    let content = lab.load(&text).unwrap().artifacts[0].content;
    assert!(matches!(content, Some(Content::Mcuboot { padded: false, .. })), "{content:?}");
}
