//! What cannot be checked is listed as assumed, and labels that do not exist are refused.

use esp_idf_format::Chip;
use esp_idf_format::image;
use serde_json::Value;

use crate::pack::{PACK, firmware};
use crate::program::{MIGRATION, WorkDir, bootloader, dump};
use bootswap_config::Section;

/// Keys and values of what a command's JSON says is assumed.
fn assumed(json: &Value) -> Vec<String> {
    let all = json["assumed"].as_array().unwrap().iter();
    let one = |of: &Value| {
        assert!(of["message"].as_str().unwrap().len() > 20, "{of}");
        format!("{} {}", of["key"].as_str().unwrap(), of["value"].as_str().unwrap_or("-"))
    };
    // What the stand-in for MCUboot does not say about its map.
    all.map(one).filter(|of| !of.starts_with("mcuboot")).collect()
}

#[test]
fn what_no_dump_shows_of_the_board_is_named() {
    let lab = WorkDir::new();
    lab.write("dump.bin", &dump("factory"));
    let said = |args: &[&str]| {
        let plan = assumed(
            &lab.ends_with(0, &[&["plan", "migration.toml", "--json"], args].concat()).json(),
        );
        let simulate =
            lab.ends_with(0, &[&["simulate", "migration.toml", "--json"], args].concat());
        assert_eq!(assumed(&simulate.json()), plan, "{args:?}");
        plan
    };
    let dumped = ["--flash", "dump.bin"];
    assert_eq!(said(&[]), ["flash_size 4MB", "bootloader.file dio, 40 MHz"]);
    assert_eq!(said(&dumped), [""; 0]);
    let text = lab.ends_with(0, &["simulate", "migration.toml"]).stdout;
    assert!(text.contains("assumed: bootloader.file is dio, 40 MHz: no dump shows"), "{text}");

    // Faster than what is in place, and not for every revision.
    let mut fast = bootloader(2);
    fast[3] = fast[3] & 0xf0 | 0xf;
    fast[15..19].copy_from_slice(&[2, 0, 199, 0]);
    image::update_checksums(&mut fast).unwrap();
    lab.write("mcuboot.bin", &fast);
    let revisions = "bootloader.file for revisions v0.2 to v1.99 of the chip";
    assert_eq!(said(&[]), ["flash_size 4MB", "bootloader.file dio, 80 MHz", revisions]);
    assert_eq!(said(&dumped), ["bootloader.file 80 MHz", revisions]);

    lab.write("migration.toml", MIGRATION.replace("flash_size", "# flash_size").as_bytes());
    let json = lab.ends_with(0, &["plan", "migration.toml", "--json"]).json();
    let message = &json["assumed"].as_array().unwrap().iter();
    let mut message = message.clone().filter(|of| of["key"] == "flash_size");
    let message = message.next().unwrap()["message"].as_str().unwrap();
    assert!(message.contains("neither a dump nor the migration"), "{message}");
}

/// For a chip without a radio, `pack`, `plan` and `simulate` agree: every artifact that has a file
/// is embedded in the migrator, whether it has a URL or not.
#[test]
fn a_chip_without_radio_embeds_what_has_an_address_too() {
    let lab = WorkDir::new();
    lab.ends_with(0, &["demo", "--chip", "esp32h2", "--out", "h2"]);
    let text = String::from_utf8(lab.read("h2/migration.toml")).unwrap();
    assert!(!text.contains("\nurl"), "{text}");
    let with_urls = text.replace("\n# url", "\nurl");
    assert!(with_urls.matches("\nurl").count() == 2, "{text}");
    let run = |text: &str| {
        lab.write("h2/migration.toml", text.as_bytes());
        let plan = lab.ends_with(0, &["plan", "h2/migration.toml", "--json"]).json();
        let simulate = lab.ends_with(0, &["simulate", "h2/migration.toml", "--json"]).json();
        assert_eq!(simulate["outcome"], "target-running");
        assert_eq!(simulate["download"], Value::Null);
        lab.write("firmware.bin", &firmware(Chip::Esp32h2, Section::empty().bytes()));
        let args = ["--firmware", "firmware.bin", "--out", "migrator.bin", "--force"];
        lab.ends_with(0, &[&["pack", "h2/migration.toml"], &args[..]].concat());
        (plan, lab.read("migrator.bin"))
    };
    let (plan, migrator) = run(&with_urls);
    assert_eq!((plan, migrator.clone()), run(&text));
    let embedded = ["--firmware", "firmware.bin", "--out", "embedded.bin", "--embed"];
    lab.ends_with(0, &[&["pack", "h2/migration.toml"], &embedded[..]].concat());
    assert!(lab.read("embedded.bin") == migrator);

    // Without its file it can neither be fetched nor embedded.
    lab.write("h2/migration.toml", with_urls.replace("file   = \"mcuboot.bin\"\n", "").as_bytes());
    let args = ["pack", "h2/migration.toml", "--firmware", "firmware.bin", "--out", "other.bin"];
    let ended = lab.ends_with(2, &args);
    let part = "bootloader: there is no `file`, and esp32h2 has no Wi-Fi to fetch it with";
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
    let json = lab.ends_with(1, &["plan", "h2/migration.toml", "--json"]).json();
    assert_eq!(json["reasons"][0]["code"], "no-radio");
}

