//! Migration files as owners write them, with every mistake that is easy to make.

use std::fs;
use std::path::Path;

use bootswap_plan::{Content, Role};
use device_sim::synthetic;
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::partition::PartitionTable;
use flash_region::{FlashAddr, Region};
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::key::PrivateKey;
use mcuboot_format::tlv::{TlvType, Tlvs};
use mcuboot_format::{ImageHeader, SwapKind};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::load::from_text;
use crate::problem::Problem;
use crate::{LoadError, OwnedMigration, OwnedStaging, load, spec};

const SLOT_LEN_BYTES: u32 = 0x10_0000;

const PARTITIONS: &str = "\
nvs,      data, nvs,     0x9000,  0x4000,
otadata,  data, ota,     0xd000,  0x2000,
phy_init, data, phy,     0xf000,  0x1000,
factory,  app,  factory, 0x10000, 1M,
ota_0,    app,  ota_0,   ,        1M,
ota_1,    app,  ota_1,   ,        1M,
";

/// The example of the documentation.
const EXAMPLE: &str = r#"
chip       = "esp32s3"
flash_size = "4MB"
partitions = "partitions.csv"
running    = "factory"

[mcuboot]
primary   = { offset = 0x10000,  size = 0x100000 }
secondary = { offset = 0x110000, size = 0x100000 }
scratch   = { offset = 0x210000, size = 0x40000 }
swap      = "scratch"
max_align = 8
# public_key = "root.pub.pem"

[app]
file   = "app_upd.bin"
url    = "http://192.168.100.101:8070/app_upd.bin"

[bootloader]
file   = "mcuboot-esp32s3.bin"
url    = "http://192.168.100.101:8070/mcuboot-esp32s3.bin"
size   = 0xf000
"#;

/// A directory with the files that the example names.
struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lab = Self(dir);
        lab.write("partitions.csv", PARTITIONS.as_bytes());
        lab.write("app_upd.bin", &app(Padding::Confirmed, None));
        lab.write("mcuboot-esp32s3.bin", &bootloader());
        lab
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    fn load(&self, text: &str) -> Result<OwnedMigration, Problem> {
        from_text(text, self.path())
    }

    /// What is wrong with the example after that change of its text.
    fn problem(&self, from: &str, to: &str) -> Problem {
        assert!(EXAMPLE.contains(from), "{from}");
        self.load(&EXAMPLE.replacen(from, to, 1)).unwrap_err()
    }
}

fn app(padding: Padding, key: Option<&PrivateKey>) -> Vec<u8> {
    let options =
        SignOptions { padding, key, ..SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch) };
    sign(&synthetic::target_payload(0x2000, 1), &options).unwrap()
}

fn bootloader() -> Vec<u8> {
    synthetic::bootloader(Chip::Esp32s3, FlashSize::Mb4, 0x6000, 2).unwrap()
}

fn region(start: u32, len_bytes: u32) -> Region {
    Region::clamped(FlashAddr(start), len_bytes)
}

