//! `bootswap pack`, and what `bootswap image` says of what it writes.

use std::fs;

use bootswap_config::{Config, SECTION_LEN_BYTES, Section, Storage, decode, find_section};
use bootswap_engine::ContainerHeader;
use bootswap_plan::Origin;
use esp_idf_format::app_desc::AppDescription;
use esp_idf_format::image::{self, ImageBuilder};
use esp_idf_format::{Chip, FixedText};
use serde_json::json;

use crate::program::{Ended, MIGRATION, WorkDir, bootswap};

const NETWORK: &str = "
[network]
hostname = \"sensor\"

[[network.wifi]]
ssid = \"fleet\"
password = \"correct horse\"

[[network.wifi]]
ssid = \"workshop\"

[log]
level = \"debug\"
";

/// A firmware image as it is built: app description, code, the section in the middle of its data.
pub fn firmware(chip: Chip, section: &[u8]) -> Vec<u8> {
    let text = |text: &str| FixedText::new(text).unwrap();
    let description = AppDescription::new(text("bootswap"), text("1.0.0"));
    let data = [&[0x5a; 0x333][..], &[0], section, &[0xa5; 0x1000]].concat();
    ImageBuilder::new(chip)
        .entry_addr(0x4038_0000)
        .app_segment(0x3c00_0020, &description, &data)
        .segment(0x4038_0000, &[0x13; 0x2000])
        .build()
        .unwrap()
}

/// The example's files, two networks in its migration, and firmware images.
fn lab() -> WorkDir {
    let lab = WorkDir::new();
    lab.write("migration.toml", format!("{MIGRATION}{NETWORK}").as_bytes());
    lab.write("firmware.bin", &firmware(Chip::Esp32s3, Section::empty().bytes()));
    lab
}

pub const PACK: [&str; 7] =
    ["pack", "migration.toml", "--firmware", "firmware.bin", "--out", "migrator.bin", "--force"];

fn packed(lab: &WorkDir, more: &[&str]) -> Ended {
    lab.ends_with(0, &[&PACK, more].concat())
}

/// Checks that packing is refused with this status, and that nothing is written.
fn refused(lab: &WorkDir, status: i32, more: &[&str], parts: &[&str]) {
    let before: Vec<_> = names(lab);
    let ended = lab.ends_with(status, &[&PACK, more].concat());
    for part in parts {
        assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
    }
    assert_eq!(names(lab), before);
    assert_eq!(ended.stdout, "");
}

