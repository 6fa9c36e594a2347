//! One of the two entries.

use core::fmt;

use crate::crc::rom_crc32;
use crate::cursor::{Reader, Writer};

/// Bytes of an entry (`sizeof(esp_ota_select_entry_t)`).
pub const ENTRY_LEN_BYTES: usize = 32;

/// Where in an entry the checksum is (`crc` of `esp_ota_select_entry_t`).
pub const CRC_OFFSET_BYTES: u32 = 28;

/// The sequence of an entry that was never written.
const BLANK_SEQ: u32 = u32::MAX;

/// The state of an app (`esp_ota_img_states_t`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OtaState {
    /// Written, never started.
    New,
    /// Started once, has not confirmed that it works.
    PendingVerify,
    /// Has confirmed that it works.
    Valid,
    /// Has reported that it does not work.
    Invalid,
    /// Did not confirm before the next reset.
    Aborted,
    /// Not tracked: written without rollback.
    Undefined,
    /// Another number, which the bootloader treats as `Undefined`.
    Other(u32),
}

impl OtaState {
    /// The state of that number.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Self {
        match raw {
            0 => Self::New,
            1 => Self::PendingVerify,
            2 => Self::Valid,
            3 => Self::Invalid,
            4 => Self::Aborted,
            u32::MAX => Self::Undefined,
            other => Self::Other(other),
        }
    }

    /// The number in flash.
    #[must_use]
    pub const fn raw(self) -> u32 {
        match self {
            Self::New => 0,
            Self::PendingVerify => 1,
            Self::Valid => 2,
            Self::Invalid => 3,
            Self::Aborted => 4,
            Self::Undefined => u32::MAX,
            Self::Other(raw) => raw,
        }
    }

    /// Whether the bootloader starts an app in this state, with rollback or without.
    #[must_use]
    pub const fn is_bootable(self) -> bool {
        !matches!(self, Self::Invalid | Self::Aborted)
    }
}

impl fmt::Display for OtaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::PendingVerify => "pending-verify",
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Aborted => "aborted",
            Self::Undefined => "undefined",
            Self::Other(raw) => return write!(f, "{raw:#x}"),
        })
    }
}

/// An entry whose checksum is right.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OtaEntry {
    /// Decides which entry is in force, and which slot it means. Never `u32::MAX`, which is an
    /// erased entry.
    pub seq: u32,
    /// Bytes that ESP-IDF leaves erased.
    pub label: [u8; 20],
    /// The state of the app in the slot.
    pub state: OtaState,
}

impl OtaEntry {
    /// An entry with the label left erased, as ESP-IDF writes it.
    #[must_use]
    pub const fn new(seq: u32, state: OtaState) -> Self {
        Self { seq, label: [0xff; 20], state }
    }

    /// Reads an entry from the first bytes of its sector.
    ///
    /// # Errors
    ///
    /// [`OtaEntryError`]: the entry is erased, torn or damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, OtaEntryError> {
        let too_short = OtaEntryError::TooShort { found_bytes: bytes.len() };
        let (entry, stored) = Self::read(bytes).ok_or(too_short)?;
        if entry.seq == BLANK_SEQ {
            return Err(OtaEntryError::Blank);
        }
        let computed = seq_crc(entry.seq);
        if stored != computed {
            let offset_bytes = CRC_OFFSET_BYTES;
            return Err(OtaEntryError::Crc { offset_bytes, stored, computed });
        }
        Ok(entry)
    }

    fn read(bytes: &[u8]) -> Option<(Self, u32)> {
        let mut fields = Reader::new(bytes);
        let seq = fields.u32()?;
        let label = fields.array()?;
        let state = OtaState::from_raw(fields.u32()?);
        Some((Self { seq, label, state }, fields.u32()?))
    }

    /// The entry's bytes with its checksum.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ENTRY_LEN_BYTES] {
        Writer::filled_with(0)
            .put(&self.seq.to_le_bytes())
            .put(&self.label)
            .put(&self.state.raw().to_le_bytes())
            .put(&seq_crc(self.seq).to_le_bytes())
            .finish()
    }

    /// The OTA slot that the entry means on a device with `ota_count` of them; `None` if it has
    /// none.
    ///
    /// For a sequence of 0 it is what the bootloader's unsigned arithmetic gives: the remainder of
    /// `u32::MAX`.
    #[must_use]
    pub fn ota_index(&self, ota_count: u8) -> Option<u8> {
        let index = self.seq.wrapping_sub(1).checked_rem(u32::from(ota_count))?;
        u8::try_from(index).ok()
    }
}

/// The checksum of an entry: over the four bytes of the sequence.
pub(super) fn seq_crc(seq: u32) -> u32 {
    rom_crc32(&seq.to_le_bytes())
}

/// Why an entry is not valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OtaEntryError {
    /// Fewer bytes than an entry has.
    TooShort {
        /// How many there are.
        found_bytes: usize,
    },
    /// Never written since it was erased: the sequence is all ones.
    Blank,
    /// The checksum is not that of the sequence: torn or damaged.
    Crc {
        /// Where in the entry the checksum is.
        offset_bytes: u32,
        /// The checksum that is there.
        stored: u32,
        /// The checksum that would be right.
        computed: u32,
    },
}

impl fmt::Display for OtaEntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooShort { found_bytes } => {
                write!(f, "otadata entry has {ENTRY_LEN_BYTES} bytes, only {found_bytes} are there")
            }
            Self::Blank => f.write_str("otadata entry is erased"),
            Self::Crc { offset_bytes, stored, computed } => write!(
                f,
                "otadata entry's CRC at offset {offset_bytes} is {stored:#010x}, \
                 its sequence has {computed:#010x}"
            ),
        }
    }
}

impl core::error::Error for OtaEntryError {}
