//! The ESP-IDF component in `esp-idf/`: the real CMake, Ninja, kconfgen, partition tables and
//! program, and a stand-in of what the component uses of ESP-IDF's build system, in `idf/`.
//!
//! The project that is built is the example, `esp-idf/example`.

// Everything here is test code: a failure has no caller to be reported to but the test's output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../esp_idf_support/firmware.rs"]
mod firmware;
mod project;

use std::fs;
use std::process::Command;

use bootswap_migration::load;
use conformance::program::Ran;
use conformance::{python, walk_through, workspace_root};
use esp_idf_format::Chip;
use project::Project;

/// Runs the program.
fn bootswap<const N: usize>(args: [&std::ffi::OsStr; N]) -> Ran {
    Ran::of(Command::new(walk_through::program()).args(args)).expect_success()
}

/// What the packed migrator would do, as the program shows it.
fn info(project: &Project) -> String {
    let migrator = project.built("migrator.bin");
    let _ = bootswap(["image".as_ref(), "verify".as_ref(), migrator.as_ref()]);
    bootswap(["image".as_ref(), "info".as_ref(), migrator.as_ref()]).stdout
}

/// How sdkconfig has a text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[test]
fn a_build_packs_the_migrator_and_flash_writes_it_in_the_apps_place() {
    let project = Project::example(Chip::Esp32c3);
    let ran = project.build();
    let said = format!("wrote {}", project.built("migrator.bin").display());
    assert!(ran.stdout.contains(&said), "{ran}");
    let info = info(&project);
    for wanted in [
        "http://192.168.100.101:8070/mcuboot.bin",
        "http://192.168.100.101:8070/app_upd.bin",
        "primary slot   0x10000, 0x100000 bytes",
        "flash          4 MB",
    ] {
        assert!(info.contains(wanted), "{wanted:?} is missing:\n{info}");
    }
    let table = fs::read(project.built("partition_table/partition-table.bin")).unwrap();
    let migration = load(&project.built("migration.toml")).unwrap();
    assert!(migration.partition_table.unwrap() == table, "the project's table");

    for (target, count) in [("flash", 2), ("app-flash", 1)] {
        let args = project.text(&format!("{target}_args"));
        assert!(args.contains("\n0x10000 migrator.bin\n"), "{args}");
        assert!(!args.contains("old_firmware.bin"), "{args}");
        let json = project.text(&format!("{target}_json"));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["flash_files"].as_object().unwrap().len(), count, "{json}");
        assert_eq!(json["flash_files"]["0x10000"], "migrator.bin");
        assert_eq!(json["app"]["file"], "migrator.bin");
        assert_eq!(json["app"]["offset"], "0x10000");
        let _ = project.run(target).expect_success();
    }

    // What `idf.py merge-bin` does: esptool makes a flash of these arguments.
    let mut esptool = python::command();
    esptool.args(["-m", "esptool", "--chip", "esp32c3", "merge-bin", "--output", "merged.bin"]);
    let _ = Ran::of(esptool.arg("@flash_args").current_dir(project.built(""))).expect_success();
    let merged = fs::read(project.built("merged.bin")).unwrap();
    let migrator = fs::read(project.built("migrator.bin")).unwrap();
    assert!(merged[0x10000..].starts_with(&migrator));
    assert!(merged[0x8000..].starts_with(&table));
}

#[test]
fn the_projects_app_stays_where_the_owner_wants_it() {
    let project = Project::example(Chip::Esp32);
    project.set(&[("BOOTSWAP_FLASH_MIGRATOR", "n"), ("BOOTSWAP_FLASH_APP", "y")]);
    let _ = project.build();
    assert!(info(&project).contains("app_upd.bin"));
    assert!(project.text("flash_args").contains("\n0x10000 old_firmware.bin\n"));
    assert!(project.text("app-flash_args").contains("\n0x10000 old_firmware.bin\n"));
}

