//! Partition tables of ESP-IDF and Arduino, and Zephyr's flash maps for Espressif's chips: the
//! numbers alone. The planner's tests and those of the simulated device go through them.
//!
//! They are those of `components/partition_table/*.csv` in espressif/esp-idf,
//! `tools/partitions/*.csv` in espressif/arduino-esp32, and
//! `dts/vendor/espressif/partitions_*.dtsi` (before 2025 `dts/common/espressif`) in
//! zephyrproject-rtos/zephyr.

use bootswap_plan::McubootMap;
use esp_idf_format::partition::{Label, Partition, PartitionType, subtype};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

const MIB: u32 = 0x10_0000;
const KIB: u32 = 1024;

/// A flash map: its primary and secondary slots have so many KiB, and a scratch area where it has
/// one.
pub struct ZephyrMap {
    pub name: &'static str,
    pub flash_mb: u32,
    secondary: u32,
    slot_kib: u32,
    scratch: Option<(u32, u32)>,
}

/// All of them have the primary slot at 0x20000.
pub const MAPS: [ZephyrMap; 9] = [
    zephyr("2M", 2, 0xe_0000, 768, None),
    zephyr("4M", 4, 0x1e_0000, 1792, None),
    zephyr("4M with scratch", 4, 0x1e_0000, 1792, Some((0x3e_0000, 124))),
    zephyr("8M", 8, 0x3e_0000, 3840, Some((0x7e_0000, 124))),
    zephyr("8M of 2024", 8, 0x3f_0000, 3904, Some((0x7e_0000, 64))),
    zephyr("16M", 16, 0x7e_0000, 7936, None),
    zephyr("4M for two cores", 4, 0x17_0000, 1344, Some((0x3e_0000, 124))),
    zephyr("8M for two cores", 8, 0x2f_0000, 2880, None),
    zephyr("16M for two cores", 16, 0x5f_0000, 5952, None),
];

const fn zephyr(
    name: &'static str,
    flash_mb: u32,
    secondary: u32,
    slot_kib: u32,
    scratch: Option<(u32, u32)>,
) -> ZephyrMap {
    ZephyrMap { name, flash_mb, secondary, slot_kib, scratch }
}

impl ZephyrMap {
    /// The map as MCUboot with that kind of swap has it; `None` where it has no place for scratch.
    pub fn built(&self, swap: SwapKind) -> Option<McubootMap<'static>> {
        let slot_len_bytes = self.slot_kib * KIB;
        let scratch = self.scratch.map(|(start, kib)| region(start, kib * KIB));
        if swap == SwapKind::Scratch && scratch.is_none() {
            return None;
        }
        Some(McubootMap {
            primary: region(0x2_0000, slot_len_bytes),
            secondary: region(self.secondary, slot_len_bytes),
            scratch: scratch.filter(|_| swap == SwapKind::Scratch),
            swap,
            // BOOT_MAX_IMG_SECTORS_AUTO
            max_sectors: slot_len_bytes / SECTOR_BYTES,
            overwrites_fast: swap == SwapKind::Overwrite,
            ..McubootMap::ESPRESSIF
        })
    }
}

