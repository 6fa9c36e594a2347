//! What the bootloader does with the two entries, and which entry makes it start a given slot.

use core::fmt;

use flash_region::{Region, SECTOR_BYTES};

use super::{OtaEntry, OtaEntryError, OtaState};

/// Both entries, each valid, or with the reason why it is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OtaData {
    /// Entry 0 from the first sector of the partition, entry 1 from the second.
    pub entries: [Result<OtaEntry, OtaEntryError>; 2],
}

/// The entry in force.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Selection {
    /// The OTA slot that is started, from 0.
    pub ota_index: u8,
    /// Which entry says so, 0 or 1.
    pub entry_index: usize,
}

/// What the bootloader does at a boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OtaBoot {
    /// The slot that it tries first; `None` means the factory app, [`boot_order`].
    pub selection: Option<Selection>,
    /// Entries whose sector it erases and writes before it starts an app, entry 0 first.
    pub rewrites: [Option<OtaEntry>; 2],
}

impl OtaData {
    /// Reads both entries; the slices begin with the first byte of the two sectors.
    #[must_use]
    pub fn parse(sector_0: &[u8], sector_1: &[u8]) -> Self {
        Self { entries: [OtaEntry::parse(sector_0), OtaEntry::parse(sector_1)] }
    }

    /// The entry that the bootloader follows on a device with `ota_count` slots: of those with a
    /// right checksum that are neither invalid nor aborted, the one with the larger sequence; the
    /// first one if both have the same.
    ///
    /// `None` if there is none, or no slot. Then the bootloader starts the factory app, or without
    /// one the first slot with a valid image ([`boot_order`]).
    #[must_use]
    pub fn select(&self, ota_count: u8) -> Option<Selection> {
        let (entry_index, entry) = match (self.bootable(0), self.bootable(1)) {
            (Some(first), Some(second)) if second.seq > first.seq => (1, second),
            (Some(first), _) => (0, first),
            (None, Some(second)) => (1, second),
            (None, None) => return None,
        };
        Some(Selection { ota_index: entry.ota_index(ota_count)?, entry_index })
    }

    /// What the bootloader does at a boot, with `rollback` being whether
    /// `CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE` was on when it was built.
    ///
    /// With rollback, an app that was started before and has not confirmed is aborted, and an app
    /// started for the first time is marked so. Two rewrites of the real bootloader are left out,
    /// because they never change what it starts: it rewrites the state of an entry with a wrong
    /// checksum; and if otadata is erased and there is no factory app, it writes entry 0 for the
    /// slot that started, with state `Valid`.
    #[must_use]
    pub fn boot(&self, ota_count: u8, rollback: bool) -> OtaBoot {
        let mut after = *self;
        let mut rewrites = [None; 2];
        if rollback {
            for (entry, rewrite) in after.entries.iter_mut().zip(&mut rewrites) {
                if let Ok(entry) = entry
                    && entry.state == OtaState::PendingVerify
                {
                    entry.state = OtaState::Aborted;
                    *rewrite = Some(*entry);
                }
            }
        }
        let selection = after.select(ota_count);
        if rollback
            && let Some(Selection { entry_index, .. }) = selection
            && let Some(Ok(entry)) = after.entries.get(entry_index)
            && entry.state == OtaState::New
            && let Some(rewrite) = rewrites.get_mut(entry_index)
        {
            *rewrite = Some(OtaEntry { state: OtaState::PendingVerify, ..*entry });
        }
        OtaBoot { selection, rewrites }
    }