#[test]
fn the_documented_example_is_read() {
    let migration = Lab::new().load(EXAMPLE).unwrap();
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
    let Some(Content::Mcuboot { image_len_bytes, padded, confirmed, signed }) = app.content else {
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
    let lab = Lab::new();
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
            url = "https://lab/assets/www.tar.gz"
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

/// The public half of the Ed25519 key of 32 sevens.
fn public_pem() -> Vec<u8> {
    let der = PrivateKey::ed25519([7; 32]).public_key().to_der();
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut body = String::new();
    for group in der.chunks(3) {
        let bits =
            group.iter().enumerate().fold(0, |bits, (i, b)| bits | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let digit = digits[(bits >> (18 - 6 * i)) as usize & 63];
            body.push(if i <= group.len() { char::from(digit) } else { '=' });
        }
    }
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n").into_bytes()
}

#[test]
fn a_binary_table_is_as_good_as_csv() {
    let lab = Lab::new();
    let table = lab.load(EXAMPLE).unwrap().partition_table.unwrap();
    // As read from a device, with the rest of its sector.
    let sector = [table.as_slice(), &[0xff; 0x400]].concat();
    lab.write("partitions.bin", &sector);
    let text = EXAMPLE.replace("partitions.csv", "partitions.bin");
    assert_eq!(lab.load(&text).unwrap().partition_table, Some(table));
}

#[test]
fn mistakes_are_answered_with_field_place_and_remedy() {
    let lab = Lab::new();
    // Change of the example; then field, marked text, and parts of message and help.
    let cases = [
        ("chip  ", "chips ", ("chips", "chips", "no such key", "did you mean `chip`?")),
        ("swap  ", "sawp  ", ("mcuboot.sawp", "sawp", "no such key", "`swap`")),
        (
            "size = 0x40000",
            "length = 1",
            ("mcuboot.scratch.length", "length", "no such key", "offset, size"),
        ),
        (
            "file   = \"mcu",
            "xyzzy = \"mcu",
            ("bootloader.xyzzy", "xyzzy", "no such key", "name, file, url"),
        ),
        (
            "\"esp32s3\"",
            "\"esp32p4\"",
            ("chip", "\"esp32p4\"", "found \"esp32p4\"", "esp32 esp32s2 esp32s3"),
        ),
        ("\"esp32s3\"", "32", ("chip", "32", "expected a text, found integer", "\"text\"")),
        ("chip       = \"esp32s3\"", "", ("chip", "", "missing", "add `chip = \"esp32s3\"`")),
        ("\"4MB\"", "\"3MB\"", ("flash_size", "\"3MB\"", "found \"3MB\"", "1MB 2MB 4MB")),
        ("0x210000", "-5", ("mcuboot.scratch.offset", "-5", "number -5", "32 bits")),
        (
            "0x210000",
            "0x100000000",
            ("mcuboot.scratch.offset", "0x100000000", "0x100000000", "32 bits"),
        ),
        (
            "0x210000",
            "1.5",
            ("mcuboot.scratch.offset", "1.5", "expected a number, found float", "0x10000"),
        ),
        ("0x210000", "0xffffffff", ("mcuboot.scratch.size", "0x40000", "0xffffffff", "smaller")),
        ("0x40000", "0", ("mcuboot.scratch.size", "0", "the size is 0", "how many bytes")),
        (
            "\"scratch\"",
            "\"overwite\"",
            (
                "mcuboot.swap",
                "\"overwite\"",
                "found \"overwite\"",
                "scratch, move, offset, overwrite",
            ),
        ),
        ("scratch   = {", "# {", ("mcuboot.scratch", "[mcuboot]", "missing", "offset = 0x210000")),
        (
            "{ offset = 0x10000,  size = 0x100000 }",
            "0x10000",
            ("mcuboot.primary", "0x10000", "expected a table, found integer", "{ offset"),
        ),
        (
            "file   = \"app_upd.bin\"",
            "confirm = 1",
            ("app.confirm", "1", "expected true or false, found integer", "true"),
        ),
        (
            "url    = \"http://192.168.100.101:8070/a",
            "url = \"ftp://lab/a",
            ("app.url", "\"ftp://lab/app_upd.bin\"", "ftp://lab", "http://"),
        ),
        (
            "file   = \"app_upd.bin\"",
            "size = 1",
            ("app.size", "1", "`size` without `dest`", "leave it out"),
        ),
        ("file   = \"app_upd.bin\"", "dest = 1", ("app.size", "[app]", "missing", "add `size")),
        (
            "size   = 0xf000",
            "name = \"app\"",
            ("bootloader.name", "\"app\"", "second artifact is called \"app\"", "own `name`"),
        ),
        ("[app]", "[[artifact]]", ("artifact[0].dest", "[[artifact]]", "missing", "add `dest")),
        (
            "running    = \"factory\"",
            "staging = { label = \"a\", memory = true }",
            ("staging.label", "\"a\"", "exclude each other", "leave one"),
        ),
        (
            "running    = \"factory\"",
            "allow = { overwrite = [\"nvs\", 1] }",
            ("allow.overwrite", "1", "expected a text", "\"text\""),
        ),
        (
            "running    = \"factory\"",
            "running = \"\"",
            ("running", "\"\"", "the text is empty", "leave the key out"),
        ),
        ("running    = \"factory\"", "running = ", ("", "", "no TOML", "toml.io")),
        (
            "running    = \"factory\"",
            "chip = \"esp32\"",
            ("", "chip", "no TOML: duplicate key", "toml.io"),
        ),
    ];
    for (from, to, (field, marked, message, help)) in cases {
        let text = EXAMPLE.replacen(from, to, 1);
        let problem = lab.problem(from, to);
        assert_eq!(problem.field, field, "{to}: {problem:?}");
        assert_eq!(text.get(problem.span.clone()), Some(marked), "{to}: {problem:?}");
        assert!(problem.message.contains(message), "{to}: {problem:?}");
        assert!(problem.help.contains(help), "{to}: {problem:?}");
        assert!(!problem.is_unsafe, "{to}: {problem:?}");
    }
}

#[test]
fn an_artifact_needs_a_source() {
    let lab = Lab::new();
    let problem = lab.load("chip = \"esp32\"\n[bootloader]\nsize = 1").unwrap_err();
    assert_eq!(problem.message, "neither `file` nor `url` is there");
    let problem = lab.load("chip = \"esp32\"").unwrap_err();
    assert_eq!(problem.message, "there is nothing to place");
    let problem = lab.load("chip = \"esp32\"\n[app]\nfile = \"app_upd.bin\"").unwrap_err();
    assert_eq!(problem.field, "app.dest");
    assert!(problem.help.contains("[mcuboot]"), "{problem:?}");
}

#[test]
fn a_name_has_to_fit_the_container_of_what_is_embedded() {
    let text = "chip = \"esp32\"\n[bootloader]\nfile = \"mcuboot-esp32s3.bin\"\nname = \"a name of twenty-one b\"";
    let problem = Lab::new().load(text).unwrap_err();
    assert_eq!(problem.field, "bootloader.name");
    assert!(problem.help.contains("20 bytes"), "{problem:?}");
    let with_url = format!("{text}\nurl = \"http://lab/x\"");
    assert!(Lab::new().load(&with_url).is_ok());
}

#[test]
fn files_that_are_named_have_to_be_there_and_be_what_they_should() {
    let lab = Lab::new();
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
        ("\"partitions.csv\"", "\"mcuboot-esp32s3.bin\"", "partitions", "begins with e9"),
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
    let lab = Lab::new();
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

    let lab = Lab::new();
    let mut damaged = bootloader();
    damaged[0x100] ^= 1;
    lab.write("mcuboot-esp32s3.bin", &damaged);
    let problem = lab.load(EXAMPLE).unwrap_err();
    assert!(problem.is_unsafe && problem.field == "bootloader.file", "{problem:?}");
    assert!(problem.message.contains("checksum at offset"), "{problem:?}");

    let lab = Lab::new();
    lab.write("mcuboot-esp32s3.bin", &bootloader()[..0x5000]);
    let problem = lab.load(EXAMPLE).unwrap_err();
    assert!(problem.message.contains("image ends at offset 0x5000"), "{problem:?}");
}

#[test]
fn the_bootloaders_key_decides() {
    let lab = Lab::new();
    lab.write("root.pub.pem", &public_pem());
    let text = EXAMPLE.replace("# public_key", "public_key");
    // Unsigned is not damaged: that is a reason of the planner's.
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
    let lab = Lab::new();
    let text =
        EXAMPLE.replace("size = 0x100000", "size = 0x110000").replace("0x110000,", "0x120000,");
    let content = lab.load(&text).unwrap().artifacts[0].content;
    assert!(matches!(content, Some(Content::Mcuboot { padded: false, .. })), "{content:?}");
}

#[test]
fn the_message_shows_the_line() {
    let lab = Lab::new();
    let path = lab.path().join("migration.toml");
    fs::write(&path, EXAMPLE.replace("0x210000", "-5")).unwrap();
    let failure = load(&path).unwrap_err();
    assert!(!failure.is_unsafe());
    let text = failure.to_string();
    assert!(text.contains("migration.toml: mcuboot.scratch.offset: the number -5"), "{text}");
    let shown = format!("{:?}", miette::Report::new(failure));
    assert!(shown.contains("migration.toml:10:24"), "{shown}");

    fs::write(&path, b"chip = \"\xff\"").unwrap();
    let error = load(&path).unwrap_err();
    assert!(!error.is_unsafe() && error.to_string().contains("offset 8 is not UTF-8"), "{error}");
    assert!(load(&lab.path().join("none.toml")).unwrap_err().to_string().contains("none.toml"));
}

/// Values of every kind, most of them wrong where they come to stand.
fn value() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "\"[ -~&&[^\"\\\\]]{0,12}\"",
        Just("\"esp32\"".to_owned()),
        Just("\"http://a\"".to_owned())
    ];
    let number = prop_oneof!["-?[0-9]{1,20}", "0x[0-9a-f]{1,9}"].prop_map(|n| {
        // Leading zeros are no TOML.
        let digits = n.trim_start_matches('-').trim_start_matches('0');
        if n.starts_with("0x") || digits.is_empty() { n } else { digits.to_owned() }
    });
    let leaf = prop_oneof![
        text,
        number,
        Just("true".to_owned()),
        Just("1.5".to_owned()),
        Just("1979-05-27".to_owned())
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|list| format!("[{}]", list.join(", "))),
            prop::collection::btree_map(key(), inner, 0..3).prop_map(|table| {
                let pairs: Vec<_> =
                    table.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                format!("{{ {} }}", pairs.join(", "))
            }),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 27] = [
        "chip",
        "flash_size",
        "partitions",
        "running",
        "mcuboot",
        "app",
        "bootloader",
        "artifact",
        "staging",
        "allow",
        "primary",
        "secondary",
        "scratch",
        "swap",
        "max_align",
        "public_key",
        "offset",
        "size",
        "name",
        "file",
        "url",
        "dest",
        "confirm",
        "label",
        "memory",
        "test_image",
        "overwrite",
    ];
    prop_oneof![10 => prop::sample::select(&KNOWN[..]).prop_map(str::to_owned), 1 => "[a-z_]{1,8}"]
}

