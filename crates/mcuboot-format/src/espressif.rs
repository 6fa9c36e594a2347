//! The load header that Espressif's port expects after the MCUboot header.
//!
//! ```text
//! slot offset
//! 0x00     | MCUboot header, hdr_size bytes                                  |
//! hdr_size | magic 0xace637d3 | entry                                        |
//! +0x08    | IRAM: destination, offset in slot, bytes | DRAM: the same three |
//! +0x20    | LP IRAM: the same | LP DRAM: the same | IROM, DROM, unused      |
//! ```
//!
//! It says which parts of the image to copy to RAM and where to jump (`esp_image_load_header_t`,
//! boot/espressif/hal/include/esp_mcuboot_image.h; `esp_app_image_load`,
//! boot/espressif/port/esp_loader.c). The application's linker script writes it. Applications
//! from before the LP segments were introduced have only the first 32 bytes, followed by anything.
//!
//! That an address is one of the chip's RAM is not checked here: that needs the chip's memory map,
//! and a validated image is as its maker meant it.

use core::fmt;

use crate::bytes::u32_at;

/// First word of a load header (`ESP_LOAD_HEADER_MAGIC`,
/// boot/espressif/hal/include/esp_mcuboot_image.h).
pub const LOAD_HEADER_MAGIC: u32 = 0xace6_37d3;

/// Where the loader copies what, and where it jumps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LoadHeader {
    /// Where the application starts.
    pub entry_addr: u32,
    /// What goes to instruction RAM.
    pub iram: LoadSegment,
    /// What goes to data RAM.
    pub dram: LoadSegment,
}

/// A part of the image that is copied to RAM.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LoadSegment {
    /// Where it goes.
    pub dest_addr: u32,
    /// Where it is, in bytes from the start of the slot.
    pub offset_bytes: u32,
    /// How long it is.
    pub len_bytes: u32,
}

impl LoadSegment {
    /// Bytes that its description takes.
    pub const LEN_BYTES: usize = 12;

    /// Whether that address is one of those it is copied to.
    #[must_use]
    pub const fn is_loaded_over(&self, addr: u32) -> bool {
        addr >= self.dest_addr && addr - self.dest_addr < self.len_bytes
    }

    fn parse(header: &[u8], offset: usize) -> Option<Self> {
        Some(Self {
            dest_addr: u32_at(header, offset)?,
            offset_bytes: u32_at(header, offset + 4)?,
            len_bytes: u32_at(header, offset + 8)?,
        })
    }

    const fn words(&self) -> [[u8; 4]; 3] {
        [
            self.dest_addr.to_le_bytes(),
            self.offset_bytes.to_le_bytes(),
            self.len_bytes.to_le_bytes(),
        ]
    }
}

impl LoadHeader {
    /// Bytes of the part that every application has.
    pub const LEN_BYTES: usize = 32;

