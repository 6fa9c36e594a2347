//! Writes real inputs to start with, for the targets that read a format:
//! `cargo run -p fuzz-targets --example seeds -- DIR` makes `DIR/TARGET/NAME`, and the files that
//! the migrations name, in `crates/fuzz-targets/files`.
#![allow(clippy::unwrap_used, reason = "a tool for developers, who see where it fails")]

use std::fs;
use std::path::{Path, PathBuf};

use bootswap_config::{SECTION_LEN_BYTES, encode};
use bootswap_engine::{ContainerEntry, ContainerHeader};
use device_sim::{McubootConfig, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::{FlashSize, ImageBuilder, verify};
use esp_idf_format::otadata::{OtaEntry, OtaState};
use esp_idf_format::partition::{CsvPlaces, TABLE_ADDR, TABLE_LEN_BYTES, emit, parse_csv};
use flash_region::FlashAddr;
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::key::PrivateKey;
use mcuboot_format::tlv::Dependency;
use mcuboot_format::{DowngradePrevention, ImageVersion, SwapKind};
use pem_rfc7468::LineEnding;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/files");

struct Seeds(PathBuf);

impl Seeds {
    fn write(&self, target: &str, name: &str, bytes: impl AsRef<[u8]>) {
        let dir = self.0.join(target);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(name), bytes).unwrap();
    }
}

fn main() {
    let seeds = Seeds(std::env::args_os().nth(1).unwrap().into());
    let csv = fs::read_to_string(Path::new(FILES).join("partitions.csv")).unwrap();
    esp_idf(&seeds, &csv);
    mcuboot(&seeds);
    container(&seeds);
    texts(&seeds, &csv);
}

/// The shortest app with descriptions.
fn app(chip: Chip, version: &str) -> Vec<u8> {
    device_sim::synthetic::app(chip, "app", version, 0x40, 1).unwrap()
}

fn esp_idf(seeds: &Seeds, csv: &str) {
    let table = table(csv);
    // Up to the MD5 entry and an erased one; the rest is erased, too.
    seeds.write("partition_table", "example", &table[..8 * 32]);
    for (name, seqs) in [("both", [7, 8]), ("first", [1, u32::MAX])] {
        let entry = |seq| OtaEntry::new(seq, OtaState::Valid).to_bytes();
        let mut input = seqs.map(entry).concat();
        input.extend([0, 0, 2, 1, 1]);
        seeds.write("otadata", name, input);
    }
    for chip in Chip::ALL {
        // The beginning of a real bootloader, with header and first segment; the whole is too long.
        let real = esp_idf_bootloaders::bootloader(chip, FlashSize::Mb4.bytes()).unwrap();
        seeds.write("esp_image", &format!("bootloader-{chip}"), &real[..512]);
        let small = ImageBuilder::new(chip).segment(0x4008_0000, &[0x13; 48]).build().unwrap();
        seeds.write("esp_image", &format!("small-{chip}"), &small);
        let app = app(chip, "1.0");
        seeds.write("esp_image", &format!("app-{chip}"), &app);
        let mut parts = Vec::new();
        let boot = if chip.bootloader_addr().get() == 0 { 0 } else { 1 };
        for (place, part) in [(boot, &small), (2, &table[..8 * 32].to_vec()), (4, &app)] {
            parts.push(place);
            parts.extend((part.len() as u16).to_le_bytes());
            parts.extend(part);
        }
        seeds.write("file_info", &format!("flash-{chip}"), &parts);
        seeds.write("file_info", &format!("app-{chip}"), &app);
    }
    let small = ImageBuilder::new(Chip::Esp32s3).segment(0x4038_0000, &[0x13; 48]).build().unwrap();
    assert!(verify(&small).is_ok());
    fs::write(Path::new(FILES).join("bootloader.bin"), small).unwrap();
}

