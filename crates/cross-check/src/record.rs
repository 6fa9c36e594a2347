//! Inputs in flash, one behind the other.
//!
//! ```text
//!   0      1       4         8
//!   | kind | 0     | length  | input, up to a multiple of 4 |    little-endian
//!   | 0xff |  the end, as erased flash has it
//! ```

use flash_region::FlashAddr;

/// Where the records begin: the example's second OTA partition.
pub const RECORDS_ADDR: FlashAddr = FlashAddr(0x11_0000);
/// Bytes before an input.
pub const HEAD_LEN_BYTES: u32 = 8;
/// Longest input.
pub const MAX_LEN_BYTES: u32 = 0x3000;

/// What an input is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A partition table.
    Table,
    /// A bootloader.
    EspImage,
    /// A key and an application.
    Signed,
    /// The facts of a device and a configuration.
    Plan,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Table, Self::EspImage, Self::Signed, Self::Plan];
}

/// What a record begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// What the input is.
    pub kind: Kind,
    /// Its bytes.
    pub len_bytes: u32,
}

impl Head {
    /// Reads a head; `None` where the records end.
    #[must_use]
    pub fn from_bytes(bytes: [u8; HEAD_LEN_BYTES as usize]) -> Option<Self> {
        let [number, 0, 0, 0, a, b, c, d] = bytes else { return None };
        let kind = *Kind::ALL.get(usize::from(number))?;
        let len_bytes = u32::from_le_bytes([a, b, c, d]);
        (len_bytes <= MAX_LEN_BYTES).then_some(Self { kind, len_bytes })
    }

    /// The head's bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEAD_LEN_BYTES as usize] {
        let [a, b, c, d] = self.len_bytes.to_le_bytes();
        [self.kind as u8, 0, 0, 0, a, b, c, d]
    }
}
