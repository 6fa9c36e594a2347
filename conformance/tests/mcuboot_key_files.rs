//! Files of keys in every form that imgtool writes: accepted, or refused by name.
// Everything here is test code: a failure has no caller to be reported to but the test's output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, reason = "shared with other tests")]
mod mcuboot_format_support;

use bootswap_migration::key_file::{KeyFileError, public_key};
use bootswap_migration::plan::judged;
use bootswap_migration::{facts, load};
use device_sim::{McubootConfig, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use mcuboot_format::key::{KeyError, KeyKind, PrivateKey};
use mcuboot_format_support::{Imgtool, words};

/// Kinds of keys that imgtool makes, and that no bootloader on these chips has.
const OTHERS: [&str; 2] = ["ecdsa-p384", "x25519"];

/// The commands that write a key of that kind in every form.
fn every_form(tool: &Imgtool, kind: &str) -> Vec<Vec<String>> {
    let key = tool.arg(&format!("{kind}.pem"));
    let mut commands = vec![words(&["keygen", "-t", kind, "-k", &key])];
    for (command, encoding) in [
        ("getpub", "pem"),
        ("getpub", "raw"),
        ("getpub", "lang-c"),
        ("getpub", "lang-rust"),
        ("getpubhash", "raw"),
        ("getpubhash", "lang-c"),
    ] {
        let out = tool.arg(&format!("{kind}.{command}.{encoding}"));
        commands.push(words(&[command, "-k", &key, "-e", encoding, "-o", &out]));
    }
    commands
}

#[test]
fn every_form_of_a_key_is_taken_or_named() {
    let tool = Imgtool::new();
    let kinds = KeyKind::ALL.map(KeyKind::name).into_iter().chain(OTHERS);
    let commands: Vec<_> = kinds.clone().flat_map(|kind| every_form(&tool, kind)).collect();
    tool.expect(&commands);
    for kind in kinds {
        let read = |form: &str| public_key(&tool.read(&format!("{kind}.{form}")));
        assert_eq!(read("pem"), Err(KeyFileError::Private), "{kind}");
        for form in ["getpub.lang-c", "getpub.lang-rust", "getpubhash.lang-c"] {
            assert_eq!(read(form), Err(KeyFileError::Source), "{kind} {form}");
        }
        assert_eq!(read("getpubhash.raw"), Err(KeyFileError::Hash), "{kind}");
        let (pem, raw) = (read("getpub.pem"), read("getpub.raw"));
        assert_eq!(pem, raw, "{kind}");
        if OTHERS.contains(&kind) {
            let other = matches!(
                pem,
                Err(KeyFileError::Key(KeyError::Algorithm { .. } | KeyError::Curve { .. }))
            );
            assert!(other, "{kind}: {pem:?}");
            continue;
        }
        let private = PrivateKey::from_pem(&tool.read_text(&format!("{kind}.pem"))).unwrap();
        assert_eq!(pem, Ok(private.public_key()), "{kind}");
        // imgtool's own name for it.
        assert_eq!(tool.read(&format!("{kind}.getpubhash.raw")), private.public_key().hash());
    }
    assert_eq!(public_key(b""), Err(KeyFileError::Empty));
    assert_eq!(public_key(b"hello"), Err(KeyFileError::Key(KeyError::Pem)));
}

/// `--public-key-format full` has the whole key in the image, and a bootloader with a key of its
/// own looks for the hash.
#[test]
fn an_image_with_the_whole_key_is_refused_for_that() {
    let tool = Imgtool::new();
    tool.write("partitions.csv", bootswap_migration::example::PARTITIONS.as_bytes());
    let payload = synthetic::target_payload(Chip::Esp32s3, 0x2000, 1);
    let file = tool.write("payload", &payload);
    for kind in KeyKind::ALL {
        let key = tool.key(kind);
        let (public, app) = (tool.arg("key.pub.pem"), tool.arg("app_upd.bin"));
        tool.keygen(&[kind]);
        tool.expect(&[words(&["getpub", "-k", &key, "-e", "pem", "-o", &public])]);
        let private = PrivateKey::from_pem(&tool.read_text(&format!("{kind}.pem"))).unwrap();
        let config = McubootConfig { key: Some(private.public_key()), ..McubootConfig::example() };
        let bootloader = synthetic::mcuboot(Chip::Esp32s3, FlashSize::Mb4, 0x6000, 2, &config);
        tool.write("mcuboot.bin", &bootloader.unwrap());
        let text = bootswap_migration::example::MIGRATION
            .replace("# public_key = \"root.pub.pem\"", "public_key = \"key.pub.pem\"");
        tool.write("migration.toml", text.as_bytes());
        for (format, wanted) in [("hash", &[][..]), ("full", &["not-signed"])] {
            let options = "sign --align 4 -H 32 --pad-header -v 1.2.3 -S 0x100000 --pad --confirm";
            let mut sign = words(&options.split(' ').collect::<Vec<_>>());
            sign.extend(words(&["-k", &key, "--public-key-format", format, &file, &app]));
            tool.expect(&[sign]);
            let migration = load(&tool.path("migration.toml")).unwrap();
            let found = facts::assumed(&migration).unwrap();
            let against = judged(&migration, found.facts.lend(), None).err().unwrap_or_default();
            let codes: Vec<&str> = against.iter().map(|reason| reason.code).collect();
            assert_eq!(codes, wanted, "{kind} {format}: {against:?}");
            let is_named = against.iter().all(|of| of.message.contains("--public-key-format full"));
            assert!(is_named, "{against:?}");
        }
    }
}