fn table(csv: &str) -> Vec<u8> {
    let places = CsvPlaces { table: TABLE_ADDR, bootloader: FlashAddr(0x1000) };
    let mut table = vec![0; TABLE_LEN_BYTES as usize];
    emit(&parse_csv(csv.as_bytes(), places).unwrap(), &mut table).unwrap();
    table
}

fn mcuboot(seeds: &Seeds) {
    for (chip, swap) in Chip::ALL.into_iter().zip(SwapKind::ALL.into_iter().cycle()) {
        let key = PrivateKey::ed25519([5; 32]).public_key();
        let config = McubootConfig {
            swap,
            key: Some(key),
            downgrade_prevention: DowngradePrevention::Version,
            ..McubootConfig::example()
        };
        let file = synthetic::mcuboot(chip, FlashSize::Mb4, 2048, 1, &config).unwrap();
        seeds.write("mcuboot_bootloader", chip.name(), file);
    }
    let keys = [PrivateKey::ed25519([7; 32]), PrivateKey::ecdsa_p256([7; 32]).unwrap()];
    let dependencies = [Dependency { image_id: 1, min_version: ImageVersion::new(1, 2, 3) }];
    let payload = [0x5a; 200];
    for (name, key) in [("plain", None), ("ed25519", Some(&keys[0])), ("p256", Some(&keys[1]))] {
        let options = SignOptions {
            version: ImageVersion::new(1, 2, 3),
            key,
            security_counter: key.map(|_| 5),
            dependencies: if key.is_some() { &dependencies } else { &[] },
            ..SignOptions::espressif(0x10_0000, SwapKind::Scratch)
        };
        let image = sign(&payload, &options).unwrap();
        seeds.write("mcuboot_tlvs", name, &image);
        seeds.write("mcuboot_header", name, &image[..32]);
        seeds.write("file_info", &format!("mcuboot-{name}"), &image);
        if key.is_none() {
            fs::write(Path::new(FILES).join("app.bin"), &image).unwrap();
        }
    }
    seeds.write("mcuboot_header", "version", "1.2.3+4");
    for (name, key) in [("ed25519", &keys[0]), ("p256", &keys[1])] {
        let der = key.public_key().to_der();
        let pem = pem_rfc7468::encode_string("PUBLIC KEY", LineEnding::LF, &der).unwrap();
        seeds.write("mcuboot_keys", &format!("{name}.der"), &der);
        seeds.write("mcuboot_keys", &format!("{name}.pem"), &pem);
        fs::write(Path::new(FILES).join("key.pem"), pem).unwrap();
    }
    // A padded image is as long as its slot, too long to be kept; the options are enough.
    assert_eq!(SignOptions::espressif(0x1_0000, SwapKind::Move).padding, Padding::None);
}

fn container(seeds: &Seeds) {
    let entry = |name, offset| ContainerEntry::new(name, offset, 100, [9; 32]).unwrap();
    let mut header = ContainerHeader { entries: Default::default(), len_bytes: 600 };
    for (name, offset) in [("app", 400), ("bootloader", 500)] {
        header.entries.push(entry(name, offset)).unwrap();
    }
    let mut bytes = vec![0; ContainerHeader::directory_len(2)];
    header.emit(&mut bytes).unwrap();
    seeds.write("container", "two", bytes);
}