/// A line of a partition table: label, subtype of an app or a data partition, start, bytes.
type Line = (&'static str, Kind, u32, u32);

enum Kind {
    Factory,
    Ota(u8),
    Otadata,
    Nvs,
    Data(u8),
}

use Kind::{Data, Factory, Nvs, Ota, Otadata};

/// Tables by name, with the least MB of flash that they need.
pub fn tables() -> Vec<(&'static str, u32, Vec<Partition>)> {
    let idf = |apps: &[Line]| {
        let small: &[Line] = &[
            ("nvs", Nvs, 0x9000, 0x4000),
            ("otadata", Otadata, 0xd000, 0x2000),
            ("phy_init", Data(subtype::PHY), 0xf000, 0x1000),
        ];
        [table(small), table(apps)].concat()
    };
    let arduino = |rest: &[Line]| {
        let small: &[Line] = &[("nvs", Nvs, 0x9000, 0x5000), ("otadata", Otadata, 0xe000, 0x2000)];
        [table(small), table(rest)].concat()
    };
    let spiffs = || Data(subtype::SPIFFS);
    let coredump = || Data(subtype::COREDUMP);
    vec![
        (
            "ESP-IDF, two OTA",
            4,
            idf(&[
                ("factory", Factory, 0x1_0000, MIB),
                ("ota_0", Ota(0), 0x11_0000, MIB),
                ("ota_1", Ota(1), 0x21_0000, MIB),
            ]),
        ),
        (
            "ESP-IDF, two OTA, large",
            4,
            table(&[
                ("nvs", Nvs, 0x9000, 0x6000),
                ("otadata", Otadata, 0xf000, 0x2000),
                ("phy_init", Data(subtype::PHY), 0x1_1000, 0x1000),
                ("ota_0", Ota(0), 0x2_0000, 1700 * KIB),
                ("ota_1", Ota(1), 0x1d_0000, 1700 * KIB),
            ]),
        ),
        (
            "Arduino, 4 MB",
            4,
            arduino(&[
                ("app0", Ota(0), 0x1_0000, 0x14_0000),
                ("app1", Ota(1), 0x15_0000, 0x14_0000),
                ("eeprom", Data(0x99), 0x29_0000, 0x1000),
                ("spiffs", spiffs(), 0x29_1000, 0x16_f000),
            ]),
        ),
        (
            "Arduino, minimal SPIFFS",
            4,
            arduino(&[
                ("app0", Ota(0), 0x1_0000, 0x1e_0000),
                ("app1", Ota(1), 0x1f_0000, 0x1e_0000),
                ("spiffs", spiffs(), 0x3d_0000, 0x3_0000),
            ]),
        ),
        (
            "RainMaker",
            4,
            arduino(&[
                ("ota_0", Ota(0), 0x1_0000, 0x1e_0000),
                ("ota_1", Ota(1), 0x1f_0000, 0x1e_0000),
                ("fctry", Nvs, 0x3d_0000, 0x6000),
            ]),
        ),
        (
            "TinyUF2, 4 MB",
            4,
            arduino(&[
                ("ota_0", Ota(0), 0x1_0000, 1408 * KIB),
                ("ota_1", Ota(1), 0x17_0000, 1408 * KIB),
                ("uf2", Factory, 0x2d_0000, 256 * KIB),
                ("ffat", Data(subtype::FAT), 0x31_0000, 960 * KIB),
            ]),
        ),
        (
            "Arduino, 8 MB",
            8,
            arduino(&[
                ("app0", Ota(0), 0x1_0000, 0x33_0000),
                ("app1", Ota(1), 0x34_0000, 0x33_0000),
                ("spiffs", spiffs(), 0x67_0000, 0x18_0000),
                ("coredump", coredump(), 0x7f_0000, 0x1_0000),
            ]),
        ),
        (
            "Arduino, 8 MB, large SPIFFS",
            8,
            arduino(&[
                ("app0", Ota(0), 0x1_0000, 0x14_0000),
                ("app1", Ota(1), 0x15_0000, 0x14_0000),
                ("spiffs", spiffs(), 0x29_0000, 0x56_0000),
                ("coredump", coredump(), 0x7f_0000, 0x1_0000),
            ]),
        ),
        (
            "RainMaker, 8 MB",
            8,
            arduino(&[
                ("ota_0", Ota(0), 0x1_0000, 0x3e_d000),
                ("ota_1", Ota(1), 0x3f_d000, 0x3e_d000),
                ("fctry", Nvs, 0x7e_a000, 0x6000),
                ("coredump", coredump(), 0x7f_0000, 0x1_0000),
            ]),
        ),
        (
            "Arduino, 16 MB",
            16,
            arduino(&[
                ("app0", Ota(0), 0x1_0000, 0x64_0000),
                ("app1", Ota(1), 0x65_0000, 0x64_0000),
                ("spiffs", spiffs(), 0xc9_0000, 0x36_fffc),
            ]),
        ),
        (
            "Arduino, 16 MB, FAT",
            16,
            arduino(&[
                ("app0", Ota(0), 0x1_0000, 0x30_0000),
                ("app1", Ota(1), 0x31_0000, 0x30_0000),
                ("ffat", Data(subtype::FAT), 0x61_0000, 0x9e_0000),
                ("coredump", coredump(), 0xff_0000, 0x1_0000),
            ]),
        ),
        (
            "M5Stack, 16 MB",
            16,
            arduino(&[
                ("ota_0", Ota(0), 0x1_0000, 0x30_0000),
                ("ota_1", Ota(1), 0x31_0000, 0x30_0000),
                ("ota_2", Ota(2), 0x61_0000, 0x30_0000),
                ("ota_3", Ota(3), 0x91_0000, 0x30_0000),
                ("firmware", Factory, 0xc1_0000, 0xf_0000),
                ("spiffs", spiffs(), 0xd0_0000, 0x2f_0000),
                ("coredump", coredump(), 0xff_0000, 0x1_0000),
            ]),
        ),
    ]
}

fn table(lines: &[Line]) -> Vec<Partition> {
    let lines = lines.iter().map(|(label, kind, start, len_bytes)| {
        let (kind, subtype) = match kind {
            Factory => (PartitionType::App, subtype::FACTORY),
            Ota(index) => (PartitionType::App, subtype::OTA_0 + index),
            Otadata => (PartitionType::Data, subtype::OTADATA),
            Nvs => (PartitionType::Data, subtype::NVS),
            Data(subtype) => (PartitionType::Data, *subtype),
        };
        let label = Label::new(label).expect("a short label");
        Partition { label, kind, subtype, region: region(*start, *len_bytes), flags: 0 }
    });
    lines.collect()
}

fn region(start: u32, len_bytes: u32) -> Region {
    Region::clamped(FlashAddr(start), len_bytes)
}