    /// Reads the load header at the start of `payload`, which is what follows an image's `hdr_size`
    /// bytes.
    ///
    /// # Errors
    /// [`LoadHeaderError::Truncated`] and [`LoadHeaderError::Magic`].
    pub fn parse(payload: &[u8]) -> Result<Self, LoadHeaderError> {
        let truncated = || LoadHeaderError::Truncated { len_bytes: payload.len() };
        let header = payload.get(..Self::LEN_BYTES).ok_or_else(truncated)?;
        let word = |offset| u32_at(header, offset).ok_or_else(truncated);
        let found = word(0)?;
        if found != LOAD_HEADER_MAGIC {
            return Err(LoadHeaderError::Magic { found });
        }
        Ok(Self {
            entry_addr: word(4)?,
            iram: LoadSegment::parse(header, 8).ok_or_else(truncated)?,
            dram: LoadSegment::parse(header, 20).ok_or_else(truncated)?,
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN_BYTES] {
        let [i0, i1, i2] = self.iram.words();
        let [d0, d1, d2] = self.dram.words();
        let (magic, entry) = (LOAD_HEADER_MAGIC.to_le_bytes(), self.entry_addr.to_le_bytes());
        let mut out = [0; Self::LEN_BYTES];
        out.copy_from_slice([magic, entry, i0, i1, i2, d0, d1, d2].as_flattened());
        out
    }

    /// Checks that what is copied is part of the image, and that the loader jumps into what it
    /// copied.
    ///
    /// `payload_end_bytes` is where the payload ends, from the start of the slot: an image's
    /// [`tlv_offset_bytes`](crate::ImageHeader::tlv_offset_bytes). The loader itself does not look
    /// at it.
    ///
    /// # Errors
    /// [`LoadHeaderError::Segment`] and [`LoadHeaderError::Entry`].
    pub fn check(&self, payload_end_bytes: u32) -> Result<(), LoadHeaderError> {
        for (name, segment) in [("IRAM", self.iram), ("DRAM", self.dram)] {
            let end = segment.offset_bytes.checked_add(segment.len_bytes);
            if end.is_none_or(|end| end > payload_end_bytes) {
                return Err(LoadHeaderError::Segment { name, segment, payload_end_bytes });
            }
        }
        let Self { entry_addr, iram, .. } = *self;
        if !iram.is_loaded_over(entry_addr) {
            return Err(LoadHeaderError::Entry { entry_addr, iram });
        }
        Ok(())
    }
}

/// Why Espressif's loader would not start an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LoadHeaderError {
    /// The payload is shorter than a load header.
    Truncated {
        /// How many bytes it has.
        len_bytes: usize,
    },
    /// The payload does not start with [`LOAD_HEADER_MAGIC`].
    Magic {
        /// What it starts with.
        found: u32,
    },
    /// A segment reaches out of the image.
    Segment {
        /// `"IRAM"` or `"DRAM"`.
        name: &'static str,
        /// Which part of the slot it is.
        segment: LoadSegment,
        /// Where the payload ends, from the start of the slot.
        payload_end_bytes: u32,
    },
    /// The application starts where nothing is copied to.
    Entry {
        /// Where it starts, offset 4.
        entry_addr: u32,
        /// What is copied to instruction RAM.
        iram: LoadSegment,
    },
}

impl fmt::Display for LoadHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { len_bytes } => write!(
                f,
                "load header: {len_bytes} bytes of payload, needs {}",
                LoadHeader::LEN_BYTES
            ),
            Self::Magic { found } => write!(
                f,
                "load header: magic at offset 0 is {found:#010x}, not {LOAD_HEADER_MAGIC:#010x}"
            ),
            Self::Segment { name, segment, payload_end_bytes } => write!(
                f,
                "load header: {name} segment of {:#x} bytes at slot offset {:#x} ends past the \
                 payload's end {payload_end_bytes:#x}",
                segment.len_bytes, segment.offset_bytes
            ),
            Self::Entry { entry_addr, iram } => write!(
                f,
                "load header: entry {entry_addr:#x} at offset 4 is not in the IRAM segment, \
                 {:#x} bytes at {:#x}",
                iram.len_bytes, iram.dest_addr
            ),
        }
    }
}

impl core::error::Error for LoadHeaderError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> LoadHeader {
        LoadHeader {
            entry_addr: 0x4038_0100,
            iram: LoadSegment { dest_addr: 0x4038_0000, offset_bytes: 0x1000, len_bytes: 0x800 },
            dram: LoadSegment { dest_addr: 0x3fc8_0000, offset_bytes: 0x1800, len_bytes: 0x400 },
        }
    }

    #[test]
    fn what_is_copied_is_inside_the_image() {
        assert_eq!(header().check(0x1c00), Ok(()));
        let outside = LoadHeaderError::Segment {
            name: "DRAM",
            segment: header().dram,
            payload_end_bytes: 0x1bff,
        };
        assert_eq!(header().check(0x1bff), Err(outside));
        let iram = LoadSegment { offset_bytes: u32::MAX, ..header().iram };
        let wrapping = LoadHeader { iram, ..header() };
        assert!(matches!(wrapping.check(u32::MAX), Err(LoadHeaderError::Segment { .. })));
    }

    #[test]
    fn the_loader_jumps_into_what_it_copied() {
        for entry_addr in [0, 0x4037_ffff, 0x4038_0800] {
            let lost = LoadHeader { entry_addr, ..header() };
            let error = LoadHeaderError::Entry { entry_addr, iram: header().iram };
            assert_eq!(lost.check(0x2000), Err(error));
        }
    }

    #[test]
    fn an_esp_idf_application_is_none() {
        let mut bytes = header().to_bytes();
        bytes[0] = 0xe9;
        assert_eq!(LoadHeader::parse(&bytes), Err(LoadHeaderError::Magic { found: 0xace6_37e9 }));
        let truncated = LoadHeaderError::Truncated { len_bytes: 31 };
        assert_eq!(LoadHeader::parse(&bytes[..31]), Err(truncated));
    }

    proptest! {
        #[test]
        fn parse_undoes_emit(entry_addr: u32, iram: [u32; 3], dram: [u32; 3], end: u32) {
            let segment = |[dest_addr, offset_bytes, len_bytes]: [u32; 3]| {
                LoadSegment { dest_addr, offset_bytes, len_bytes }
            };
            let header = LoadHeader { entry_addr, iram: segment(iram), dram: segment(dram) };
            prop_assert_eq!(LoadHeader::parse(&header.to_bytes()), Ok(header));
            if header.check(end).is_ok() {
                prop_assert!(header.dram.offset_bytes <= end);
            }
        }
    }
}
