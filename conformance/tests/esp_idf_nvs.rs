//! NVS partitions from Espressif's generator: both formats, several pages, damage, encryption.

// Helpers are test code as much as tests are: a failure has no caller to be reported to.
#![allow(clippy::unwrap_used, clippy::panic)]

use flash_region::Hex;
use std::path::Path;

use conformance::program::Ran;
use conformance::{python, workspace_root};
use esp_idf_format::nvs::{self, Lookup, NvsError};

const NAMESPACE: &str = "nvs.net80211";

/// Runs the generator over tables of `key,type,encoding,value`, in one process because it takes
/// long to start.
fn generate_all(tables: &[String], size: u32, version: u8) -> Vec<Vec<u8>> {
    const SCRIPT: &str = "
import sys
from argparse import Namespace
from esp_idf_nvs_partition_gen.nvs_partition_gen import generate
for n in range(int(sys.argv[1])):
    generate(Namespace(input=f'{n}.csv', output=f'{n}.bin', size=sys.argv[2],
                       version=int(sys.argv[3]), outdir='.'))
";
    let dir = tempfile::tempdir().unwrap();
    for (n, rows) in tables.iter().enumerate() {
        let table = format!("key,type,encoding,value\n{rows}");
        std::fs::write(dir.path().join(format!("{n}.csv")), table).unwrap();
    }
    let args = [tables.len().to_string(), format!("{size:#x}"), version.to_string()];
    let mut generator = python::command();
    generator.args(["-c", SCRIPT]).args(args).current_dir(dir.path());
    Ran::of(&mut generator).expect_success();
    let made = |n| std::fs::read(dir.path().join(format!("{n}.bin"))).unwrap();
    (0..tables.len()).map(made).collect()
}

fn generate(rows: &str) -> Vec<u8> {
    generate_all(&[rows.to_owned()], 0x3000, 2).remove(0)
}

/// Runs the generator as by hand, on `nvs.csv` in that directory.
fn run(dir: &Path, command: &str, more: &[&str]) -> Vec<u8> {
    let mut generator = python::command();
    generator.args(["-m", "esp_idf_nvs_partition_gen", command, "nvs.csv", "nvs.bin", "0x3000"]);
    Ran::of(generator.args(more).current_dir(dir)).expect_success();
    std::fs::read(dir.join("nvs.bin")).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    Hex(bytes).to_string()
}

/// What the Wi-Fi driver stores.
fn ssid(name: &str) -> Vec<u8> {
    let mut value = vec![0; 36];
    value[..4].copy_from_slice(&u32::try_from(name.len()).unwrap().to_le_bytes());
    value[4..4 + name.len()].copy_from_slice(name.as_bytes());
    value
}

fn password(word: &str) -> Vec<u8> {
    let mut value = vec![0; 65];
    value[..word.len()].copy_from_slice(word.as_bytes());
    value
}

fn network(name: &str, word: &str) -> String {
    let (ssid, password) = (hex(&ssid(name)), hex(&password(word)));
    format!(
        "{NAMESPACE},namespace,,\nsta.ssid,data,hex2bin,{ssid}\nsta.pswd,data,hex2bin,{password}\n"
    )
}

fn look(partition: &[u8], key: &str) -> Result<Vec<u8>, NvsError> {
    nvs::find(partition, &mut Lookup::<65>::new(NAMESPACE, key)).map(<[u8]>::to_vec)
}

fn assert_found(partition: &[u8], name: &str, word: &str) {
    assert_eq!(look(partition, "sta.ssid"), Ok(ssid(name)));
    assert_eq!(look(partition, "sta.pswd"), Ok(password(word)));
}

#[test]
fn both_formats_are_read() {
    for version in [1, 2] {
        let rows = network("fleet", "correct horse");
        let nvs = generate_all(&[rows], 0x3000, version).remove(0);
        assert_found(&nvs, "fleet", "correct horse");
        assert_eq!(look(&nvs, "sta.nothing"), Err(NvsError::NoKey));
        let other = nvs::find(&nvs, &mut Lookup::<65>::new("another", "sta.ssid")).map(<[u8]>::len);
        assert_eq!(other, Err(NvsError::NoNamespace));
    }
}

