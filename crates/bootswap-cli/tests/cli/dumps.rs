//! `bootswap plan` and `bootswap simulate` of dumps of devices before their update.

use bootswap_config::Section;
use device_sim::{FlashBuilder, OldData, synthetic};
use esp_idf_format::app_desc::AppDescription;
use esp_idf_format::image::{FlashSize, ImageBuilder};
use esp_idf_format::otadata::OtaState;
use esp_idf_format::{Chip, FixedText};
use serde_json::Value;

use crate::program::{MIGRATION, WorkDir, bootloader, dump};

/// The example's files, and the dump of a device that runs from slot `ota_0`.
fn lab() -> WorkDir {
    let lab = WorkDir::new();
    lab.write("dump.bin", &updated());
    lab
}

/// A device that has an old app in each partition and runs from the first slot.
fn updated() -> Vec<u8> {
    let app = synthetic::app(Chip::Esp32s3, "bootswap", "1.0", 0x2_0000, 4).unwrap();
    FlashBuilder::new(Chip::Esp32s3, FlashSize::Mb4)
        .partitions(&synthetic::example_partitions())
        .bootloader(&bootloader(3))
        .old_data(OldData::Noise { seed: 5 })
        .app("factory", &app)
        .app("ota_0", &app)
        .select_ota(0, OtaState::Valid)
        .build()
        .unwrap()
        .to_bytes()
}

fn labels(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|verdict| verdict["running"].as_str().unwrap()).collect()
}

#[test]
fn every_partition_is_judged_and_the_next_slot_counts() {
    let lab = lab();
    let args = ["plan", "migration.toml", "--flash", "dump.bin"];
    let json = lab.ends_with(0, &[&args[..], &["--json"]].concat()).json();
    assert_eq!(json["device"]["running"], "ota_1");
    assert_eq!((&json["outcome"], &json["total"]), (&"planned".into(), &"planned".into()));
    assert_eq!(labels(&json["partitions"]), ["ota_1", "factory", "ota_0"]);
    let next = json["partitions"].as_array().unwrap();
    let next: Vec<_> = next.iter().map(|verdict| verdict["next_update"].as_bool()).collect();
    assert_eq!(next, [Some(true), Some(false), Some(false)]);
    let text = lab.ends_with(0, &args).stdout;
    for part in ["running  ota_1", "migrator in       verdict", "  factory         planned\n"] {
        assert!(text.contains(part), "{part}\n{text}");
    }

    let simulated = ["simulate", "migration.toml", "--flash", "dump.bin"];
    let json = lab.ends_with(0, &[&simulated[..], &["--json"]].concat()).json();
    assert_eq!(json["running"], "ota_1");
    assert_eq!(labels(&json["partitions"]), ["ota_1", "factory", "ota_0"]);
    for verdict in json["partitions"].as_array().unwrap() {
        assert_eq!(verdict["outcome"], "target-running", "{verdict}");
    }
    let text = lab.ends_with(0, &simulated).stdout;
    assert!(text.contains("  ota_1           target running"), "{text}");
}

#[test]
fn a_label_names_where_the_migrator_runs() {
    let lab = lab();
    for label in ["factory", "ota_0", "ota_1"] {
        for command in ["plan", "simulate"] {
            let args = [command, "migration.toml", "--flash", "dump.bin", "--running", label];
            let json = lab.ends_with(0, &[&args[..], &["--json"]].concat()).json();
            assert_eq!(labels(&json["partitions"]), [label], "{command}");
        }
    }
    let args = ["--flash", "dump.bin", "--running", "nvs"];
    for command in ["plan", "simulate"] {
        let ended = lab.ends_with(2, &[&[command, "migration.toml"], &args[..]].concat());
        assert!(ended.stderr.contains("factory, ota_0, ota_1"), "{}", ended.stderr);
    }
}

