//! Migration files.

use std::fs;
use std::path::Path;

use bootswap_config::{LogLevel, SECTION_LEN_BYTES, Storage, decode, encode};
use bootswap_migration::{OwnedArtifact, OwnedMigration, OwnedStaging, OwnedWifi, parse};
use bootswap_migration::{facts, plan};
use bootswap_plan::Role;
use flash_region::Region;
use mcuboot_format::SwapKind;
use miette::{Diagnostic, Report};
use toml::{Table, Value};

use crate::planner::check_plan;

/// A directory with the files that migrations name: `partitions.csv`, `app.bin`, `bootloader.bin`
/// and `key.pem`.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/files");

/// Reads a migration, compares it with a TOML parser's reading of it, and plans it.
///
/// The input is a text.
pub fn migration_toml(input: &[u8]) {
    let Ok(text) = core::str::from_utf8(input) else { return };
    // Some files, such as /dev/zero, never end.
    if names_outside(text) {
        return;
    }
    let path = Path::new(FILES).join("migration.toml");
    let table = text.parse::<Table>();
    match parse(text, &path) {
        Ok(migration) => {
            check(&table.expect("read by the other reader"), &migration);
            plan_it(&migration);
        }
        Err(error) => {
            let message = error.to_string();
            let path = path.display().to_string();
            assert!(message.starts_with(&path) && message.len() > path.len() + 8, "{message}");
            let help = error.help().expect("an error says what to do").to_string();
            assert!(!help.is_empty());
            // With the lines that it is about, and where in them.
            assert!(format!("{:?}", Report::new(error)).contains("migration.toml"));
            assert!(!message.contains(": not valid TOML") || table.is_err(), "{message}");
        }
    }
}

/// Whether it names a file outside of the directory.
fn names_outside(text: &str) -> bool {
    let Ok(table) = text.parse::<Table>() else { return false };
    fn outside(value: &Value) -> bool {
        match value {
            Value::String(text) => {
                !text.starts_with("http") && (text.starts_with('/') || text.contains(".."))
            }
            Value::Array(values) => values.iter().any(outside),
            Value::Table(table) => table.values().any(outside),
            _ => false,
        }
    }
    table.values().any(outside)
}

fn text<'t>(table: &'t Table, key: &str) -> Option<&'t str> {
    table.get(key).map(|value| value.as_str().expect("a text"))
}

fn number(table: &Table, key: &str) -> Option<u32> {
    let number = |value: &Value| value.as_integer().and_then(|number| u32::try_from(number).ok());
    table.get(key).map(|value| number(value).expect("a number of 32 bits"))
}

fn truth(table: &Table, key: &str) -> bool {
    table.get(key).is_some_and(|value| value.as_bool().expect("true or false"))
}

fn sub<'t>(table: &'t Table, key: &str) -> Option<&'t Table> {
    table.get(key).map(|value| value.as_table().expect("a table"))
}

fn is_region(region: Region, start: Option<u32>, len_bytes: Option<u32>) {
    assert_eq!((Some(region.start().get()), Some(region.len_bytes())), (start, len_bytes));
    assert!(!region.is_empty());
}

/// Checks that everything in the file is in the migration, and nothing else.
fn check(table: &Table, migration: &OwnedMigration) {
    let chip = text(table, "chip").map(|chip| chip.to_ascii_lowercase().replace('-', ""));
    assert_eq!(chip.as_deref(), Some(migration.chip.name()));
    let size = text(table, "flash_size").map(|size| {
        let digits = size.trim_end_matches(|c: char| !c.is_ascii_digit());
        digits.parse::<u32>().expect("a number of MB") << 20
    });
    assert_eq!(migration.flash_len_bytes, size);
    assert_eq!(migration.partition_table.is_some(), table.contains_key("partitions"));
    assert_eq!(migration.running.as_deref(), text(table, "running"));

    let map = sub(table, "mcuboot");
    assert_eq!(migration.mcuboot.is_some(), map.is_some());
    if let Some((map, owned)) = map.zip(migration.mcuboot.as_ref()) {
        let region = |key: &str, region: Region| {
            let table = sub(map, key).expect("a region");
            is_region(region, number(table, "offset"), number(table, "size"));
        };
        region("primary", owned.primary);
        region("secondary", owned.secondary);
        assert_eq!(text(map, "swap").unwrap_or("scratch"), owned.swap.name());
        assert_eq!(owned.scratch.is_some(), owned.swap == SwapKind::Scratch);
        if let Some(scratch) = owned.scratch {
            region("scratch", scratch);
        }
        assert_eq!(number(map, "max_align").unwrap_or(8), owned.max_align_bytes);
        assert_eq!(owned.key_der.is_some(), map.contains_key("public_key"));
    }
    artifacts(table, migration);

    let staging = sub(table, "staging").map_or(OwnedStaging::Auto, |staging| {
        match (text(staging, "label"), truth(staging, "memory")) {
            (Some(label), memory) => {
                assert!(!memory);
                OwnedStaging::Label(label.to_owned())
            }
            (None, true) => OwnedStaging::Memory,
            (None, false) => OwnedStaging::Auto,
        }
    });
    assert_eq!(migration.staging, staging);
    let allow = sub(table, "allow");
    assert_eq!(migration.allow_test_image, allow.is_some_and(|allow| truth(allow, "test_image")));
    let labels = allow.and_then(|allow| allow.get("overwrite")).and_then(Value::as_array);
    let labels: Vec<&str> = labels.into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!(migration.allow_overwrite, labels);
    network(table, migration);
}

