//! Which fields there are, and the entries of lists.

use super::*;

#[test]
fn networks_are_added_and_removed_and_passwords_never_shown() {
    let mut lab = MenuSession::new();
    lab.types("6");
    lab.keys(&[KeyCode::End, KeyCode::Enter, KeyCode::Enter]);
    lab.types("fleet");
    lab.keys(&[KeyCode::Enter, KeyCode::Down, KeyCode::Enter]);
    lab.types("correct horse");
    let typing = lab.screen(80, 24);
    assert!(!typing.contains("correct") && typing.contains(&"•".repeat(13)), "{typing}");
    lab.keys(&[KeyCode::Enter]);
    let text = lab.session.menu().text();
    let entry = "\n[[network.wifi]]\nssid = \"fleet\"\npassword = \"correct horse\"\n";
    assert!(text.ends_with(entry), "{text}");
    assert!(lab.is_safe(), "{:?}", lab.session.menu().judged().judgement);
    let shown = lab.screen(80, 24);
    assert!(shown.contains("fleet") && !shown.contains("correct"), "{shown}");
    lab.types("v");
    assert!(!lab.screen(200, 60).contains("correct"));
    lab.keys(&[KeyCode::Esc]);
    lab.types("x");
    assert!(!lab.session.menu().text().contains("correct"));
}

#[test]
fn other_artifacts_are_added_with_their_fields() {
    let mut lab = MenuSession::new();
    lab.types("3");
    lab.keys(&[KeyCode::End, KeyCode::Enter, KeyCode::Down, KeyCode::Enter]);
    lab.types("partitions.csv");
    lab.keys(&[KeyCode::Enter]);
    assert_eq!(lab.session.menu().judged().field_at_fault(), Some("artifact[0].dest"));
    lab.keys(&[KeyCode::Down, KeyCode::Down, KeyCode::Enter]);
    lab.types("0x320000");
    lab.keys(&[KeyCode::Enter, KeyCode::Down, KeyCode::Enter]);
    lab.types("4K");
    lab.keys(&[KeyCode::Enter]);
    assert!(lab.is_safe(), "{:?}", lab.session.menu().judged().judgement);
    lab.shows("artifact-120x36", 120, 36);
    let text = lab.session.menu().text();
    let entry = "\n[[artifact]]\nfile = \"partitions.csv\"\ndest = 0x320000\nsize = 0x1000\n";
    assert!(text.ends_with(entry), "{text}");
}

/// Every key that the parser of migrations knows can be edited in the menu.
#[test]
fn every_key_of_the_parser_has_a_field() {
    let paths: Vec<&str> = GROUPS
        .iter()
        .flat_map(|group| group.keys.iter().chain(group.list.iter().flat_map(|l| l.keys)))
        .map(|field| field.path)
        .collect();
    for table in [
        "",
        "mcuboot.",
        "mcuboot.primary.",
        "app.",
        "bootloader.",
        "staging.",
        "allow.",
        "network.",
        "network.rescue.",
        "log.",
    ] {
        // The parser's error about an unknown key lists the known ones.
        let unknown = format!("{table}qqqqqqqq = 1\nchip = \"esp32\"\n");
        let around = match table {
            "mcuboot.primary." => {
                "mcuboot.secondary = { offset = 0, size = 1 }\n\
                                   mcuboot.scratch = { offset = 0, size = 1 }\n"
            }
            _ => "",
        };
        let known = match table {
            "staging." | "allow." | "network." | "network.rescue." | "log." => {
                format!("{unknown}app.url = \"http://a\"\napp.dest = 0\napp.size = 1\n")
            }
            _ => format!("{unknown}{around}"),
        };
        let problem = bootswap_migration::check(&known).unwrap();
        let keys = problem.help.strip_prefix("the keys here are ");
        let keys = keys.unwrap_or_else(|| panic!("{table}: {problem:?}"));
        for key in keys.split(", ") {
            let name = format!("{table}{key}");
            let is_there = |path: &&str| {
                path.strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            assert!(paths.iter().any(is_there), "{name} has no field");
        }
    }
}

/// The paths of the fields that the menu has.
fn fields(lab: &mut MenuSession) -> Vec<String> {
    let mut paths = Vec::new();
    for group in 0..GROUPS.len() {
        lab.types(&(group + 1).to_string());
        paths.extend(lab.session.menu().rows().iter().filter_map(|row| match row {
            Row::Field { path, .. } => Some(path.to_string()),
            _ => None,
        }));
    }
    paths
}

#[test]
fn fields_without_an_effect_are_not_shown_unless_the_file_has_them() {
    let has =
        |text: &str, path: &str| fields(&mut MenuSession::with(text)).iter().any(|p| p == path);
    let without_swap = MIGRATION.replace("\"scratch\"", "\"move\"").replace("scratch   =", "# ");
    let without_wifi = MIGRATION.replace("esp32s3", "esp32h2").replace("\nurl", "\n# url");
    let without_map = "chip = \"esp32s3\"\n[app]\nfile = \"app_upd.bin\"\n";
    for (path, with, without) in [
        ("mcuboot.scratch.offset", MIGRATION, without_swap.as_str()),
        ("network.old_credentials", MIGRATION, &without_wifi),
        ("network.rescue.ssid", MIGRATION, &without_wifi),
        ("app.url", MIGRATION, &without_wifi),
        ("app.confirm", MIGRATION, without_map),
        ("bootloader.confirm", &format!("{MIGRATION}confirm = false\n"), MIGRATION),
    ] {
        assert!(has(with, path), "{path}");
        assert!(!has(without, path), "{path}");
    }
    // A key that is in the file can be removed, whether it has an effect or not.
    assert!(has(&MIGRATION.replace("\"scratch\"", "\"move\""), "mcuboot.scratch.offset"));
    assert!(has(&MIGRATION.replace("esp32s3", "esp32h2"), "app.url"));
    // Nor can a network be added to devices that have no Wi-Fi.
    let mut lab = MenuSession::with(&without_wifi);
    lab.types("6");
    assert!(!lab.session.menu().rows().iter().any(|row| matches!(row, Row::Add { .. })));
}