#[test]
fn one_partition_that_is_refused_counts() {
    let lab = WorkDir::new();
    // The last slot is too small for the migrator, so that no update can bring it there.
    let mut partitions = synthetic::example_partitions();
    partitions[5].region = partitions[5].region.prefix(0x3000);
    let app = synthetic::app(Chip::Esp32s3, "old", "1.0", 0x2_0000, 4).unwrap();
    let flash = FlashBuilder::new(Chip::Esp32s3, FlashSize::Mb4).partitions(&partitions);
    let flash = flash.bootloader(&bootloader(3)).app("factory", &app).build().unwrap();
    lab.write("dump.bin", &flash.to_bytes());
    lab.write("firmware.bin", &firmware(Chip::Esp32s3));
    let pack = ["pack", "migration.toml", "--firmware", "firmware.bin", "--out", "migrator.bin"];
    lab.ends_with(0, &pack);
    let args = ["--flash", "dump.bin", "--migrator", "migrator.bin", "--json"];
    for command in ["plan", "simulate"] {
        let json = lab.ends_with(1, &[&[command, "migration.toml"], &args[..]].concat()).json();
        assert_eq!(labels(&json["partitions"]), ["ota_0", "factory", "ota_1"], "{command}");
        let verdicts = json["partitions"].as_array().unwrap();
        for verdict in verdicts {
            let refused = verdict["running"] == "ota_1";
            assert_eq!(verdict["outcome"] == "refused", refused, "{command}: {verdict}");
        }
        assert_eq!(verdicts[2]["reasons"][0]["code"], "migrator-too-large", "{command}");
        // The one that counts is planned all the same.
        assert_ne!(json["outcome"], "refused", "{command}");
    }
}

