//! `bootswap plan`.

use device_sim::synthetic;
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use mcuboot_format::builder::Padding;

use crate::program::{MIGRATION, WorkDir, bootloader, dump, target};

#[test]
fn the_example_is_planned() {
    let ended = WorkDir::new().ends_with(0, &["plan", "migration.toml"]);
    assert_eq!(ended.stderr, "");
    for part in [
        "esp32s3 with 4MB of flash, as the migration says",
        "factory, with an image of 0xa0000 bytes, which is assumed",
        "  1  fetch app to 0x110000..0x210000 (destination)",
        "commit bootloader to 0x0..",
        "reset",
        "from factory: application to the secondary slot, MCUboot swaps it in",
        "in 8       none: this is the commit window",
        "in 9       MCUboot boots and swaps the application in",
        "all  until the reset",
        "MCUboot's swap after it",
        "until the target runs",
        "Costs until the reset are an upper estimate",
        "0x009000  0x00d000  nvs                       \"                         \"",
    ] {
        assert!(ended.stdout.contains(part), "{part}\n{}", ended.stdout);
    }
}

#[test]
fn a_plan_as_json_has_stable_keys() {
    let json = WorkDir::new().ends_with(0, &["plan", "migration.toml", "--json"]).json();
    assert_eq!(json["outcome"], "planned");
    assert_eq!(json["reasons"], serde_json::json!([]));
    assert_eq!(json["device"]["running"], "factory");
    assert_eq!(json["device"]["running_image_assumed"], true);
    assert_eq!(json["device"]["previous"], serde_json::Value::Null);
    let steps = json["steps"].as_array().unwrap();
    let actions: Vec<&str> = steps.iter().map(|step| step["action"].as_str().unwrap()).collect();
    assert_eq!(actions.first(), Some(&"fetch"));
    assert_eq!(actions[actions.len() - 2..], ["commit", "reset"]);
    let commit = &steps[steps.len() - 2];
    assert_eq!(
        (&commit["artifact"], &commit["to"][0]["offset"]),
        (&"bootloader".into(), &0.into())
    );
    assert_eq!(json["commit"]["offset"], 0);
    assert_eq!(json["strategy"], "secondary-and-swap");
    assert_eq!(json["stages"][0]["preferred"], "secondary-and-swap");
    assert_eq!(json["stages"][0]["objections"], serde_json::json!([]));
    // The costs of the steps add up to the total, and the commit's cost is that of the window.
    let counted = |key: &str| {
        let steps: u64 = steps.iter().map(|step| step["cost"][key].as_u64().unwrap()).sum();
        steps + json["stages"][0]["checkpoints"][key].as_u64().unwrap()
    };
    for key in ["erase_4k", "erase_32k", "erase_64k", "pages_programmed"] {
        assert_eq!(json["cost"][key].as_u64(), Some(counted(key)), "{key}");
    }
    let window = &json["commit_window"];
    for key in ["typ_ms", "max_ms"] {
        assert!(json["cost"][key].as_f64() > window[key].as_f64());
        assert_eq!(window[key], commit["cost"][key]);
    }
    assert_eq!(
        (&window["erase_ops"], &window["pages"]),
        (&1.into(), &commit["cost"]["pages_programmed"])
    );
    assert_eq!(window["assumed_blank"], serde_json::Value::Null);
    // The way back at each step.
    let codes: Vec<&str> =
        steps.iter().map(|step| step["way_back"]["code"].as_str().unwrap()).collect();
    assert!(codes[..codes.len() - 2].iter().all(|code| *code == "migrator"), "{codes:?}");
    assert_eq!(codes[codes.len() - 2..], ["none", "new-bootloader"]);
    let back = steps[0]["way_back"]["message"].as_str().unwrap();
    assert_eq!(back, "boots this migrator again, from factory");
    // The map covers the flash without gap.
    let map = json["flash_map"].as_array().unwrap();
    let mut at = 0;
    for row in map {
        for key in ["today", "before", "at_commit", "after"] {
            assert!(row[key].is_string(), "{key}: {row}");
        }
        assert!(row["then"].is_array(), "{row}");
        assert_eq!(row["offset"], at, "{row}");
        at += row["size"].as_u64().unwrap();
    }
    assert_eq!(at, 0x40_0000);
}

