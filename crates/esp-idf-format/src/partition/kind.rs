//! What a partition is for: its type and subtype.

use core::fmt;

/// The type of a partition. Every number is a type; two have a meaning to the bootloader.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PartitionType {
    /// 0x00: an app that can be started.
    App,
    /// 0x01: data that ESP-IDF knows or leaves to the app.
    Data,
    /// Any other: 0x02 and 0x03 describe bootloader and partition table themselves since
    /// ESP-IDF 5.4, up to 0x3f is reserved, from 0x40 the app decides.
    Custom(u8),
}

impl PartitionType {
    /// The bootloader itself, as an entry of the table (`PART_TYPE_BOOTLOADER`).
    pub const BOOTLOADER: Self = Self::Custom(0x02);
    /// The partition table itself, as an entry of the table (`PART_TYPE_PARTITION_TABLE`).
    pub const PARTITION_TABLE: Self = Self::Custom(0x03);

    /// The type of that number.
    #[must_use]
    pub const fn from_raw(raw: u8) -> Self {
        match raw {
            0x00 => Self::App,
            0x01 => Self::Data,
            other => Self::Custom(other),
        }
    }

    /// The number in the table.
    #[must_use]
    pub const fn raw(self) -> u8 {
        match self {
            Self::App => 0x00,
            Self::Data => 0x01,
            Self::Custom(raw) => raw,
        }
    }

    /// The name that ESP-IDF's CSV has for the type, if it has one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self.raw() {
            0x00 => Some("app"),
            0x01 => Some("data"),
            0x02 => Some("bootloader"),
            0x03 => Some("partition_table"),
            _ => None,
        }
    }

    /// The type of that name in ESP-IDF's CSV.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        (0x00..=0x03).map(Self::from_raw).find(|kind| kind.name() == Some(name))
    }
}

impl fmt::Display for PartitionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#04x}", self.raw()),
        }
    }
}

/// Numbers of the subtypes, which mean something only together with the type.
///
/// `esp_partition_subtype_t` in `components/esp_partition/include/esp_partition.h` of
/// `espressif/esp-idf`.
pub mod subtype {
    use super::PartitionType;

    /// App: started when otadata chooses no other.
    pub const FACTORY: u8 = 0x00;
    /// App: first OTA slot; the others follow.
    pub const OTA_0: u8 = 0x10;
    /// App: last OTA slot.
    pub const OTA_15: u8 = 0x1f;
    /// App: started on request of a pin, or as the last resort.
    pub const TEST: u8 = 0x20;
    /// App: first slot of the trusted execution environment.
    pub const TEE_0: u8 = 0x30;
    /// App: its second slot.
    pub const TEE_1: u8 = 0x31;

    /// Data: which OTA slot is to be started, [`otadata`](crate::otadata).
    pub const OTADATA: u8 = 0x00;
    /// Data: calibration of the radio.
    pub const PHY: u8 = 0x01;
    /// Data: non-volatile storage, key and value.
    pub const NVS: u8 = 0x02;
    /// Data: core dumps.
    pub const COREDUMP: u8 = 0x03;
    /// Data: keys of an encrypted NVS.
    pub const NVS_KEYS: u8 = 0x04;
    /// Data: emulated eFuses.
    pub const EFUSE: u8 = 0x05;
    /// Data: of no stated purpose; an empty subtype in CSV.
    pub const UNDEFINED: u8 = 0x06;
    /// Data: files of the web server.
    pub const ESPHTTPD: u8 = 0x80;
    /// Data: FAT file system.
    pub const FAT: u8 = 0x81;
    /// Data: SPIFFS file system.
    pub const SPIFFS: u8 = 0x82;
    /// Data: LittleFS file system.
    pub const LITTLEFS: u8 = 0x83;

    /// Data: which slot of the trusted execution environment is to be started.
    pub const TEE_OTA: u8 = 0x90;

    /// Bootloader and partition table: the one in force.
    pub const PRIMARY: u8 = 0x00;
    /// Bootloader and partition table: where an update is put first.
    pub const OTA: u8 = 0x01;
    /// Bootloader: the one that the ROM takes if the other does not verify, on chips that can.
    pub const RECOVERY: u8 = 0x02;

    const APP_OTA: [&str; 16] = [
        "ota_0", "ota_1", "ota_2", "ota_3", "ota_4", "ota_5", "ota_6", "ota_7", "ota_8", "ota_9",
        "ota_10", "ota_11", "ota_12", "ota_13", "ota_14", "ota_15",
    ];

    /// The name that ESP-IDF's CSV has for the subtype, if it has one.
    #[must_use]
    pub fn name(kind: PartitionType, subtype: u8) -> Option<&'static str> {
        match (kind.raw(), subtype) {
            (0x00, FACTORY) => Some("factory"),
            (0x00, OTA_0..=OTA_15) => APP_OTA.get(usize::from(subtype - OTA_0)).copied(),
            (0x00, TEST) => Some("test"),
            (0x00, TEE_0) => Some("tee_0"),
            (0x00, TEE_1) => Some("tee_1"),
            (0x01, OTADATA) => Some("ota"),
            (0x01, PHY) => Some("phy"),
            (0x01, NVS) => Some("nvs"),
            (0x01, COREDUMP) => Some("coredump"),
            (0x01, NVS_KEYS) => Some("nvs_keys"),
            (0x01, EFUSE) => Some("efuse"),
            (0x01, UNDEFINED) => Some("undefined"),
            (0x01, ESPHTTPD) => Some("esphttpd"),
            (0x01, FAT) => Some("fat"),
            (0x01, SPIFFS) => Some("spiffs"),
            (0x01, LITTLEFS) => Some("littlefs"),
            (0x01, TEE_OTA) => Some("tee_ota"),
            (0x02 | 0x03, PRIMARY) => Some("primary"),
            (0x02 | 0x03, OTA) => Some("ota"),
            (0x02, RECOVERY) => Some("recovery"),
            _ => None,
        }
    }

    /// The subtype of that name in ESP-IDF's CSV.
    #[must_use]
    pub fn from_name(kind: PartitionType, wanted: &str) -> Option<u8> {
        (0..=u8::MAX).find(|&subtype| name(kind, subtype) == Some(wanted))
    }
}