fn network(table: &Table, migration: &OwnedMigration) {
    let (found, none) = (&migration.network, Table::new());
    let network = sub(table, "network").unwrap_or(&none);
    let is_wifi = |owned: &OwnedWifi, wifi: &Table| {
        if let Some(name) = text(wifi, "ssid") {
            assert_eq!(name.as_bytes(), owned.ssid);
        } else {
            let digits: String = owned.ssid.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(text(wifi, "ssid_hex").map(str::to_lowercase), Some(digits));
        }
        assert_eq!(text(wifi, "password").unwrap_or_default(), owned.password);
    };
    let wifi = network.get("wifi").map(|list| list.as_array().expect("a list of tables"));
    let wifi: Vec<&Table> = wifi.into_iter().flatten().filter_map(Value::as_table).collect();
    assert_eq!(found.wifi.len(), wifi.len());
    found.wifi.iter().zip(wifi).for_each(|(owned, wifi)| is_wifi(owned, wifi));
    let rescue = sub(network, "rescue");
    assert_eq!(found.rescue.is_some(), rescue.is_some());
    found.rescue.iter().zip(rescue).for_each(|(owned, wifi)| is_wifi(owned, wifi));
    let old = !network.contains_key("old_credentials") || truth(network, "old_credentials");
    assert_eq!(found.old_credentials, old);
    assert_eq!(found.hostname.as_deref(), text(network, "hostname"));
    let level = sub(table, "log").and_then(|log| text(log, "level"));
    assert_eq!(
        migration.log_level,
        level.map_or(Ok(LogLevel::default()), str::parse).expect("a level")
    );
    // It can be packed, or there is an error that says why not.
    let mut section = vec![0; SECTION_LEN_BYTES];
    let packed = migration.with_config(|config| encode(config, &mut section));
    if packed.expect("networks that were read").is_ok() {
        let mut storage = Storage::default();
        let config = decode(&section, &mut storage).expect("what was packed");
        migration
            .with(|wanted| assert_eq!(format!("{:?}", config.migration), format!("{wanted:?}")));
    }
}

/// Checks the artifacts, which are in the order in which they are placed.
fn artifacts(table: &Table, migration: &OwnedMigration) {
    let others = table.get("artifact").map(|list| list.as_array().expect("a list of tables"));
    let others = others.into_iter().flatten().map(|other| other.as_table().expect("a table"));
    let app = sub(table, "app").map(|table| (Role::Application, table));
    let bootloader = sub(table, "bootloader").map(|table| (Role::Bootloader, table));
    let all = app.into_iter().chain(others.map(|table| (Role::Other, table))).chain(bootloader);
    let all: Vec<(Role, &Table)> = all.collect();
    assert_eq!(migration.artifacts.len(), all.len());
    assert!(!all.is_empty());
    for ((role, table), artifact) in all.into_iter().zip(&migration.artifacts) {
        check_artifact(role, table, artifact, migration);
        let same = migration.artifacts.iter().filter(|other| other.name == artifact.name);
        assert_eq!(same.count(), 1, "{:?}", artifact.name);
    }
}

fn check_artifact(role: Role, table: &Table, artifact: &OwnedArtifact, migration: &OwnedMigration) {
    assert_eq!(artifact.role, role);
    assert_eq!(artifact.url.as_deref(), text(table, "url"));
    assert_eq!(artifact.confirm, truth(table, "confirm"));
    let named = text(table, "name");
    assert!(named.is_none_or(|name| name == artifact.name) && !artifact.name.is_empty());
    let file =
        text(table, "file").map(|file| fs::read(Path::new(FILES).join(file)).expect("was read"));
    assert_eq!(artifact.bytes, file);
    assert_eq!(artifact.content.is_some(), file.is_some());
    assert!(file.is_some() || artifact.url.is_some(), "neither a file nor a URL");
    let (dest, size) = (number(table, "dest"), number(table, "size"));
    match artifact.dest {
        Some(region) => is_region(region, dest, size),
        None => {
            assert_eq!(dest, None);
            assert_eq!(artifact.region_len_bytes, size);
            assert!(
                role == Role::Bootloader
                    || (role == Role::Application && migration.mcuboot.is_some())
            );
        }
    }
}

/// Plans it for the device that it assumes, and checks the report.
fn plan_it(migration: &OwnedMigration) {
    let found = match facts::assumed(migration) {
        Ok(found) => found,
        Err(error) => return assert!(!error.to_string().is_empty() && !error.help().is_empty()),
    };
    let is_planned = migration.with(|lent| check_plan(lent, &found.facts.lend()));
    let report = plan::report(migration, &found, None);
    assert_eq!(report.is_safe(), is_planned);
    assert_eq!(report.outcome, if is_planned { "planned" } else { "refused" });
    assert_eq!(report.reasons.is_empty(), is_planned);
    assert!(report.to_string().lines().count() > 3);
    let json = serde_json::to_value(&report).expect("numbers and texts");
    let steps = json["steps"].as_array().map(Vec::len);
    assert_eq!(steps, Some(report.steps.len()));
}