fn texts(seeds: &Seeds, csv: &str) {
    seeds.write("partition_csv", "example", csv);
    for (index, text) in [
        "/app.bin:drop=13000*2",
        "no-length+truncate=5",
        "status=503*1",
        "redirect=3",
        "corrupt=0x10",
        "range-wrong",
        "/a:b*c+d.bin:chunked+stall=7+etag-changes+oversize=3*4294967295",
        "none*1",
    ]
    .into_iter()
    .enumerate()
    {
        seeds.write("serve_faults", &index.to_string(), text);
    }
    for (index, text) in [
        "cut:1234:before",
        "cut:1234:middle:7,cut:15:after",
        "op:12:fails",
        "op:1:fails-torn:3",
        "op:1:silently-torn:3,net:html",
        "op:7:ignored",
        "read:500:flips:3",
        "read:5:fails,cut:9:after",
        "stuck:0x310000:3:0",
        "net:/app_upd.bin:drop=13000*1,net:html",
        "net:/a,b:drop,cut:1:before",
    ]
    .into_iter()
    .enumerate()
    {
        seeds.write("sweep_case", &index.to_string(), text);
    }
    for (index, text) in [
        "GET /app.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=10-19\r\nIf-Range: \"a\"\r\n\r\n",
        "GET /app.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=10-19\r\n\r\n\
         GET /app.bin HTTP/1.1\r\nHost: x\r\n\r\n",
        "HEAD /dir/b%201.bin HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\
         GET http://x/none HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /app.bin?redirects-left=2 HTTP/1.1\r\nHost: x\r\nRange: bytes=-5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        "GET /app.bin HTTP/1.1\r\nHost: x\r\n\
         If-Modified-Since: Sun, 22 Nov 2026 10:00:00 GMT\r\nIf-None-Match: *\r\n\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        seeds.write("serve_requests", &index.to_string(), text);
    }
    let example = example();
    for (name, text) in MIGRATIONS.into_iter().chain([("example", example.as_str())]) {
        seeds.write("migration_toml", name, text);
        let migration = bootswap_migration::parse(text, &Path::new(FILES).join("migration.toml"));
        let mut section = vec![0; SECTION_LEN_BYTES];
        let packed = migration.unwrap().with_config(|config| encode(config, &mut section));
        let len = packed.unwrap().unwrap();
        seeds.write("config_section", name, &section[..len]);
    }
}

/// The example with the files in [`FILES`].
fn example() -> String {
    let files = [
        ("\"partitions.bin\"", "\"partitions.csv\""),
        ("file = \"app_upd.bin\"", "file = \"app.bin\"\nconfirm = true"),
        ("file = \"mcuboot.bin\"", "file = \"bootloader.bin\""),
    ];
    let text = bootswap_sim::example::toml(Chip::Esp32s3, bootswap_plan::CommitWay::Replace);
    files.into_iter().fold(text, |text, (from, to)| text.replace(from, to))
}

/// Migrations that name the files in [`FILES`], besides the example.
const MIGRATIONS: [(&str, &str); 3] = [
    (
        "signed",
        r#"chip = "ESP32-C3"
partitions = "partitions.csv"
running = "ota_1"
[mcuboot]
primary = { offset = 0x10000, size = 0x100000 }
secondary = { offset = 0x110000, size = 0x100000 }
swap = "overwrite"
public_key = "key.pem"
[app]
url = "http://lab/app.bin"
[bootloader]
url = "http://lab/boot.bin"
[network]
old_credentials = false
hostname = "sensor-17"
rescue = { ssid = "rescue" }
[[network.wifi]]
ssid = "fleet"
password = "correct horse"
[log]
level = "debug"
[staging]
label = "ota_0"
[allow]
test_image = true
overwrite = ["nvs", "storage"]
"#,
    ),
    (
        "own",
        r#"chip = "esp32"
flash_size = "8MB"
partitions = "partitions.csv"
staging = { memory = true }
[[artifact]]
name = "data"
file = "app.bin"
dest = 0x300000
size = 0x1000
[[artifact]]
url = "http://lab/other.bin"
dest = 0x310000
size = 65536
[bootloader]
file = "bootloader.bin"
dest = 0x1000
size = 0x7000
"#,
    ),
    (
        "embedded",
        r#"chip = "esp32s3"
partitions = "partitions.csv"
[mcuboot]
primary = { offset = 0x10000, size = 0x100000 }
secondary = { offset = 0x110000, size = 0x100000 }
swap = "move"
max_align = 32
[app]
file = "app.bin"
[bootloader]
file = "bootloader.bin"
"#,
    ),
];