#[test]
fn many_dumps_make_a_table_and_the_worst_counts() {
    let lab = lab();
    lab.write("factory.bin", &dump("factory"));
    lab.write("short.bin", &updated()[..0x20_0000]);
    let good = ["plan", "migration.toml", "--flash", "dump.bin", "factory.bin"];
    let text = lab.ends_with(0, &good).stdout;
    let table = text.rsplit("\n\n").next().unwrap();
    for part in ["dump         migrator in", "dump.bin     ota_1", "factory.bin  ota_0"] {
        assert!(table.contains(part), "{part}\n{text}");
    }
    let json = lab.ends_with(0, &[&good[..], &["--json"]].concat()).json();
    let dumps = json["dumps"].as_array().unwrap();
    let of = |key: &str| dumps.iter().map(|dump| dump[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("flash"), ["dump.bin", "factory.bin"]);
    assert_eq!(of("outcome"), ["planned", "planned"]);
    assert_eq!(of("error"), [Value::Null, Value::Null]);
    assert_eq!(json["total"], "planned");

    let bad = ["plan", "migration.toml", "--flash", "short.bin", "none.bin", "dump.bin", "--json"];
    let ended = lab.ends_with(2, &bad);
    assert!(ended.stderr.contains("no plan for 2 of 3 dumps"), "{}", ended.stderr);
    let json = ended.json();
    let dumps = json["dumps"].as_array().unwrap();
    let of = |key: &str| dumps.iter().map(|dump| dump[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("outcome"), ["unreadable", "unreadable", "planned"]);
    let said = dumps[0]["error"]["message"].as_str().unwrap();
    assert!(said.contains("the dump is cut off: it has 0x200000 bytes"), "{said}");
    let text = lab.ends_with(2, &bad[..6]).stdout;
    assert!(text.contains("none.bin"), "{text}");
}

#[test]
fn a_dump_that_is_cut_off_is_said_to_be() {
    let lab = lab();
    lab.write("short.bin", &updated()[..0x20_0000]);
    for command in ["plan", "simulate"] {
        let ended = lab.ends_with(2, &[command, "migration.toml", "--flash", "short.bin"]);
        assert!(ended.stderr.contains("the dump is cut off"), "{}", ended.stderr);
    }
}

/// A firmware image with room for a migration.
fn firmware(chip: Chip) -> Vec<u8> {
    let text = |text: &str| FixedText::new(text).unwrap();
    let description = AppDescription::new(text("fleet-updater"), text("1.0.0"));
    let data = [&[0x5a; 0x333][..], &[0], Section::empty().bytes(), &[0xa5; 0x1000]].concat();
    ImageBuilder::new(chip).app_segment(0x3c00_0020, &description, &data).build().unwrap()
}

#[test]
fn the_packed_migrator_is_what_is_judged() {
    let lab = lab();
    lab.write("firmware.bin", &firmware(Chip::Esp32s3));
    let network = "\n[network]\nold_credentials = true\n";
    lab.write("migration.toml", format!("{MIGRATION}{network}").as_bytes());
    let pack = ["pack", "migration.toml", "--firmware", "firmware.bin", "--out", "migrator.bin"];
    for more in [&[][..], &["--embed"]] {
        let _ = std::fs::remove_file(lab.path().join("migrator.bin"));
        lab.ends_with(0, &[&pack[..], more].concat());
        let len = lab.read("migrator.bin").len();
        let args = ["--flash", "dump.bin", "--migrator", "migrator.bin", "--json"];
        for command in ["plan", "simulate"] {
            let json = lab.ends_with(0, &[&[command, "migration.toml"], &args[..]].concat()).json();
            if command == "plan" {
                assert_eq!(json["device"]["running_image_size"], len);
                assert_eq!(json["device"]["running_image_assumed"], false);
            } else {
                assert_eq!(json["download"].is_null(), !more.is_empty());
            }
        }
    }
    // Another migration, and no migrator at all.
    lab.write("migration.toml", MIGRATION.replace("app_upd.bin\"\n\n", "x\"\n\n").as_bytes());
    lab.write("app.bin", &synthetic::app(Chip::Esp32s3, "app", "1", 0x8000, 1).unwrap());
    lab.write("migration.toml", format!("{MIGRATION}[network]\nhostname = \"x\"\n").as_bytes());
    for (file, part) in [
        ("migrator.bin", "the migration in this migrator is another one"),
        ("app.bin", "no configuration section"),
        ("mcuboot.bin", "no app description"),
        ("none.bin", "cannot read none.bin"),
    ] {
        let ended = lab.ends_with(2, &["plan", "migration.toml", "--migrator", file]);
        assert!(ended.stderr.contains(part), "{file}: {}", ended.stderr);
    }
}

/// Without a packed image, what `pack` would make of the prebuilt firmware counts.
#[test]
fn the_prebuilt_firmware_gives_the_length() {
    let lab = lab();
    let firmware = firmware(Chip::Esp32s3);
    std::fs::create_dir(lab.path().join("images")).unwrap();
    lab.write("images/bootswap-esp32s3.bin", &firmware);
    for more in [&[][..], &["--flash", "dump.bin"]] {
        let output = crate::program::bootswap(lab.path())
            .args(["plan", "migration.toml", "--json"])
            .args(more)
            .env("BOOTSWAP_FIRMWARE", "images")
            .output()
            .unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["device"]["running_image_size"], firmware.len());
        assert_eq!(json["device"]["running_image_assumed"], false);
    }
}

/// What travels in the migrator counts as `pack` puts it there: without the padding of its slot.
#[test]
fn an_embedded_migration_is_planned_and_simulated() {
    let lab = WorkDir::new();
    let text = MIGRATION.lines().filter(|line| !line.starts_with("url"));
    let text: Vec<&str> = text.collect();
    lab.write("migration.toml", text.join("\n").as_bytes());
    let json = lab.ends_with(0, &["plan", "migration.toml", "--json"]).json();
    let len = json["device"]["running_image_size"].as_u64().unwrap();
    assert!(len < 0xb_0000, "{len:#x}");
    let json = lab.ends_with(0, &["simulate", "migration.toml", "--json"]).json();
    assert_eq!(json["outcome"], "target-running");
    assert_eq!(json["download"], Value::Null);

    let demo = lab.ends_with(0, &["demo", "--chip", "esp32h2", "--out", "h2"]);
    assert!(demo.stdout.contains("target running"), "{}", demo.stdout);
    let toml = String::from_utf8(lab.read("h2/migration.toml")).unwrap();
    let text: Vec<&str> = toml.lines().filter(|line| !line.starts_with("url")).collect();
    lab.write("h2/migration.toml", text.join("\n").as_bytes());
    for args in [&["h2/migration.toml"][..], &["h2/migration.toml", "--flash", "h2/before.bin"]] {
        for command in ["plan", "simulate"] {
            lab.ends_with(0, &[&[command], args].concat());
        }
    }
}

/// The device of the demo before its update has an old app, which is not taken for the migrator.
#[test]
fn the_demos_dump_is_a_device_before_its_update() {
    let lab = WorkDir::new();
    lab.ends_with(0, &["demo", "--out", "demo"]);
    let info = lab.ends_with(0, &["image", "info", "demo/before.bin"]).stdout;
    assert!(info.contains("old-firmware"), "{info}");
    for label in ["factory", "ota_0", "ota_1"] {
        let args = ["--flash", "demo/before.bin", "--running", label];
        for command in ["plan", "simulate"] {
            lab.ends_with(0, &[&[command, "demo/migration.toml"], &args[..]].concat());
        }
    }
}

#[test]
fn a_device_with_nothing_to_go_back_to_is_stuck() {
    let ended = WorkDir::new().ends_with(
        1,
        &["simulate", "migration.toml", "--running", "factory", "--fault", "status=404", "--json"],
    );
    assert_eq!(ended.json()["outcome"], "stuck");
}

#[test]
fn what_would_change_nothing_is_said() {
    let lab = lab();
    for (fault, parts) in [
        ("/app.bin:html", ["affects nothing", "/app_upd.bin, /mcuboot.bin"]),
        ("/app_upd.bin:corrupt", ["changes nothing", "bytes of /app_upd.bin"]),
    ] {
        let ended = lab.ends_with(2, &["simulate", "migration.toml", "--fault", fault]);
        for part in parts {
            assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
        }
    }
    let text = format!("{MIGRATION}\n[allow]\noverwrite = [\"nvss\"]\n");
    lab.write("migration.toml", text.as_bytes());
    for args in [&["migration.toml"][..], &["migration.toml", "--flash", "dump.bin"]] {
        for command in ["plan", "simulate"] {
            let ended = lab.ends_with(2, &[&[command], args].concat());
            for part in
                ["allow.overwrite", "nvss", "partition-table, secure-boot-data, nvs, otadata"]
            {
                assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
            }
        }
    }
}

#[test]
fn a_replayed_cut_leaves_its_flash() {
    let lab = lab();
    let args = ["simulate", "migration.toml", "--replay", "cut:20:after", "--out", "left.bin"];
    lab.ends_with(0, &args);
    let left = lab.read("left.bin");
    assert_eq!(left.len(), 0x40_0000);
    // Power was cut in the middle: the old bootloader is still there, and not everything was
    // fetched.
    let whole = ["simulate", "migration.toml", "--out", "after.bin"];
    lab.ends_with(0, &whole);
    assert_ne!(left, lab.read("after.bin"));
    assert!(!left.starts_with(&lab.read("mcuboot.bin")));
    assert!(lab.read("after.bin").starts_with(&lab.read("mcuboot.bin")));
}

/// Tools that patch a bootloader's header in place leave its SHA-256 as it was. The ROM starts it,
/// and so does everything here, with a warning.
#[test]
fn a_bootloader_with_a_stale_digest_is_accepted_with_a_warning() {
    let lab = WorkDir::new();
    let mut dump = dump("factory");
    // The frequency, from 40 MHz to 20 MHz, as esptool changes it; the digest is not touched.
    assert_eq!(dump[3] & 0xf, 0);
    dump[3] |= 2;
    lab.write("dump.bin", &dump);
    for command in ["plan", "simulate"] {
        let args = [command, "migration.toml", "--flash", "dump.bin", "--json"];
        let ended = lab.ends_with(0, &args);
        for part in ["warning: dump.bin: ", "SHA-256"] {
            assert!(ended.stderr.contains(part), "{command}: {part}\n{}", ended.stderr);
        }
        let outcome = ended.json()["outcome"].clone();
        assert!(["planned", "target-running"].map(Value::from).contains(&outcome), "{outcome}");
    }
    // The ROM requires the checksum.
    dump[0x20] ^= 1;
    lab.write("dump.bin", &dump);
    let ended = lab.ends_with(2, &["plan", "migration.toml", "--flash", "dump.bin"]);
    assert!(ended.stderr.contains("no complete bootloader at 0x0"), "{}", ended.stderr);
}