/// A place in the example and what comes to stand there.
fn edit() -> impl Strategy<Value = (usize, usize, String)> {
    (
        0..EXAMPLE.len(),
        0usize..20,
        prop_oneof![value(), key(), "[\\[\\]{}=\", \n]{0,3}", any::<String>()],
    )
}

proptest! {
    #[test]
    fn no_text_panics(text: String) {
        let _ = from_text(&text, Path::new("/nonexistent"));
    }

    #[test]
    fn no_toml_panics(pairs in prop::collection::btree_map(key(), value(), 0..8)) {
        let text: String = pairs.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        if let Err(problem) = from_text(&text, Path::new("/nonexistent")) {
            prop_assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
            prop_assert!(!problem.message.is_empty() && !problem.help.is_empty());
        }
    }

    #[test]
    fn no_change_of_the_example_panics(edits in prop::collection::vec(edit(), 1..3)) {
        let mut text = EXAMPLE.to_owned();
        for (at, len, replacement) in edits {
            let border = |at: usize, text: &str| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let (start, end) = (border(at, &text), border(at + len, &text));
            text.replace_range(start..end.max(start), &replacement);
        }
        match spec::parse(&text) {
            Ok(spec) => prop_assert!(!spec.artifacts.is_empty()),
            // The message is shown with the lines that it is about, whatever they are.
            Err(problem) => {
                let failure = LoadError::new(problem, Path::new("migration.toml"), &text);
                let shown = format!("{:?}", miette::Report::new(failure));
                prop_assert!(shown.contains("migration.toml"));
            }
        }
    }
}
