//! `bootswap image`.

use device_sim::{McubootConfig, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::otadata::{OtaEntry, OtaState};
use flash_region::{FlashAddr, Region};
use mcuboot_format::builder::Padding;
use serde_json::Value;

use crate::program::{WorkDir, bootloader, dump, key, target};

fn table() -> Vec<u8> {
    let mut table = vec![0; 0xc00];
    esp_idf_format::partition::emit(&synthetic::example_partitions(), &mut table).unwrap();
    table
}

fn otadata() -> Vec<u8> {
    let mut otadata = vec![0xff; 0x2000];
    otadata[..32].copy_from_slice(&OtaEntry::new(1, OtaState::Valid).to_bytes());
    otadata[0x1000..0x1020].copy_from_slice(&OtaEntry::new(2, OtaState::PendingVerify).to_bytes());
    otadata
}

/// An app that is as short as a bootloader, in a file that is as long as a flash.
fn small_app() -> Vec<u8> {
    let mut app = synthetic::app(Chip::Esp32c6, "blink", "1.0", 0x1000, 4).unwrap();
    app.resize(0x10_0000, 0xff);
    app
}

fn info(file: &[u8]) -> (Value, String) {
    let lab = WorkDir::new();
    lab.write("file", file);
    let json = lab.ends_with(0, &["image", "info", "file", "--json"]).json();
    let text = lab.ends_with(0, &["image", "info", "file"]);
    assert_eq!(text.stderr, "");
    (json, text.stdout)
}

#[test]
fn files_are_known_by_their_contents() {
    let (json, text) = info(&target(Padding::Pending));
    assert_eq!((&json["kind"], &json["error"]), (&"mcuboot-image".into(), &Value::Null));
    assert_eq!(
        (&json["version"], &json["trailer"]["image_ok"]),
        (&"0.0.0+0".into(), &"unset".into())
    );
    assert_eq!(json["tlvs"][0]["name"], "SHA256");
    assert!(text.starts_with("MCUboot image\n") && text.contains("tested once"), "{text}");

    let (json, text) = info(&bootloader(2));
    assert_eq!((&json["kind"], &json["chip"]), (&"esp-image".into(), &"esp32s3".into()));
    assert_eq!(json["segments"].as_array().unwrap().len(), 2);
    assert!(text.contains("4 MB, dio, 40 MHz"), "{text}");

    let (json, text) = info(&table());
    assert_eq!((&json["kind"], &json["has_md5"]), (&"partition-table".into(), &true.into()));
    assert_eq!(json["partitions"][3]["usage"], "app factory");
    assert!(text.contains("factory          app factory       0x10000 + 0x100000"), "{text}");

    let (json, text) = info(&otadata());
    assert_eq!((&json["kind"], &json["in_force"]), (&"otadata".into(), &1.into()));
    assert!(text.contains("sequence 2, state pending-verify, in force"), "{text}");

    let (json, text) = info(&dump("factory"));
    assert_eq!((&json["kind"], &json["chip"]), (&"flash-dump".into(), &"esp32s3".into()));
    assert_eq!(json["starts"], "factory");
    assert_eq!(json["partitions"][3]["content"]["project_name"], "old");
    assert_eq!(json["partitions"][1]["content"]["entries"][0]["blank"], true);
    assert!(text.contains("starts           factory"), "{text}");
}

/// A device that was migrated: the old table, MCUboot images where partitions begin and where none
/// does.
#[test]
fn a_dump_shows_images_that_no_partition_knows_of() {
    let mut flash = dump("factory");
    let image = target(Padding::Confirmed);
    flash[0x1_0000..0x11_0000].copy_from_slice(&image);
    flash[0x32_0000..0x32_2000 + 0x100].copy_from_slice(&image[..0x2100]);
    let (json, _) = info(&flash);
    let content = &json["partitions"][3]["content"];
    assert_eq!(
        (&content["kind"], &content["trailer"]["image_ok"]),
        (&"mcuboot-image".into(), &"set".into())
    );
    let elsewhere = json["elsewhere"].as_array().unwrap();
    assert_eq!(elsewhere.len(), 1);
    assert_eq!(elsewhere[0]["offset"], 0x32_0000);
    assert_eq!(json["starts"], Value::Null);
}

#[test]
fn damage_is_shown_by_info_and_fails_verify() {
    for (mut file, at, part) in [
        (target(Padding::Confirmed), 0x1000, "SHA256 (0x10) at offset"),
        (bootloader(2), 0x1000, "checksum at offset"),
        (table(), 0x60, "MD5 at offset 0xc0"),
    ] {
        file[at + 8] ^= 1;
        let (json, _) = info(&file);
        assert!(json["error"].as_str().unwrap().contains(part), "{json}");
        let lab = WorkDir::new();
        lab.write("file", &file);
        let ended = lab.ends_with(1, &["image", "verify", "file"]);
        assert!(
            ended.stdout.contains("FAILED: ") && ended.stdout.contains(part),
            "{}",
            ended.stdout
        );
        let json = lab.ends_with(1, &["image", "verify", "file", "--json"]).json();
        assert_eq!(
            (&json["outcome"], &json["checks"][0]["good"]),
            (&"failed".into(), &false.into())
        );
    }
}

#[test]
fn whole_files_are_verified() {
    let lab = WorkDir::new();
    for (file, args, part) in [
        (target(Padding::Confirmed), &["-S", "1M"][..], "confirmed"),
        (target(Padding::Pending), &[], "pending: tested once"),
        (target(Padding::None), &[], "load header"),
        (small_app(), &[], "for esp32c6, 0x1000 bytes"),
        (bootloader(2), &["--chip", "esp32s3"], "for esp32s3"),
        (table(), &["--flash-size", "4MB"], "6 partitions"),
        (otadata(), &[], "entry 1 is in force"),
        (dump("ota_1"), &["--chip", "esp32s3"], "ota_1 at 0x210000: for esp32s3"),
    ] {
        lab.write("file", &file);
        let ended = lab.ends_with(0, &[&["image", "verify", "file"], args].concat());
        assert!(
            ended.stdout.contains(": verified\n") && ended.stdout.contains(part),
            "{}",
            ended.stdout
        );
    }
}

#[test]
fn what_does_not_fit_fails_verify() {
    let lab = WorkDir::new();
    let mut without_app = dump("factory");
    without_app[0x1_0000] = 0;
    let mut without_bootloader = dump("factory");
    without_bootloader[0] = 0;
    for (file, args, part) in [
        (
            target(Padding::Confirmed),
            &["-S", "512K"][..],
            "the file has 0x100000 bytes, the slot 0x80000",
        ),
        (target(Padding::None), &["-S", "0x3000"], "the slot has room for 0x17d0"),
        (target(Padding::Confirmed), &["-S", "1M", "--max-align", "32"], "magic at offset 0xffff0"),
        (bootloader(2), &["--chip", "esp32c3"], "chip at offset 12 is esp32s3, not esp32c3"),
        (table(), &["--flash-size", "2MB"], "past the flash of 0x200000 bytes"),
        (without_app, &[], "no app partition holds an image"),
        (without_bootloader, &[], "no complete bootloader at 0x0 or 0x1000"),
    ] {
        lab.write("file", &file);
        let ended = lab.ends_with(1, &[&["image", "verify", "file"], args].concat());
        assert!(ended.stdout.contains(part), "{part}\n{}", ended.stdout);
    }
}

#[test]
fn what_cannot_be_answered_is_bad_input() {
    let lab = WorkDir::new();
    lab.write("page", b"<html>");
    lab.write("nothing", b"");
    lab.write("table.bin", &table());
    let pem = key("ed25519.pem");
    for (args, part) in [
        (
            &["info", "page"][..],
            "6 bytes that begin with 3c68746d6c3e at offset 0 are not of a known kind",
        ),
        (&["info", "nothing"], "nothing is empty"),
        (&["verify", "none"], "cannot read none"),
        (
            &["verify", "table.bin", "--key", &pem],
            "--key has no effect on this file, which is: partition table",
        ),
        (&["verify", "table.bin", "--max-align", "32"], "--max-align"),
        (&["verify", "app_upd.bin", "--flash-size", "4MB"], "--flash-size has no effect"),
        (&["verify", "app_upd.bin", "--key", "page"], "page: key: not PEM"),
        (&["verify", "app_upd.bin", "-S", "4K"], "leaves nothing of slot"),
    ] {
        let ended = lab.ends_with(2, &[&["image"], args].concat());
        assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn what_is_signed_verifies_with_its_key_and_no_other() {
    let lab = WorkDir::new();
    lab.write("payload", &synthetic::target_payload(Chip::Esp32s3, 0x800, 1));
    for (private, public) in [
        ("ecdsa-p256.pem", "ecdsa-p256.pub.pem"),
        ("ed25519.pem", "ed25519.pub.pem"),
        ("rsa-2048.pem", "rsa-2048.pub.pem"),
    ] {
        let (private, public) = (key(private), key(public));
        let sign = [
            "image",
            "sign",
            "payload",
            "-o",
            "signed",
            "-v",
            "1.2.3+4",
            "--pad-header",
            "-S",
            "64K",
        ];
        let extra = ["-k", &private, "-s", "7", "-d", "1:1.0.0", "--confirm", "--force"];
        let ended = lab.ends_with(0, &[&sign[..], &extra].concat());
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr.contains("wrote signed: version 1.2.3+4"), "{}", ended.stderr);
        for key in [&public, &private] {
            let verify = ["image", "verify", "signed", "--slot-size", "0x10000", "--key", key];
            let ended = lab.ends_with(0, &verify);
            assert!(ended.stdout.contains("hash and signature are right"), "{}", ended.stdout);
        }
        let json = lab.ends_with(0, &["image", "info", "signed", "--json"]).json();
        assert_eq!(
            (&json["security_counter"], &json["trailer"]["image_ok"]),
            (&7.into(), &"set".into())
        );
        let other = key("rsa-3072.pub.pem");
        let ended = lab.ends_with(1, &["image", "verify", "signed", "--key", &other]);
        assert!(ended.stdout.contains("FAILED: image: signed with key"), "{}", ended.stdout);
    }
}

#[test]
fn a_security_counter_follows_from_the_version_if_asked() {
    let lab = WorkDir::new();
    let sign = [
        "image",
        "sign",
        "mcuboot.bin",
        "-o",
        "signed",
        "-v",
        "1.2.3+4",
        "--pad-header",
        "-S",
        "64K",
    ];
    lab.ends_with(0, &[&sign[..], &["-s", "auto"]].concat());
    let json = lab.ends_with(0, &["image", "info", "signed", "--json"]).json();
    assert_eq!(json["security_counter"], 0x0102_0003);
}

#[test]
fn an_image_that_cannot_be_signed_is_bad_input() {
    let lab = WorkDir::new();
    lab.write("payload", &[1; 0x800]);
    let sign = ["image", "sign", "payload", "-o", "signed", "-v", "1"];
    for (args, part) in [
        (&["-S", "64K"][..], "--pad-header"),
        (&["-S", "0x2000", "--pad-header"], "the slot has room for 0x7d0"),
        (&["-S", "64K", "--pad-header", "-H", "16"], "--header-size 0x20"),
        (&["-S", "64K", "--pad-header", "--max-align", "64"], "expected 8, 16 or 32"),
        (&["-S", "64K", "--pad-header", "-k", "payload"], "payload: key: not PEM"),
    ] {
        let ended = lab.ends_with(2, &[&sign[..], args].concat());
        assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
        assert!(!lab.path().join("signed").exists());
    }
}

#[test]
fn a_padded_image_is_confirmed_in_one_byte() {
    let lab = WorkDir::new();
    let pending = target(Padding::Pending);
    lab.write("image", &pending);
    lab.ends_with(0, &["image", "confirm", "image", "-o", "copy"]);
    assert_eq!(lab.read("image"), pending);
    assert_eq!(lab.read("copy"), target(Padding::Confirmed));
    let ended = lab.ends_with(0, &["image", "confirm", "image"]);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", "confirmed image\n"));
    assert_eq!(lab.read("image"), target(Padding::Confirmed));

    lab.write("image", &target(Padding::None));
    let ended = lab.ends_with(2, &["image", "confirm", "image"]);
    assert!(ended.stderr.contains("--pad"), "{}", ended.stderr);
    let ended = lab.ends_with(2, &["image", "confirm", "mcuboot.bin"]);
    assert!(ended.stderr.contains("name an MCUboot image"), "{}", ended.stderr);
}

/// What a bootloader's file says about itself, and a migration that says something else.
#[test]
fn a_bootloader_shows_its_map_and_is_compared_with_a_migrations() {
    let lab = WorkDir::new();
    let slot = |start| Region::clamped(FlashAddr(start), 0xf_0000);
    let config = McubootConfig {
        primary: slot(0x1_0000),
        secondary: slot(0x12_0000),
        ..McubootConfig::example()
    };
    let other = synthetic::mcuboot(Chip::Esp32s3, FlashSize::Mb4, 0x6000, 1, &config).unwrap();
    lab.write("other.bin", &other);
    let info = lab.ends_with(0, &["image", "info", "other.bin", "--json"]).json();
    let bootloader = &info["bootloader"];
    assert_eq!(bootloader["system"]["value"], "MCUboot");
    let map = &bootloader["map"];
    assert_eq!(map["value"]["secondary"]["offset"], 0x12_0000);
    assert_eq!(map["sure"], true);
    // The map is in the file at the offset that is shown.
    let offset = usize::try_from(map["offset"].as_u64().unwrap()).unwrap();
    assert_eq!(other[offset + 16..offset + 20], 0x1_0000_u32.to_le_bytes());
    assert_eq!(bootloader["max_sectors"], Value::Null);
    let text = lab.ends_with(0, &["image", "info", "other.bin"]).stdout;
    for part in ["MCUboot", "0x120000, 0xf0000 bytes, secondary slot", "sectors        not found"] {
        assert!(text.contains(part), "{part}: {text}");
    }

    let verify = ["image", "verify", "other.bin", "--migration", "migration.toml", "--json"];
    let verified = lab.ends_with(1, &verify);
    let message = verified.json()["checks"][1]["message"].to_string();
    assert!(message.contains("bootloader-differs: mcuboot.secondary is 0x110000"), "{message}");
    let own =
        synthetic::mcuboot(Chip::Esp32s3, FlashSize::Mb4, 0x6000, 2, &McubootConfig::example());
    lab.write("mcuboot.bin", &own.unwrap());
    let verify = ["image", "verify", "mcuboot.bin", "--migration", "migration.toml", "--json"];
    let verified = lab.ends_with(0, &verify);
    assert_eq!(verified.json()["assumed"][0]["key"], "mcuboot.max_sectors");
}

#[test]
fn options_that_no_bootloader_is_built_with_are_refused_by_name() {
    let lab = WorkDir::new();
    lab.write("payload", &[1; 0x800]);
    lab.write("nothing", b"");
    lab.write("header", &[0; 0x20]);
    let sign = ["sign", "payload", "-o", "signed", "-v", "1", "-S", "64K", "--pad-header"];
    let confirm = ["confirm", "app_upd.bin"];
    let verify = ["verify", "app_upd.bin"];
    for command in [&sign[..], &confirm, &verify] {
        for (options, part) in [
            (&["--max-align", "5"][..], "expected 8, 16 or 32"),
            (&["--max-align", "0"], "expected 8, 16 or 32"),
            (&["--align", "3"], "expected 1, 2, 4, 8, 16 or 32"),
            (&["--align", "16"], "--align 16 is more than --max-align 8"),
            (&["--max-sectors", "0"], "'--max-sectors <NUMBER>'"),
            (&["--swap", "twice"], "'--swap <KIND>'"),
        ] {
            let ended = lab.ends_with(2, &[&["image"], command, options].concat());
            assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
        }
    }
    let sign = ["image", "sign", "-o", "signed", "-v", "1"];
    for (args, part) in [
        (&["payload", "--pad-header", "-S", "0"][..], "at least one sector"),
        (&["payload", "--pad-header", "-S", "0x10001"], "not a multiple of 0x1000"),
        (&["nothing", "--pad-header", "-S", "64K"], "nothing: the file contains no application"),
        (&["nothing", "-S", "64K"], "nothing: the file contains no application"),
        (&["header", "-S", "64K"], "header: the file contains no application"),
        (&["payload", "--pad-header", "-S", "64K", "-H", "70000"], "more than 65535"),
    ] {
        let ended = lab.ends_with(2, &[&sign[..], args].concat());
        assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
    }
    assert!(!lab.path().join("signed").exists());
}
