//! The device's code, compiled for the chip, gives the same results as on the host: the planner
//! over its fuzzing corpus, CBOR, parsers, digests and signatures of each kind.
//!
//! This detects a fault of the compiler for one kind of core. The firmware for emulators finds the
//! inputs in flash, where an OTA partition is, and prints a digest for each.

use std::fs;
use std::path::Path;

use bootswap_config::{Config, LogLevel, NetworkSettings, SECTION_LEN_BYTES, encode};
use bootswap_sim::example::unsigned_app;
use cross_check::{
    HEAD_LEN_BYTES, Head, Kind, MAX_LEN_BYTES, RECORDS_ADDR, digest, digest_of_plan, write_facts,
};
use esp_idf_format::Chip;
use flash_region::Hex;
use mcuboot_format::SwapKind;
use mcuboot_format::builder::{SignOptions, sign};
use mcuboot_format::key::PrivateKey;

use crate::device::{EmulatedMigration, figure};
use crate::emulator::{Ended, Network, Power, Time, watch};

/// Bytes of an application that is checked.
const APP_BYTES: usize = 0x1000;

/// The inputs of a fuzzing corpus, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Migrations and devices of the planner's corpus, as far as a configuration can hold them. What is
/// read back from it gives the same plan.
fn plans() -> Vec<Vec<u8>> {
    let record = |input: &Vec<u8>| {
        fuzz_targets::planner::with_case(input, |migration, facts| {
            let network = NetworkSettings::default();
            let config = Config { migration: *migration, network, log_level: LogLevel::Info };
            let mut section = vec![0; SECTION_LEN_BYTES];
            encode(&config, &mut section).ok()?;
            let input = [&write_facts(facts)?[..], &section].concat();
            assert_eq!(digest(Kind::Plan, &input), digest_of_plan(migration, facts));
            Some(input)
        })
        .flatten()
    };
    corpus("planner").iter().filter_map(record).collect()
}

/// Applications that are signed with a key of each kind, and the same with a byte changed.
fn signed() -> Vec<Vec<u8>> {
    let rsa_2048 = include_str!("../../../crates/mcuboot-format/testdata/rsa-2048.pem");
    let rsa_3072 = include_str!("../../../crates/mcuboot-format/testdata/rsa-3072.pem");
    let keys = [
        PrivateKey::from_pem(rsa_2048).unwrap(),
        PrivateKey::from_pem(rsa_3072).unwrap(),
        PrivateKey::ecdsa_p256([5; 32]).unwrap(),
        PrivateKey::ed25519([3; 32]),
    ];
    let records = keys.iter().flat_map(|key| {
        let options =
            SignOptions { key: Some(key), ..SignOptions::espressif(0x10_0000, SwapKind::Scratch) };
        let app = sign(&unsigned_app(Chip::Esp32)[..APP_BYTES], &options).unwrap();
        let der = key.public_key().to_der();
        let len = u16::try_from(der.len()).unwrap().to_le_bytes();
        let whole = [&len[..], &der, &app].concat();
        // A byte of the application, and one of the signature.
        let change = |back: usize| {
            let mut changed = whole.clone();
            let at = changed.len() - back;
            changed[at] ^= 1;
            changed
        };
        [change(0x800), change(40), whole]
    });
    records.collect()
}

fn emulated_code_gives_what_it_gives_on_the_host(chip: Chip) {
    let kinds = [
        (Kind::Plan, plans()),
        (Kind::Signed, signed()),
        (Kind::Table, corpus("partition_table")),
        (Kind::EspImage, corpus("esp_image")),
    ];
    let of_kind = |(kind, inputs): (Kind, Vec<Vec<u8>>)| {
        inputs.into_iter().map(move |input| (kind, input)).collect::<Vec<_>>()
    };
    let inputs: Vec<_> = kinds.into_iter().flat_map(of_kind).collect();
    let mut records = Vec::new();
    for (kind, input) in &inputs {
        let len_bytes = u32::try_from(input.len()).unwrap();
        assert!(len_bytes <= MAX_LEN_BYTES, "an input is too long");
        records.extend(Head { kind: *kind, len_bytes }.to_bytes());
        records.extend(input);
        records.resize(records.len().next_multiple_of(4), 0);
    }
    records.extend([0xff; HEAD_LEN_BYTES as usize]);

    let emulated = EmulatedMigration::download(chip, |_| {});
    let path = emulated.device();
    let mut flash = fs::read(&path).unwrap();
    let at = RECORDS_ADDR.get() as usize;
    assert!(at + records.len() <= flash.len(), "{:#x} bytes do not fit", records.len());
    flash[at..at + records.len()].copy_from_slice(&records);
    fs::write(&path, flash).unwrap();

    let console = watch(chip, &path, Network::None, Time::Fast, Power::UntilReset, &mut |_| {});
    assert_eq!(console.ended, Ended::Reset, "{}", console.text());
    let mut lines = console.lines.iter().filter(|(_, line)| line.contains(" input "));
    for (number, (kind, input)) in inputs.iter().enumerate() {
        let (_, line) = lines.next().unwrap_or_else(|| panic!("no answer:\n{}", console.text()));
        let wanted = format!("input {number}: {}", Hex(&digest(*kind, input)));
        assert!(line.ends_with(&wanted), "{kind:?}: {line}, on the host it is {wanted}");
    }
    assert!(lines.next().is_none(), "more answers than inputs");
    let plans = inputs.iter().filter(|(kind, _)| *kind == Kind::Plan).count();
    assert!(plans > corpus("planner").len() / 2, "only {plans} plans");
    figure("inputs with the host's result", format_args!("{}, {plans} plans", inputs.len()));
}

on_each_chip! {
    emulated_code_gives_what_it_gives_on_the_host
}