/// Texts that CMake, a shell or TOML would change or end at.
const AWKWARD: [&str; 3] =
    [r#"a"b\c;d $e '#`{}[]"#, r#"${HOME} $ENV{HOME} \${x} @x@"#, "\\\\ \u{7f} ü🔑 ;;\\;"];

#[test]
fn awkward_values_arrive_unharmed_and_passwords_are_not_printed() {
    let project = Project::example(Chip::Esp32c3);
    for text in AWKWARD {
        let password = format!("{text}{text}");
        project.set(&[
            ("BOOTSWAP_WIFI_SSID", &quoted(text)),
            ("BOOTSWAP_WIFI_PASSWORD", &quoted(&password)),
            ("BOOTSWAP_RESCUE_SSID", &quoted("rescue")),
            ("BOOTSWAP_RESCUE_PASSWORD", &quoted(&password)),
            ("BOOTSWAP_OLD_CREDENTIALS", "n"),
        ]);
        let ran = project.build();
        assert!(!format!("{ran}").contains(text), "{ran}");
        let network = load(&project.built("migration.toml")).unwrap().network;
        assert!(!network.old_credentials);
        let wifi = &network.wifi[0];
        assert_eq!((&*wifi.ssid, &*wifi.password), (text.as_bytes(), &*password));
        assert_eq!(network.rescue.unwrap().password, password);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let found = fs::metadata(project.built("migration.toml")).unwrap().permissions();
        assert_eq!(found.mode() & 0o777, 0o600);
    }
}

#[test]
fn every_value_of_the_menu_is_in_the_migration() {
    let project = Project::example(Chip::Esp32c3);
    fs::write(project.path("nets.toml"), "[[network.wifi]]\nssid = \"second\"\n").unwrap();
    project.set(&[
        ("BOOTSWAP_BOOTLOADER_SIZE", "0x8000"),
        ("BOOTSWAP_SLOT_SIZE", "0xf0000"),
        ("BOOTSWAP_SECONDARY_ADDRESS", "0x120000"),
        ("BOOTSWAP_SWAP_SCRATCH", "n"),
        ("BOOTSWAP_SWAP_MOVE", "y"),
        ("BOOTSWAP_APP_CONFIRM", "y"),
        ("BOOTSWAP_STAGING_CHOSEN", "n"),
        ("BOOTSWAP_STAGING_PARTITION", "y"),
        ("BOOTSWAP_STAGING_LABEL", "\"ota_1\""),
        ("BOOTSWAP_OVERWRITE", "\" nvs  phy_init \""),
        ("BOOTSWAP_TEST_IMAGE", "y"),
        ("BOOTSWAP_WIFI_SSID", "\"first\""),
        ("BOOTSWAP_HOSTNAME", "\"sensor\""),
        ("BOOTSWAP_VERSION", "\"2.1.0\""),
        ("BOOTSWAP_PROJECT", "\"old\""),
        ("BOOTSWAP_LOG_INFO", "n"),
        ("BOOTSWAP_LOG_DEBUG", "y"),
        ("BOOTSWAP_FURTHER_KEYS", "\"nets.toml\""),
    ]);
    // Whether these values are a migration is not asked here: they are only written.
    let _ = project.run("all");
    let text = project.text("migration.toml");
    let table = project.built("partition_table/partition-table.bin");
    let file = |name: &str| project.path("").join("files").join(name);
    let nets = project.path("nets.toml");
    let wanted = format!(
        r#"# Written by every build, from the menu `bootswap` of `idf.py menuconfig`.
chip = "esp32c3"
flash_size = "4MB"
partitions = "{}"
partition_table_offset = 0x8000

[mcuboot]
primary.offset = 0x10000
primary.size = 0xf0000
secondary.offset = 0x120000
secondary.size = 0xf0000
swap = "move"

[app]
file = "{}"
url = "http://192.168.100.101:8070/app_upd.bin"
confirm = true

[bootloader]
file = "{}"
url = "http://192.168.100.101:8070/mcuboot.bin"
size = 0x8000

[staging]
label = "ota_1"

[allow]
test_image = true
overwrite = ["nvs", "phy_init"]

[network]
old_credentials = true
hostname = "sensor"

[[network.wifi]]
ssid = "first"

[migrator]
version = "2.1.0"
project = "old"

[log]
level = "debug"

# From "{}":
[[network.wifi]]
ssid = "second"
"#,
        table.display(),
        file("app_upd.bin").display(),
        file("mcuboot.bin").display(),
        nets.display(),
    );
    assert_eq!(text, wanted);
    let migration = load(&project.built("migration.toml")).unwrap();
    assert_eq!(migration.network.wifi.len(), 2);
}

/// Options of the menu, and what the build then says.
type Mistake = (&'static [(&'static str, &'static str)], &'static [&'static str]);

#[test]
fn what_is_wrong_stops_the_build_and_says_why() {
    let project = Project::example(Chip::Esp32c3);
    let _ = project.build();
    let right = fs::read_to_string(project.sdkconfig()).unwrap();
    let wrong: [Mistake; 9] = [
        (
            &[("BOOTSWAP_PROGRAM", "\"no-such-program\"")],
            &["no program no-such-program on the PATH", "'Program'", "menuconfig"],
        ),
        (&[("BOOTSWAP_PROGRAM", "\"./no/such\"")], &["no program ./no/such:"]),
        (&[("BOOTSWAP_FIRMWARE", "\"no.bin\"")], &["no.bin"]),
        (&[("BOOTSWAP_APP_URL", "\"\"")], &["'Address' of 'Target application' is empty"]),
        (&[("BOOTSWAP_BOOTLOADER_URL", "\"\"")], &["'Address' of 'Target bootloader' is empty"]),
        (&[("BOOTSWAP_APP_URL", "\"https://host/app\"")], &["https", "http://"]),
        (&[("BOOTSWAP_APP_FILE", "\"files/none.bin\"")], &["files/none.bin"]),
        (&[("BOOTSWAP_PRIMARY_ADDRESS", "0x8000")], &["bootloader-differs", "0x8000"]),
        (
            &[("BOOTSWAP_EMBED", "y"), ("BOOTSWAP_APP_FILE", "\"\"")],
            &["'File' of 'Target application' is empty"],
        ),
    ];
    for (options, causes) in wrong {
        fs::write(project.sdkconfig(), &right).unwrap();
        project.set(options);
        for target in ["all", "flash"] {
            let ran = project.run(target).expect_failure();
            for cause in causes {
                let said = format!("{}{}", ran.stdout, ran.stderr);
                assert!(said.contains(cause), "{options:?}: {cause:?} is missing: {ran}");
            }
            assert!(!project.built("migrator.bin").exists(), "{options:?}: of an earlier build");
        }
    }
    fs::write(project.sdkconfig(), &right).unwrap();
    let _ = project.build();
    assert!(project.built("migrator.bin").exists());
}

#[test]
fn what_has_changed_is_in_the_next_build() {
    let project = Project::example(Chip::Esp32c3);
    let built = || {
        let _ = project.build();
        fs::read(project.built("migrator.bin")).unwrap()
    };
    let first = built();
    assert!(built() == first, "nothing has changed");
    project.set(&[("BOOTSWAP_HOSTNAME", "\"sensor\"")]);
    let second = built();
    assert!(second != first, "a value has changed");
    let app = project.path("files/app_upd.bin");
    let demo = fs::read(&app).unwrap();
    let mut signed = Command::new(walk_through::program());
    let unsigned = project.path("demo/app.bin");
    signed.args(["image", "sign", "--version", "9.9.9", "--slot-size", "0x100000"]);
    signed.args(["--confirm", "--force", "--pad-header", "--out"]).arg(&app).arg(&unsigned);
    let _ = Ran::of(&mut signed).expect_success();
    assert!(fs::read(&app).unwrap() != demo);
    assert!(built() != second, "a file has changed");
}

#[test]
fn a_migration_in_a_file_of_ones_own_is_packed() {
    let project = Project::example(Chip::Esp32c3);
    project.set(&[
        ("BOOTSWAP_MIGRATION_MENU", "n"),
        ("BOOTSWAP_MIGRATION_FILE", "y"),
        ("BOOTSWAP_MIGRATION_FILE_PATH", "\"demo/migration.toml\""),
    ]);
    let _ = project.build();
    assert!(info(&project).contains("primary slot   0x10000, 0x100000 bytes"));
    assert!(!project.built("migration.toml").exists(), "nothing is written from the menu");
    // For another chip than the project's it is refused.
    let path = project.path("demo/migration.toml");
    let text = fs::read_to_string(&path).unwrap().replace("\"esp32c3\"", "\"esp32\"");
    fs::write(&path, text).unwrap();
    let ran = project.run("all").expect_failure();
    assert!(format!("{ran}").contains("esp32c3"), "{ran}");
}

#[test]
fn a_chip_without_a_radio_gets_both_files_in_the_migrator() {
    let project = Project::example(Chip::Esp32h2);
    let _ = project.build();
    let text = project.text("migration.toml");
    assert!(!text.contains("url") && !text.contains("[network]"), "{text}");
    let info = info(&project);
    assert_eq!(info.matches("this file, where it is embedded").count(), 2, "{info}");
}

#[test]
fn an_esp_idf_that_flashes_in_another_way_does_not_flash_the_old_app() {
    let mut project = Project::example(Chip::Esp32c3);
    project.defines = vec!["-DSTAND_IN_KEEPS_NO_IMAGES=1".to_owned()];
    let ran = project.run("flash").expect_failure();
    assert!(ran.stdout.contains("this ESP-IDF keeps what 'flash' writes in another way"), "{ran}");
    project.set(&[("BOOTSWAP_FLASH_MIGRATOR", "n"), ("BOOTSWAP_FLASH_APP", "y")]);
    let _ = project.build();
    assert!(project.built("migrator.bin").exists());
}

#[test]
fn nothing_is_built_for_devices_that_cannot_be_migrated() {
    for option in ["SECURE_BOOT", "SECURE_FLASH_ENC_ENABLED"] {
        let project = Project::example(Chip::Esp32c3);
        project.set(&[(option, "y")]);
        let _ = project.build();
        assert!(!project.built("migrator.bin").exists(), "{option}");
        assert!(project.text("flash_args").contains("old_firmware.bin"), "{option}");
    }
}

/// Espressif's checker of Kconfig files, and a manifest that names what the program can do.
#[test]
fn kconfig_and_manifest_are_well_formed() {
    let component = workspace_root().join("esp-idf/bootswap");
    let kconfig = component.join("Kconfig.projbuild");
    let checked = python::run(["-m".as_ref(), "kconfcheck".as_ref(), kconfig.as_os_str()]);
    let _ = checked.expect_success();
    let script = "import sys, json, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let manifest = component.join("idf_component.yml");
    let read = python::run(["-c".as_ref(), script.as_ref(), manifest.as_os_str()]);
    let manifest: serde_json::Value = serde_json::from_str(&read.expect_success().stdout).unwrap();
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
    let targets: Vec<&str> = Chip::ALL.iter().map(|chip| chip.name()).collect();
    let mut named: Vec<&str> =
        manifest["targets"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    named.sort_unstable();
    let mut wanted = targets;
    wanted.sort_unstable();
    assert_eq!(named, wanted);
}
