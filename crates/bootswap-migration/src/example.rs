//! The example as an owner writes it: the one copy of its text, for the demo and for tests.

/// `migration.toml` of the example: what Espressif's "boot swap download" does, on an ESP32-S3 with
/// 4 MB of flash.
pub const MIGRATION: &str = r#"# The example: ESP-IDF to MCUboot with swap using scratch.
chip       = "esp32s3"
flash_size = "4MB"
partitions = "partitions.csv"
running    = "factory"

[mcuboot]
primary   = { offset = 0x10000,  size = 0x100000 }
secondary = { offset = 0x110000, size = 0x100000 }
scratch   = { offset = 0x210000, size = 0x40000 }
swap      = "scratch"
max_align = 8
# public_key = "root.pub.pem"

[app]
file   = "app_upd.bin"
url    = "http://192.168.100.101:8070/app_upd.bin"

[bootloader]
file   = "mcuboot.bin"
url    = "http://192.168.100.101:8070/mcuboot.bin"
size   = 0xf000
"#;

/// Its partition table, as CSV.
pub const PARTITIONS: &str = "\
nvs,      data, nvs,     0x9000,  0x4000,
otadata,  data, ota,     0xd000,  0x2000,
phy_init, data, phy,     0xf000,  0x1000,
factory,  app,  factory, 0x10000, 1M,
ota_0,    app,  ota_0,   ,        1M,
ota_1,    app,  ota_1,   ,        1M,
";