#[test]
fn values_are_found_in_any_of_many_pages() {
    // More and more entries come before it, so that the network is at every place of a page and
    // across its end.
    let fill = |count: u32| -> String {
        (0..count).map(|n| format!("number_{n},data,u32,{n}\n")).collect()
    };
    let counts: Vec<u32> = (0..420).step_by(3).collect();
    let network = network("fleet", "correct horse");
    let table = |&count: &u32| format!("settings,namespace,,\n{}{network}", fill(count));
    let tables: Vec<String> = counts.iter().map(table).collect();
    let partitions = generate_all(&tables, 0x6000, 2);
    // Two entries of that key are a chunk and the index; a third one is another chunk.
    let entries = |nvs: &Vec<u8>| nvs.windows(8).filter(|key| key == b"sta.pswd").count();
    assert!(partitions.iter().any(|nvs| entries(nvs) == 3), "no password is in two pages");
    for nvs in partitions {
        assert_found(&nvs, "fleet", "correct horse");
        // Pages may be in any order.
        let mut pages: Vec<&[u8]> = nvs.chunks(4096).collect();
        pages.reverse();
        assert_found(&pages.concat(), "fleet", "correct horse");
    }
}

#[test]
fn a_later_value_takes_the_place_of_an_earlier_one() {
    let one = generate(&network("old", "correct horse"));
    let other = generate(&network("new", "battery staple"));
    // The other partition's first page as the second of this one.
    let mut both = one.clone();
    both[4096..8192].copy_from_slice(&other[..4096]);
    let mut header = both[4096..4128].to_vec();
    header[4..8].copy_from_slice(&1u32.to_le_bytes());
    let crc = python::run([
        "-c",
        &format!(
            "import zlib; print(zlib.crc32(bytes.fromhex('{}'), 0xFFFFFFFF))",
            hex(&header[4..28])
        ),
    ]);
    let crc: u32 = crc.expect_success().stdout.trim().parse().unwrap();
    header[28..].copy_from_slice(&crc.to_le_bytes());
    both[4096..4128].copy_from_slice(&header);
    assert_found(&both, "new", "battery staple");
    // With the newer page lost, the older one is still there.
    both[4096..4100].copy_from_slice(&[0; 4]);
    assert_found(&both, "old", "correct horse");
    // All entries of the newer page erased.
    let mut erased = both.clone();
    erased[4096..4100].copy_from_slice(&0xffff_fffe_u32.to_le_bytes());
    erased[4096 + 32..4096 + 64].fill(0);
    assert_found(&erased, "old", "correct horse");
}

#[test]
fn no_damage_gives_another_value() {
    let good = generate(&network("fleet", "correct horse"));
    for at in (0..1024).flat_map(|at| [(at, 0x01), (at, 0x80), (at, 0xff)]) {
        let (at, flip) = at;
        let mut damaged = good.clone();
        damaged[at] ^= flip;
        for (key, value) in [("sta.ssid", ssid("fleet")), ("sta.pswd", password("correct horse"))] {
            if let Ok(found) = look(&damaged, key) {
                assert_eq!(found, value, "{at:#x} ^ {flip:#x}");
            }
        }
    }
}

#[test]
fn an_encrypted_partition_is_refused_for_that() {
    let dir = tempfile::tempdir().unwrap();
    let table = format!("key,type,encoding,value\n{}", network("fleet", "correct horse"));
    std::fs::write(dir.path().join("nvs.csv"), table).unwrap();
    let nvs = run(dir.path(), "encrypt", &["--keygen"]);
    for key in ["sta.ssid", "sta.pswd"] {
        assert!(matches!(look(&nvs, key), Err(NvsError::Unreadable { entries: 1.. })));
    }
}

/// The partition that the firmware's tests read.
#[test]
fn the_firmwares_example_is_the_generators() {
    let testdata = workspace_root().join("crates/bootswap-migrator/testdata");
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(testdata.join("nvs.csv"), dir.path().join("nvs.csv")).unwrap();
    let nvs = run(dir.path(), "generate", &["--version", "2"]);
    assert!(nvs == std::fs::read(testdata.join("nvs.bin")).unwrap());
    assert_found(&nvs, "fleet", "correct horse");
}
