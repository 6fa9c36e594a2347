//! Describes partition tables and otadata.

use esp_idf_format::otadata::{OtaData, OtaEntry, OtaEntryError};
use esp_idf_format::partition::{Partition, PartitionTable};
use flash_region::SECTOR_BYTES;
use serde::Serialize;

use super::lines::Lines;

/// A partition table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TableInfo {
    /// `null` if the table is valid, else what is wrong with it.
    pub error: Option<String>,
    /// Whether it has an MD5 entry.
    pub has_md5: Option<bool>,
    /// The partitions, in the order of the table.
    pub partitions: Vec<PartitionInfo>,
}

/// A partition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PartitionInfo {
    /// Its name.
    pub label: String,
    /// Number of its type.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Number of its subtype.
    pub subtype: u8,
    /// Type and subtype in words.
    pub usage: String,
    /// Its address.
    pub offset: u32,
    /// Its length in bytes.
    pub size: u32,
    /// Whether it is marked as encrypted.
    pub encrypted: bool,
    /// Whether it is marked as read-only.
    pub readonly: bool,
}

impl TableInfo {
    /// Describes what begins like a partition table.
    #[must_use]
    pub fn of(file: &[u8]) -> Self {
        // A table that the bootloader accepts is shown even if tools would refuse it.
        let table = PartitionTable::parse_as_bootloader(file);
        let error = PartitionTable::parse(file).err();
        let table = table.ok();
        Self {
            error: error.map(|error| error.to_string()),
            has_md5: table.map(|table| table.has_md5()),
            partitions: table
                .into_iter()
                .flatten()
                .map(|partition| PartitionInfo::of(&partition))
                .collect(),
        }
    }

    pub(super) fn write(&self, lines: &mut Lines) {
        lines.field("state", self.error.as_deref().map_or("sound", |_| "not valid"));
        lines.some("error", &self.error);
        lines.some("MD5", &self.has_md5.map(|has| if has { "right" } else { "none" }));
        for partition in &self.partitions {
            lines.line(partition.line());
        }
    }
}

impl PartitionInfo {
    /// Describes a partition.
    #[must_use]
    pub fn of(partition: &Partition) -> Self {
        Self {
            label: partition.label.to_string(),
            kind: partition.kind.raw(),
            subtype: partition.subtype,
            usage: partition.usage().to_string(),
            offset: partition.region.start().get(),
            size: partition.region.len_bytes(),
            encrypted: partition.is_encrypted(),
            readonly: partition.is_readonly(),
        }
    }

    pub(super) fn line(&self) -> String {
        let Self { label, usage, offset, size, encrypted, readonly, .. } = self;
        let flags = [(*encrypted, " encrypted"), (*readonly, " readonly")];
        let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
        format!("{label:<16} {usage:<14} {offset:>#10x} + {size:#x}{flags}")
    }
}

/// Otadata.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OtadataInfo {
    /// Both entries.
    pub entries: [EntryInfo; 2],
    /// Which of them the bootloader uses, 0 or 1; `null` if neither.
    pub in_force: Option<usize>,
}

/// An entry of otadata.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct EntryInfo {
    /// `null` if the entry is valid, else why not.
    pub error: Option<String>,
    /// Whether it is blank.
    pub blank: bool,
    /// Its sequence number.
    pub seq: Option<u32>,
    /// State of the app: `new`, `pending-verify`, `valid`, `invalid`, `aborted` or `undefined`.
    pub state: Option<String>,
    /// Number of the OTA slot that it selects; `null` if the number of slots is not known.
    pub ota_slot: Option<u8>,
}

impl OtadataInfo {
    /// Describes otadata of a device with that many OTA slots.
    #[must_use]
    pub fn of(file: &[u8], ota_count: Option<u8>) -> Self {
        let (first, second) = file.split_at_checked(SECTOR_BYTES as usize).unwrap_or((file, &[]));
        let data = OtaData::parse(first, second);
        // Which entry is used does not depend on the number of slots, if there is at least one.
        let selection = data.select(ota_count.filter(|count| *count > 0).unwrap_or(1));
        Self {
            entries: data.entries.map(|entry| EntryInfo::of(entry, ota_count)),
            in_force: selection.map(|selection| selection.entry_index),
        }
    }

    pub(super) fn write(&self, lines: &mut Lines) {
        for (index, entry) in self.entries.iter().enumerate() {
            let in_force = if self.in_force == Some(index) { ", in force" } else { "" };
            lines.field(&format!("entry {index}"), format_args!("{}{in_force}", entry.line()));
        }
    }
}

impl EntryInfo {
    fn of(entry: Result<OtaEntry, OtaEntryError>, ota_count: Option<u8>) -> Self {
        let good = entry.as_ref().ok();
        Self {
            error: entry.as_ref().err().map(ToString::to_string),
            blank: entry == Err(OtaEntryError::Blank),
            seq: good.map(|entry| entry.seq),
            state: good.map(|entry| entry.state.to_string()),
            ota_slot: good.and_then(|entry| entry.ota_index(ota_count?)),
        }
    }

    fn line(&self) -> String {
        match (&self.error, self.seq, &self.state) {
            (None, Some(seq), Some(state)) => {
                let slot =
                    self.ota_slot.map(|slot| format!(", slot ota_{slot}")).unwrap_or_default();
                format!("sequence {seq}, state {state}{slot}")
            }
            (error, ..) if !self.blank => error.clone().unwrap_or_default(),
            _ => "blank".to_owned(),
        }
    }
}