/// A label that no partition has is a mistake, whichever key has it, and both commands say so.
#[test]
fn labels_that_do_not_exist_are_refused_by_plan_and_pack() {
    let lab = WorkDir::new();
    lab.write("firmware.bin", &firmware(Chip::Esp32s3, Section::empty().bytes()));
    let factory = "running    = \"factory\"";
    for (from, to, status, part) in [
        (factory, "running    = \"factroy\"", 2, "no partition is labelled \"factroy\""),
        (factory, "running    = \"nvs\"", 2, "the partition \"nvs\" holds data"),
        (
            "[app]",
            "[allow]\noverwrite = [\"nvs\", \"stroage\"]\n[app]",
            2,
            "allow.overwrite: no partition is labelled \"stroage\"",
        ),
        ("[app]", "[staging]\nlabel = \"stroage\"\n[app]", 1, "no partition has the label stroage"),
    ] {
        let text = MIGRATION.replacen(from, to, 1);
        lab.write("migration.toml", text.as_bytes());
        for command in [&["plan", "migration.toml"][..], &PACK] {
            let ended = lab.ends_with(status, command);
            let all = ended.stdout + &ended.stderr;
            let all = all.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(all.contains(part), "{command:?}: {all}");
        }
        assert!(!lab.path().join("migrator.bin").exists(), "{to}");
        // Nothing shows what the devices have.
        lab.write("migration.toml", text.replace("partitions", "# partitions").as_bytes());
        let ended = lab.ends_with(0, &PACK);
        let key = [
            "running is factroy",
            "running is nvs",
            "allow.overwrite is stroage",
            "staging.label is stroage",
        ];
        let is_named = key
            .iter()
            .any(|key| ended.stderr.contains(&format!("warning: assumed: {key}: without")));
        assert!(is_named, "{}", ended.stderr);
        std::fs::remove_file(lab.path().join("migrator.bin")).unwrap();
    }
}

/// All reasons against one file are named, the planner's and the engine's.
#[test]
fn every_reason_against_a_file_is_named_at_once() {
    use mcuboot_format::SwapKind;
    use mcuboot_format::builder::{Padding, SignOptions, sign};
    let lab = WorkDir::new();
    let options = SignOptions {
        padding: Padding::Pending,
        ..SignOptions::espressif(0x10_0000, SwapKind::Scratch)
    };
    // No load header, and not confirmed; and a bootloader with a frequency that does not exist.
    lab.write("app_upd.bin", &sign(&[0x13; 0x4000], &options).unwrap());
    let mut slow = bootloader(2);
    slow[3] = slow[3] & 0xf0 | 3;
    image::update_checksums(&mut slow).unwrap();
    lab.write("mcuboot.bin", &slow);
    let codes = || {
        let json = lab.ends_with(1, &["plan", "migration.toml", "--json"]).json();
        let reasons = json["reasons"].as_array().unwrap().iter();
        reasons.map(|reason| reason["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes(), ["not-confirmed", "load-header", "rom-refuses"]);
    lab.write("migration.toml", format!("{MIGRATION}[allow]\ntest_image = true\n").as_bytes());
    assert_eq!(codes(), ["load-header", "rom-refuses"]);
}
