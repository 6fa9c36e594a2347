//! One partition, as a value.

use core::fmt;

use flash_region::{FlashAddr, Region};

use super::{ENTRY_LEN_BYTES, ENTRY_MAGIC, Label, PartitionType, subtype};
use crate::cursor::{Reader, Writer};

/// Bits of [`Partition::flags`].
pub mod flags {
    /// Encrypted where flash encryption is on (`PART_FLAG_ENCRYPTED`).
    pub const ENCRYPTED: u32 = 1 << 0;
    /// Not to be written by the app (`PART_FLAG_READONLY`).
    pub const READONLY: u32 = 1 << 1;
}

/// An entry of the partition table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Partition {
    /// The name, unique in a table.
    pub label: Label,
    /// What the partition is for.
    pub kind: PartitionType,
    /// What exactly it is for, see [`subtype`].
    pub subtype: u8,
    /// The part of flash that it takes.
    pub region: Region,
    /// Bits of [`flags`], and whatever else was set.
    pub flags: u32,
}

/// The bytes of one entry.
pub(super) type Record = [u8; ENTRY_LEN_BYTES as usize];

/// The fields of an entry before they are checked.
pub(super) struct RawEntry {
    pub(super) magic: [u8; 2],
    pub(super) kind: u8,
    pub(super) subtype: u8,
    pub(super) start: FlashAddr,
    pub(super) len_bytes: u32,
    pub(super) label: [u8; 16],
    pub(super) flags: u32,
}

impl RawEntry {
    pub(super) fn read(record: &Record) -> Option<Self> {
        let mut fields = Reader::new(record);
        Some(Self {
            magic: fields.array()?,
            kind: fields.u8()?,
            subtype: fields.u8()?,
            start: FlashAddr(fields.u32()?),
            len_bytes: fields.u32()?,
            label: fields.array()?,
            flags: fields.u32()?,
        })
    }

    /// The partition, cut off at the end of the address space; a table was checked for that before.
    pub(super) const fn partition(&self) -> Partition {
        Partition {
            label: Label::from_bytes(self.label),
            kind: PartitionType::from_raw(self.kind),
            subtype: self.subtype,
            region: Region::clamped(self.start, self.len_bytes),
            flags: self.flags,
        }
    }
}

impl Partition {
    /// The entry's 32 bytes in the table.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ENTRY_LEN_BYTES as usize] {
        Writer::filled_with(0)
            .put(&ENTRY_MAGIC)
            .put(&[self.kind.raw(), self.subtype])
            .put(&self.region.start().get().to_le_bytes())
            .put(&self.region.len_bytes().to_le_bytes())
            .put(self.label.as_bytes())
            .put(&self.flags.to_le_bytes())
            .finish()
    }

    /// Whether it holds an app: factory, OTA slot or test app.
    #[must_use]
    pub const fn is_app(&self) -> bool {
        matches!(self.kind, PartitionType::App)
    }

    /// Whether it holds data in ESP-IDF's sense.
    #[must_use]
    pub const fn is_data(&self) -> bool {
        matches!(self.kind, PartitionType::Data)
    }

    /// Whether it holds the factory app.
    #[must_use]
    pub const fn is_factory(&self) -> bool {
        self.is_app() && self.subtype == subtype::FACTORY
    }

    /// Whether it holds the test app.
    #[must_use]
    pub const fn is_test_app(&self) -> bool {
        self.is_app() && self.subtype == subtype::TEST
    }

    /// Which OTA slot it is, from 0, or `None` if it is not one.
    #[must_use]
    pub const fn ota_index(&self) -> Option<u8> {
        match self.subtype {
            subtype::OTA_0..=subtype::OTA_15 if self.is_app() => {
                Some(self.subtype - subtype::OTA_0)
            }
            _ => None,
        }
    }

    /// Whether it says which OTA slot is started.
    #[must_use]
    pub const fn is_otadata(&self) -> bool {
        self.is_data() && self.subtype == subtype::OTADATA
    }

    /// Whether it holds non-volatile storage.
    #[must_use]
    pub const fn is_nvs(&self) -> bool {
        self.is_data() && self.subtype == subtype::NVS
    }

    /// Whether it holds keys of an encrypted NVS.
    #[must_use]
    pub const fn is_nvs_keys(&self) -> bool {
        self.is_data() && self.subtype == subtype::NVS_KEYS
    }

    /// Whether it holds calibration of the radio.
    #[must_use]
    pub const fn is_phy(&self) -> bool {
        self.is_data() && self.subtype == subtype::PHY
    }

    /// Whether it describes the second-stage bootloader or the table itself, which lie before all
    /// other partitions.
    #[must_use]
    pub fn is_boot_area(&self) -> bool {
        self.kind == PartitionType::BOOTLOADER || self.kind == PartitionType::PARTITION_TABLE
    }

    /// Whether it describes the bootloader or the table that is in force.
    #[must_use]
    pub fn is_primary_boot_area(&self) -> bool {
        self.is_boot_area() && self.subtype == subtype::PRIMARY
    }

    /// Whether it describes the bootloader that some chips' ROMs fall back to.
    #[must_use]
    pub fn is_recovery_bootloader(&self) -> bool {
        self.kind == PartitionType::BOOTLOADER && self.subtype == subtype::RECOVERY
    }

    /// Whether the bootloader uses only one entry of this kind, silently the last one if there are
    /// several: factory app, test app, each OTA slot, otadata.
    #[must_use]
    pub const fn has_role(&self) -> bool {
        self.is_factory() || self.is_test_app() || self.is_otadata() || self.ota_index().is_some()
    }

    /// Whether both have the same type and subtype.
    #[must_use]
    pub fn is_same_role(&self, other: &Self) -> bool {
        (self.kind, self.subtype) == (other.kind, other.subtype)
    }

    /// Whether it begins at a multiple of [`align_bytes`](Self::align_bytes).
    #[must_use]
    pub const fn is_aligned(&self) -> bool {
        self.region.start().is_aligned(self.align_bytes())
    }

    /// Whether it is marked as encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.flags & flags::ENCRYPTED != 0
    }

    /// Whether it is marked as not to be written.
    #[must_use]
    pub const fn is_readonly(&self) -> bool {
        self.flags & flags::READONLY != 0
    }

    /// Its start has to be a multiple of this, in bytes.
    #[must_use]
    pub const fn align_bytes(&self) -> u32 {
        if self.is_app() { super::APP_ALIGN_BYTES } else { super::DATA_ALIGN_BYTES }
    }

    /// The name of type and subtype for people: `app factory`, `data 0x99`.
    #[must_use]
    pub const fn usage(&self) -> impl fmt::Display + use<> {
        Usage(self.kind, self.subtype)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) at {}", self.label, self.usage(), self.region)
    }
}

struct Usage(PartitionType, u8);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match subtype::name(self.0, self.1) {
            Some(name) => write!(f, "{} {name}", self.0),
            None => write!(f, "{} {:#04x}", self.0, self.1),
        }
    }
}