#[test]
fn a_dump_tells_what_the_migration_does_not() {
    let lab = WorkDir::new();
    lab.write("dump.bin", &dump("factory"));
    lab.write("migration.toml", MIGRATION.replace("partitions", "# partitions").as_bytes());
    let json =
        lab.ends_with(0, &["plan", "migration.toml", "--flash", "dump.bin", "--json"]).json();
    let device = &json["device"];
    assert_eq!(device["known_from"], "dump");
    // The old app runs from factory, so the update installs the migrator in the first slot.
    assert_eq!(device["running"], "ota_0");
    assert_eq!(device["running_image_size"], 0xa_0000);
    assert_eq!(device["running_image_assumed"], true);
    assert_eq!(device["previous"], "factory");

    let ended = lab.ends_with(2, &["plan", "migration.toml"]);
    assert!(ended.stderr.contains("names no partition table"), "{}", ended.stderr);
    assert!(ended.stderr.contains("--flash"), "{}", ended.stderr);
}

#[test]
fn a_device_that_was_migrated_is_not_planned_again() {
    let lab = WorkDir::new();
    let mut flash = dump("factory");
    let bootloader = bootloader(2);
    flash[..bootloader.len()].copy_from_slice(&bootloader);
    lab.write("after.bin", &flash);
    let ended = lab.ends_with(2, &["plan", "migration.toml", "--flash", "after.bin"]);
    assert!(
        ended.stderr.contains("after.bin: the device has the target bootloader already, at 0x0")
    );
}