    /// The entry that makes the bootloader start slot `ota_index` of `ota_count`, and which sector
    /// it goes into, 0 or 1.
    ///
    /// Its state is [`OtaState::Undefined`], as ESP-IDF writes it without rollback: a bootloader
    /// with rollback starts it and leaves it alone. Put another state into it for a trial, or
    /// [`OtaState::Valid`] to confirm the slot in force.
    ///
    /// # Power-fail safety
    ///
    /// The entry never goes into the sector of the entry in force. Erase its sector, then write it.
    /// If power is lost in between, the old entry decides. If the write is torn, either the new
    /// entry has a wrong checksum and the old one decides, or the new one is already valid. Nothing
    /// has to be repaired.
    ///
    /// # Errors
    ///
    /// [`OtaDataError::NoSuchSlot`], [`OtaDataError::SequenceExhausted`].
    pub fn entry_for(
        &self,
        ota_index: u8,
        ota_count: u8,
    ) -> Result<(usize, OtaEntry), OtaDataError> {
        if ota_index >= ota_count {
            return Err(OtaDataError::NoSuchSlot { ota_index, ota_count });
        }
        let (entry_index, in_force_seq) = match self.select(ota_count) {
            Some(Selection { entry_index: 0, .. }) => (1, self.seq(0)),
            Some(_) => (0, self.seq(1)),
            None => (0, 0),
        };
        let count = u64::from(ota_count);
        let first = u64::from(ota_index) + 1;
        // The smallest `first + k * count` after the sequence in force.
        let rounds = (u64::from(in_force_seq) + 1).saturating_sub(first).div_ceil(count);
        match u32::try_from(first + rounds * count) {
            Ok(seq) if seq != u32::MAX => {
                Ok((entry_index, OtaEntry::new(seq, OtaState::Undefined)))
            }
            _ => Err(OtaDataError::SequenceExhausted { in_force_seq }),
        }
    }

    fn bootable(&self, entry_index: usize) -> Option<&OtaEntry> {
        let entry = self.entries.get(entry_index)?.as_ref().ok()?;
        entry.state.is_bootable().then_some(entry)
    }

    fn seq(&self, entry_index: usize) -> u32 {
        self.bootable(entry_index).map_or(0, |entry| entry.seq)
    }
}

/// The sector of an otadata partition that an entry lies in.
#[must_use]
pub const fn sector(otadata: Region, entry_index: usize) -> Region {
    let first = otadata.prefix(SECTOR_BYTES);
    if entry_index == 0 { first } else { otadata.from(first.end()).prefix(SECTOR_BYTES) }
}

/// A place where the bootloader looks for an app.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BootSlot {
    /// The factory app.
    Factory,
    /// The OTA slot of that index.
    Ota(u8),
    /// The test app.
    Test,
}

/// The order in which the bootloader tries apps until one has a valid image.
///
/// From the selected slot down to slot 0, the factory app, the slots after the selected one, the
/// test app. With nothing selected: factory app, all slots, test app. The caller skips slots that
/// the table does not have. (`bootloader_utility_load_boot_image`.)
pub fn boot_order(
    selection: Option<Selection>,
    ota_count: u8,
) -> impl Iterator<Item = BootSlot> + Clone {
    let behind = selection.map_or(0, |selected| selected.ota_index.saturating_add(1));
    (0..behind)
        .rev()
        .map(BootSlot::Ota)
        .chain([BootSlot::Factory])
        .chain((behind..ota_count).map(BootSlot::Ota))
        .chain([BootSlot::Test])
}

/// Why no entry can make the bootloader start a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OtaDataError {
    /// The device has no such slot.
    NoSuchSlot {
        /// The slot asked for, from 0.
        ota_index: u8,
        /// How many slots the device has.
        ota_count: u8,
    },
    /// The sequence in force is so large that no larger one means the slot. Both sectors would
    /// have to be erased first.
    SequenceExhausted {
        /// The sequence in force.
        in_force_seq: u32,
    },
}

impl fmt::Display for OtaDataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoSuchSlot { ota_index, ota_count } => {
                write!(f, "no OTA slot {ota_index} on a device with {ota_count} of them")
            }
            Self::SequenceExhausted { in_force_seq } => {
                write!(f, "otadata sequence {in_force_seq:#x} leaves no larger one for the slot")
            }
        }
    }
}

impl core::error::Error for OtaDataError {}