fn names(lab: &WorkDir) -> Vec<String> {
    let entries = fs::read_dir(lab.path()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn with_config(image: &[u8], use_it: impl FnOnce(&Config<'_>)) {
    let at = find_section(image).unwrap();
    let mut storage = Storage::default();
    use_it(&decode(&image[at], &mut storage).unwrap());
}

#[test]
fn the_migration_is_in_the_image_and_the_image_is_whole() {
    let lab = lab();
    let ended = packed(&lab, &["--chip", "esp32s3"]);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("wrote migrator.bin"), "{}", ended.stderr);
    let (before, after) = (lab.read("firmware.bin"), lab.read("migrator.bin"));
    let info = image::verify(&after).unwrap();
    assert_eq!(info.total_len_bytes as usize, after.len());
    assert_eq!(after.len(), before.len());
    // Only the section and the checksums differ.
    let section = find_section(&after).unwrap();
    assert_eq!(section.len(), SECTION_LEN_BYTES);
    assert_eq!(after[..section.start], before[..section.start]);
    let sums = after.len() - 33;
    assert_eq!(after[section.end..sums], before[section.end..sums]);
    with_config(&after, |config| {
        let migration = &config.migration;
        assert_eq!((migration.chip, migration.artifacts.len()), (Chip::Esp32s3, 2));
        assert_eq!(migration.artifacts[0].len_bytes, Some(0x10_0000));
        assert!(migration.artifacts.iter().all(|artifact| artifact.sha256.is_some()));
        let wifi: Vec<_> = config.network.wifi.iter().map(|w| (w.ssid(), w.password())).collect();
        assert_eq!(wifi, [(&b"fleet"[..], "correct horse"), (b"workshop", "")]);
        assert_eq!(config.network.hostname, Some("sensor"));
        assert_eq!(config.log_level.name(), "debug");
    });
    assert!(!names(&lab).iter().any(|name| name.contains(".part")), "{:?}", names(&lab));
}

#[test]
fn a_migrator_can_be_packed_again() {
    let lab = lab();
    packed(&lab, &["--embed"]);
    let first = lab.read("migrator.bin");
    lab.write("firmware.bin", &first);
    packed(&lab, &["--embed"]);
    assert_eq!(lab.read("migrator.bin"), first);
}

#[test]
fn artifacts_are_embedded_when_asked() {
    let lab = lab();
    let ended = packed(&lab, &["--embed"]);
    assert!(ended.stderr.contains("then 2 artifacts"), "{}", ended.stderr);
    let migrator = lab.read("migrator.bin");
    let end = image::verify(&migrator).unwrap().total_len_bytes as usize;
    let container = &migrator[end..];
    let header = ContainerHeader::parse(container).unwrap();
    assert_eq!(header.len_bytes as usize, container.len());
    for (name, file) in [("app", "app_upd.bin"), ("bootloader", "mcuboot.bin")] {
        let entry = header.find(name).unwrap();
        let start = entry.offset as usize;
        let inside = &container[start..start + entry.len_bytes as usize];
        let file = lab.read(file);
        assert!(file.starts_with(inside), "{name}");
        // The application, padded to its whole slot, would not fit into the migrator's partition.
        assert_eq!(inside.len() < file.len(), name == "app", "{name}: {:#x} bytes", inside.len());
    }
    with_config(&migrator[..end], |config| {
        let artifacts = config.migration.artifacts;
        assert!(artifacts.iter().all(|artifact| artifact.origin == Origin::Embedded));
        assert_eq!(artifacts.iter().map(|a| a.confirm).collect::<Vec<_>>(), [true, false]);
    });
}

#[test]
fn info_shows_what_is_inside_but_no_password() {
    let lab = lab();
    packed(&lab, &["--embed"]);
    let text = lab.ends_with(0, &["image", "info", "migrator.bin"]).stdout;
    for part in [
        "project          bootswap",
        "embedded         app, 0x2068 bytes",
        "secondary slot 0x110000, 0x100000 bytes",
        "artifact       bootloader, bootloader",
        "from         this file, where it is embedded",
        "network        \"fleet\", password ********",
        "network        \"workshop\", open",
        "network        that of the old firmware",
        "log level      debug",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let ended = lab.ends_with(0, &["image", "info", "migrator.bin", "--json"]);
    let configuration = &ended.json()["configuration"];
    assert_eq!(configuration["error"], serde_json::Value::Null);
    assert_eq!(configuration["empty"], false);
    assert_eq!(configuration["size"], SECTION_LEN_BYTES);
    assert_eq!(configuration["migration"]["artifacts"][0]["url"], serde_json::Value::Null);
    assert_eq!(configuration["migration"]["mcuboot"]["scratch"]["offset"], 0x21_0000);
    assert_eq!(configuration["network"]["wifi"][0]["password"], "********");
    assert_eq!(configuration["network"]["wifi"][1]["password"], serde_json::Value::Null);
    assert_eq!(configuration["log_level"], "debug");
    assert!(!text.contains("correct horse") && !ended.stdout.contains("correct horse"));

    let built = lab.ends_with(0, &["image", "info", "firmware.bin"]).stdout;
    assert!(built.contains("run `bootswap pack`"), "{built}");
    let other = lab.ends_with(0, &["image", "info", "mcuboot.bin", "--json"]).json();
    assert_eq!(other["configuration"], serde_json::Value::Null);
}

#[test]
fn verify_judges_configuration_and_embedded_artifacts() {
    let lab = lab();
    let verify = ["image", "verify", "migrator.bin"];
    packed(&lab, &[]);
    let said = lab.ends_with(0, &verify).stdout;
    assert!(said.contains("valid, artifacts are fetched"), "{said}");
    packed(&lab, &["--embed"]);
    let said = lab.ends_with(0, &verify).stdout;
    assert!(said.contains("valid, with 2 embedded artifacts"), "{said}");
    let good = lab.read("migrator.bin");
    let end = image::verify(&good).unwrap().total_len_bytes as usize;
    let damaged = |change: &dyn Fn(&mut Vec<u8>), part: &str| {
        let mut bytes = good.clone();
        change(&mut bytes);
        lab.write("migrator.bin", &bytes);
        let said = lab.ends_with(1, &verify).stdout;
        assert!(said.contains(part), "{part}\n{said}");
    };
    damaged(&|bytes| bytes[end + 0x400] ^= 1, "SHA-256 of the embedded app is");
    damaged(&|bytes| bytes[end] ^= 1, "magic missing");
    damaged(&|bytes| bytes.truncate(bytes.len() - 16), "ends before the embedded bootloader");
    damaged(&|bytes| bytes.truncate(end), "magic missing");
    // A bit of the configuration, with the image's checksums corrected.
    let section = find_section(&good).unwrap();
    let flip = |bytes: &mut Vec<u8>| {
        bytes[section.start + 100] ^= 1;
        image::update_checksums(bytes).unwrap();
    };
    damaged(&flip, "the configuration is damaged: CRC-32 at offset 28");
    let said = lab.ends_with(0, &["image", "info", "migrator.bin"]).stdout;
    assert!(said.contains("the configuration is damaged"), "{said}");
}

#[test]
fn the_firmware_is_found_where_it_is_said_to_be() {
    let lab = lab();
    let args = ["pack", "migration.toml", "--out", "migrator.bin"];
    let ended = lab.ends_with(2, &args);
    // Long lines are broken between words.
    let words = ended.stderr.split_whitespace().filter(|word| *word != "│");
    let said = words.collect::<Vec<_>>().join(" ");
    for part in [
        "bootswap-esp32s3.bin",
        "`cargo xtask firmware --chip esp32s3`",
        "releases have it",
        "with --firmware",
        "BOOTSWAP_FIRMWARE",
    ] {
        assert!(said.contains(part), "{part}: {}", ended.stderr);
    }
    fs::create_dir(lab.path().join("images")).unwrap();
    lab.write("images/bootswap-esp32s3.bin", &lab.read("firmware.bin"));
    let packs = bootswap(lab.path()).args(args).env("BOOTSWAP_FIRMWARE", "images").status();
    assert!(packs.unwrap().success());
    assert!(image::verify(&lab.read("migrator.bin")).is_ok());
}

#[test]
fn firmware_that_does_not_fit_is_refused() {
    let lab = lab();
    refused(&lab, 2, &["--chip", "esp32c3"], &["for esp32s3, not for esp32c3", "--chip"]);
    let cases: [(Vec<u8>, &str); 6] = [
        (firmware(Chip::Esp32c3, Section::empty().bytes()), "chip at offset 12 is esp32c3"),
        (firmware(Chip::Esp32s3, &[0; 64]), "no configuration section in the image"),
        (
            firmware(Chip::Esp32s3, &Section::empty().bytes().repeat(2)),
            "two configuration sections",
        ),
        (lab.read("mcuboot.bin"), "no app description"),
        (lab.read("app_upd.bin"), "not a complete firmware image"),
        ([lab.read("firmware.bin"), b"a signature".to_vec()].concat(), "something unknown follows"),
    ];
    for (file, part) in cases {
        lab.write("firmware.bin", &file);
        refused(&lab, 2, &[], &["firmware.bin: ", part]);
    }
}

/// The migration with that part of its text changed.
fn changed(lab: &WorkDir, from: &str, to: &str) {
    let text = format!("{MIGRATION}{NETWORK}");
    assert!(text.contains(from), "{from}");
    lab.write("migration.toml", text.replacen(from, to, 1).as_bytes());
}

/// Lets the migrator run from any partition.
fn from_anywhere(lab: &WorkDir) {
    let text = String::from_utf8(lab.read("migration.toml")).unwrap();
    lab.write("migration.toml", text.replace("running    = \"factory\"\n", "").as_bytes());
}

#[test]
fn migrations_that_cannot_be_packed_like_that_are_refused() {
    let lab = lab();
    let url = "url    = \"http://192.168.100.101:8070/app_upd.bin\"\n";
    changed(&lab, url, "");
    refused(&lab, 2, &[], &["migration.toml: app: there is no `url`", "--embed"]);
    changed(&lab, "file   = \"app_upd.bin\"\n", "");
    refused(&lab, 2, &["--embed"], &["app: there is no `file`", "name its `file`"]);
    changed(&lab, "[app]\n", "[app]\nname = \"a name of more than twenty bytes\"\n");
    refused(&lab, 2, &["--embed"], &["embedded artifacts", "at most 20 bytes"]);
    lab.write(
        "migration.toml",
        format!("{MIGRATION}[network]\nold_credentials = false\n").as_bytes(),
    );
    refused(&lab, 2, &[], &["no network that a device could join", "[[network.wifi]]"]);
    packed(&lab, &["--embed"]);
    let long = format!("{MIGRATION}{NETWORK}\n[allow]\noverwrite = [\"{}\"]\n", "x".repeat(9000));
    lab.write("migration.toml", long.as_bytes());
    refused(&lab, 2, &[], &["the firmware has room for 8192", "shorter"]);
}

#[test]
fn a_migration_without_a_plan_is_refused_and_nothing_is_written() {
    let lab = lab();
    // A slot past the end of the flash.
    changed(&lab, "offset = 0x210000, size = 0x40000", "offset = 0x3f0000, size = 0x40000");
    from_anywhere(&lab);
    lab.write("migrator.bin", b"an existing file");
    refused(
        &lab,
        1,
        &[],
        &["no device could do this", "from factory: ", "from ota_1: ", "bootswap plan"],
    );
    assert_eq!(lab.read("migrator.bin"), b"an existing file");
    // Too large for any partition.
    lab.write("migration.toml", MIGRATION.as_bytes());
    shrunk(&lab, "1M");
    refused(&lab, 1, &["--embed"], &["there is room for only 0x8000"]);
}

/// Partitions of that size made too small for a migrator.
fn shrunk(lab: &WorkDir, size: &str) {
    let table = String::from_utf8(lab.read("partitions.csv")).unwrap();
    assert!(table.contains(size), "{size}");
    lab.write("partitions.csv", table.replace(size, "0x8000").as_bytes());
}

#[test]
fn partitions_that_a_device_would_refuse_from_are_named() {
    let lab = lab();
    from_anywhere(&lab);
    let table = String::from_utf8(lab.read("partitions.csv")).unwrap();
    let (rest, _) = table.rsplit_once("1M").unwrap();
    lab.write(
        "partitions.csv",
        format!(
            "{rest}0x8000,
"
        )
        .as_bytes(),
    );
    let ended = packed(&lab, &["--embed"]);
    let warning =
        "warning: a device that runs the migrator from ota_1 refuses: migrator-too-large: ";
    assert!(ended.stderr.contains(warning), "{}", ended.stderr);
    assert!(!ended.stderr.contains("from factory"), "{}", ended.stderr);
    changed(&lab, "partitions = \"partitions.csv\"\n", "");
    let ended = packed(&lab, &[]);
    assert!(ended.stderr.contains("warning: not planned"), "{}", ended.stderr);
    changed(&lab, "file   = \"mcuboot.bin\"\n", "");
    let ended = packed(&lab, &[]);
    assert!(ended.stderr.contains("warning: bootloader: without its `file`"), "{}", ended.stderr);
}

#[test]
fn a_chip_without_radio_needs_everything_inside() {
    let lab = lab();
    lab.write("firmware.bin", &firmware(Chip::Esp32h2, Section::empty().bytes()));
    changed(&lab, "esp32s3", "esp32h2");
    changed(&lab, "file   = \"app_upd.bin\"\n", "");
    let text = String::from_utf8(lab.read("migration.toml")).unwrap();
    lab.write("migration.toml", text.replace("esp32s3", "esp32h2").as_bytes());
    refused(
        &lab,
        2,
        &[],
        &["app: there is no `file`, and esp32h2 has no Wi-Fi", "name its `file`"],
    );
}

#[test]
fn a_migrator_is_not_written_over_what_it_is_made_of() {
    let lab = lab();
    let inputs =
        ["migration.toml", "./partitions.csv", "app_upd.bin", "mcuboot.bin", "firmware.bin"];
    for input in inputs {
        let before = lab.read(input);
        let args = ["pack", "migration.toml", "--firmware", "firmware.bin", "--out", input];
        let ended = lab.ends_with(2, &[&args[..], &["--force"]].concat());
        assert!(ended.stderr.contains("it is an input of this command"), "{}", ended.stderr);
        assert!(lab.read(input) == before, "{input}");
    }
}

#[test]
fn the_migrator_has_the_identity_that_the_migration_gives_it() {
    let lab = lab();
    let said = |lab: &WorkDir| {
        lab.ends_with(0, &["image", "verify", "migrator.bin"]);
        let info = lab.ends_with(0, &["image", "info", "migrator.bin", "--json"]).json();
        ["project_name", "version", "secure_version"].map(|key| info[key].clone())
    };
    packed(&lab, &[]);
    assert_eq!(said(&lab), [json!("bootswap"), json!("1.0.0"), json!(0)]);
    let table = "\n[migrator]\nversion = \"2.0\"\nproject = \"sensor\"\nsecure_version = 3\n";
    lab.write("migration.toml", format!("{MIGRATION}{NETWORK}{table}").as_bytes());
    packed(&lab, &[]);
    assert_eq!(said(&lab), [json!("sensor"), json!("2.0"), json!(3)]);
    packed(&lab, &["--version", "3.1", "--secure-version", "0x10"]);
    assert_eq!(said(&lab), [json!("sensor"), json!("3.1"), json!(16)]);
    let long = "32 characters are one too many..";
    let wrong = [("--version", ""), ("--project", long), ("--secure-version", "-1")];
    for (option, value) in wrong {
        refused(&lab, 2, &[&format!("{option}={value}")], &[option]);
    }
    let long = format!("{MIGRATION}{NETWORK}\n[migrator]\nversion = \"a\\tb\"\n");
    lab.write("migration.toml", long.as_bytes());
    refused(&lab, 2, &[], &["migrator.version", "1 to 31 ASCII characters"]);
}