#[test]
fn a_refusal_is_an_answer_with_status_1() {
    let lab = WorkDir::new();
    let other = synthetic::bootloader(Chip::Esp32c3, FlashSize::Mb8, 0x6000, 2).unwrap();
    lab.write("mcuboot.bin", &other);
    let args = ["plan", "migration.toml"];
    let ended = lab.ends_with(1, &args);
    assert_eq!(ended.stderr, "");
    for part in
        ["refused:\n  wrong-image-chip: bootloader is built for esp32c3", "  flash-too-small: "]
    {
        assert!(ended.stdout.contains(part), "{}", ended.stdout);
    }
    let json = lab.ends_with(1, &[&args[..], &["--json"]].concat()).json();
    assert_eq!(json["outcome"], "refused");
    let reasons = json["reasons"].as_array().unwrap();
    let codes: Vec<_> = reasons.iter().map(|reason| reason["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["wrong-image-chip", "flash-too-small"]);
    assert!(reasons[0]["message"].as_str().unwrap().contains("build it for esp32s3"));
    assert_eq!((&json["steps"], &json["stages"]), (&serde_json::json!([]), &serde_json::json!([])));
    for key in [
        "flash_map",
        "strategy",
        "cost",
        "swap",
        "until_target",
        "commit",
        "commit_window",
        "journal",
    ] {
        assert_eq!(json[key], serde_json::Value::Null, "{key}");
    }
}

/// With swap using move the target has to go straight to the primary slot. A migrator that runs
/// there moves away first, and then it is told what it does from there.
#[test]
fn a_move_is_planned_to_its_end() {
    let lab = WorkDir::new();
    lab.write("migration.toml", MIGRATION.replace("\"scratch\"", "\"move\"").as_bytes());
    let args = ["plan", "migration.toml"];
    let json = lab.ends_with(0, &[&args[..], &["--json"]].concat()).json();
    let stages = json["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 2);
    assert_eq!(
        (&stages[0]["strategy"], &stages[0]["running"]),
        (&"relocate".into(), &"factory".into())
    );
    assert_eq!(stages[1]["strategy"], "straight-to-primary");
    assert_eq!(json["strategy"], "relocate");
    assert_eq!(stages[0]["preferred"], "straight-to-primary");
    assert_eq!(stages[0]["objections"][0]["code"], "over-running-code");
    assert_eq!(stages[1]["objections"], serde_json::json!([]));
    let steps = json["steps"].as_array().unwrap();
    let count: u64 = stages.iter().map(|stage| stage["steps"].as_u64().unwrap()).sum();
    assert_eq!(count, steps.len() as u64);
    let actions: Vec<&str> = steps.iter().map(|step| step["action"].as_str().unwrap()).collect();
    let moved = actions.iter().position(|action| *action == "reset-into-copy").unwrap();
    assert!(actions[..moved].contains(&"copy-self") && actions[moved..].contains(&"commit"));
    assert_eq!(actions.last(), Some(&"reset"));

    let text = lab.ends_with(0, &args).stdout;
    let second = format!(
        "from {}: application straight to the primary slot",
        stages[1]["running"].as_str().unwrap()
    );
    assert!(
        text.contains("from factory: the migrator moves first") && text.contains(&second),
        "{text}"
    );
    for part in [
        "relocate instead of straight-to-primary, because\n    over-running-code: ",
        "in 2       boots this migrator again, from factory or as the copy in ota_0",
        "ota_0: migrator's copy",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn an_image_on_trial_is_refused_unless_it_is_allowed() {
    let lab = WorkDir::new();
    lab.write("app_upd.bin", &target(Padding::Pending));
    let json = lab.ends_with(1, &["plan", "migration.toml", "--json"]).json();
    assert_eq!(json["reasons"][0]["code"], "not-confirmed");
    lab.write("migration.toml", format!("{MIGRATION}\n[allow]\ntest_image = true\n").as_bytes());
    lab.ends_with(0, &["plan", "migration.toml"]);
}

#[test]
fn a_damaged_image_is_status_1_and_names_file_and_offset() {
    let lab = WorkDir::new();
    let mut app = target(Padding::Confirmed);
    app[0x1000] ^= 1;
    lab.write("app_upd.bin", &app);
    let ended = lab.ends_with(1, &["plan", "migration.toml"]);
    assert_eq!(ended.stdout, "");
    for part in [
        "migration.toml: app.file: app_upd.bin",
        "TLV SHA256 (0x10) at offset 0x20",
        "migration.toml:16:10",
        "help",
    ] {
        assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
    }
}

#[test]
fn bad_input_is_status_2_and_names_what_to_change() {
    let lab = WorkDir::new();
    lab.write("typo.toml", MIGRATION.replace("flash_size", "flashsize").as_bytes());
    lab.write("short.bin", &dump("factory")[..0x10_0001]);
    for (args, parts) in [
        (&["plan", "none.toml"][..], ["cannot read none.toml", "path"]),
        (
            &["plan", "typo.toml"],
            ["typo.toml: flashsize: there is no such key", "did you mean `flash_size`?"],
        ),
        (&["plan", "migration.toml", "--flash", "none.bin"], ["cannot read none.bin", "path"]),
        (
            &["plan", "migration.toml", "--flash", "short.bin"],
            ["short.bin: 0x100001 bytes are not a flash size", "esptool"],
        ),
        (
            &["plan", "migration.toml", "--running", "app0"],
            ["no partition is labelled \"app0\"", "factory, ota_0, ota_1"],
        ),
    ] {
        let ended = lab.ends_with(2, args);
        assert_eq!(ended.stdout, "", "{args:?}");
        for part in parts {
            assert!(ended.stderr.contains(part), "{args:?}: {part}\n{}", ended.stderr);
        }
    }
}

/// Steps with numbers of two digits, and the words after them.
#[test]
fn the_way_back_of_late_steps_is_told_apart_from_their_numbers() {
    let lab = WorkDir::new();
    let mut text = MIGRATION.to_owned();
    for n in 0..6 {
        lab.write(&format!("data{n}.bin"), &[n; 100]);
        text += &format!(
            "[[artifact]]\nname = \"data{n}\"\nfile = \"data{n}.bin\"\nurl = \"http://lab/{n}\"\n\
             dest = {:#x}\nsize = 0x1000\n",
            0x32_0000 + u32::from(n) * 0x1000
        );
    }
    lab.write("migration.toml", text.as_bytes());
    let plan = lab.ends_with(0, &["plan", "migration.toml"]).stdout;
    let (_, told) = plan.split_once("if power is lost\n").unwrap();
    let lines: Vec<&str> = told.lines().take_while(|line| line.starts_with("  ")).collect();
    let mut late = 0;
    for line in lines.iter().filter_map(|line| line.strip_prefix("  in ")) {
        let mut words = line.split_whitespace();
        let number = |word: Option<&str>| word.unwrap().parse::<u32>();
        let first = number(words.next()).unwrap_or_else(|_| panic!("{line:?}"));
        if words.next() == Some("to") {
            let last = number(words.next()).unwrap_or_else(|_| panic!("{line:?}"));
            assert!(first < last, "{line}");
        }
        late += u32::from(first >= 10);
    }
    assert!(late > 0, "{told}");
}
