//! What a refusal advises leads to a plan.

use device_sim::synthetic;
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;

use crate::program::{MIGRATION, WorkDir};

/// A value that a message names, from `before` to the end of the word or quotation.
fn named<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split([' ', ',', ')', '"', ';']).next()
}

/// The migration with that artifact in place of the bootloader, and these labels given up.
fn migration(artifact: &str, size: &str, labels: &[String]) -> String {
    let (head, _) = MIGRATION.split_once("[bootloader]").unwrap();
    let size = if size.is_empty() { String::new() } else { format!("size = {size}\n") };
    format!("{head}{artifact}\n{size}\n[allow]\noverwrite = {labels:?}\n")
}

#[test]
fn a_bootloader_without_room_gets_it_as_the_refusals_say() {
    let lab = WorkDir::new();
    // Over the partition table and a part of NVS.
    let long = synthetic::bootloader(Chip::Esp32s3, FlashSize::Mb4, 0xa000, 2).unwrap();
    lab.write("mcuboot.bin", &long);
    let url = "file = \"mcuboot.bin\"\nurl = \"http://192.168.100.101:8070/mcuboot.bin\"";
    let role = format!("[bootloader]\n{url}");
    let placed = format!("[bootloader]\ndest = 0x0\n{url}");
    let other = format!("[[artifact]]\nname = \"boot\"\ndest = 0x0\n{url}");
    for (artifact, size) in [
        (&role, ""),
        (&role, "0x8000"),
        (&role, "0x9000"),
        (&role, "0x10000"),
        (&placed, "0x8000"),
        (&placed, "0x9000"),
        (&other, "0x8000"),
        (&other, "0x9000"),
    ] {
        let (mut size, mut labels) = (size.to_owned(), Vec::new());
        let mut rounds = 0;
        loop {
            lab.write("migration.toml", migration(artifact, &size, &labels).as_bytes());
            let ended = lab.run(&["plan", "migration.toml", "--json"]);
            let json = ended.json();
            let reasons = json["reasons"].as_array().unwrap();
            if reasons.is_empty() {
                assert_eq!(ended.status, 0);
                break;
            }
            let said = |reason: &serde_json::Value| reason["message"].as_str().unwrap().to_owned();
            let messages: Vec<String> = reasons.iter().map(said).collect();
            for (reason, message) in reasons.iter().zip(&messages) {
                let code = reason["code"].as_str().unwrap();
                assert!(["too-large", "over-kept"].contains(&code), "{artifact} {size}: {message}");
                let sized = named(message, "size = ");
                let label = named(message, "overwrite = [\"");
                assert!(code != "too-large" || sized.is_some(), "{message}");
                assert!(code != "over-kept" || label.is_some(), "{message}");
                labels.extend(label.map(str::to_owned));
            }
            let mut sizes = messages.iter().filter_map(|message| named(message, "size = "));
            if let Some(wanted) = sizes.next() {
                assert!(sizes.all(|other| other == wanted), "two sizes: {messages:?}");
                wanted.clone_into(&mut size);
            }
            rounds += 1;
            assert!(rounds < 3, "{artifact} {size} {labels:?}: {messages:?}");
        }
        assert!(rounds > 0, "{artifact}: it was to be refused first");
    }
}

/// The size of a slot is compiled into the bootloader: no `size` helps.
#[test]
fn an_application_without_room_is_not_told_to_take_more() {
    let lab = WorkDir::new();
    let mut long = lab.read("app_upd.bin");
    long.resize(0x10_1000, 0xff);
    lab.write("app_upd.bin", &long);
    let json = lab.ends_with(1, &["plan", "migration.toml", "--json"]).json();
    let reasons = json["reasons"].as_array().unwrap();
    let large = reasons.iter().find(|reason| reason["code"] == "too-large").unwrap();
    let message = large["message"].as_str().unwrap();
    assert!(!message.contains("size = "), "{message}");
}
