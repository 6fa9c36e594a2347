//! The load header that Espressif's port expects after the MCUboot header, and what its loader asks
//! of it.
//!
//! ```text
//! slot offset
//! 0x00     | MCUboot header, hdr_size bytes                                  |
//! hdr_size | magic 0xace637d3 | entry                                        |
//! +0x08    | IRAM: destination, offset in slot, bytes | DRAM: the same three |
//! +0x20    | LP IRAM: the same three                  | LP DRAM: the same    |
//! +0x38    | IROM: the same, for the application    | DROM: the same       |
//! +0x50    | unused, up to 0x60 bytes                                       |
//! ```
//!
//! It says which parts of the image to copy to RAM and where to jump (`esp_image_load_header_t`,
//! boot/espressif/hal/include/esp_mcuboot_image.h; `esp_app_image_load`,
//! boot/espressif/port/esp_loader.c). The application's linker script writes it. An image made of
//! anything else, such as an ESP-IDF `.bin`, passes MCUboot's own checks and never starts.
//!
//! IROM and DROM are read by the application itself, which maps them; those of older systems have
//! other bytes there.
//!
//! Four questions, the first three in the order of [`check`]:
//!
//! - is there a load header: [`LoadHeader::parse`];
//! - does the chip's loader accept it: [`LoadHeader::check_memory`]. On a fault the loader says
//!   "Aborting" and hangs, at every start (`FIH_PANIC`,
//!   boot/bootutil/include/bootutil/fault_injection_hardening.h);
//! - does it make sense: [`LoadHeader::check_image`]. The device does not check that, and would run
//!   whatever is in RAM;
//! - was the application linked for the header that it was signed with:
//!   [`LoadHeader::check_header_size`], which `check` asks too, and [`check_entry`].
//!
//! A segment must not lie over the loader itself either, which depends on the bootloader:
//! [`LoadHeader::check_clear_of`], and [`Loader::check`] for a bootloader's file.
//!
//! Loaders of MCUboot before 2.2.0 do not know the LP segments, and an application that was built
//! for them may have anything after its first 32 bytes. Newer loaders read that as segments and
//! refuse most of it: [`LoadHeader::check_lp_memory`], which is needed for a bootloader that [knows
//! them](knows_lp_segments).

mod application;
mod bootloader;
mod fault;
mod linked;
mod memory;

pub use application::LoadHeaderReader;
pub use bootloader::{Loader, LoaderReader};
pub use esp_idf_format::memory::MemoryRange;
pub use fault::{LoadFault, SegmentName};
pub use linked::{calls_functions, check_entry, is_function, shows_header_size};
pub use memory::ChipMemory;

use esp_idf_format::Chip;

use crate::ImageHeader;
use crate::bytes::u32_at;

/// First word of a load header (`ESP_LOAD_HEADER_MAGIC`,
/// boot/espressif/hal/include/esp_mcuboot_image.h).
pub const LOAD_HEADER_MAGIC: u32 = 0xace6_37d3;

/// The message of all loaders about a segment in the wrong memory. Loaders that check LP segments,
/// and only those, have it with a `_` before it, too (`esp_app_image_load`,
/// boot/espressif/port/esp_loader.c).
const OF_ALL: &[u8] = b"IRAM region in load header is not valid";

/// Whether the loader in that bootloader's file checks the LP segments, by its messages; `None` if
/// it was built without messages, or is not Espressif's.
#[must_use]
pub fn knows_lp_segments(bootloader: &[u8]) -> Option<bool> {
    // The messages do not depend on the chip.
    Loader::of(Chip::Esp32c3, bootloader).knows_lp_segments()
}

/// Checks that Espressif's loader starts the application of a whole image on that chip, without its
/// LP segments. The bytes after the load header are not read and may be missing.
///
/// # Errors
/// Every variant of [`LoadFault`].
pub fn check(chip: Chip, image: &[u8]) -> Result<LoadHeader, LoadFault> {
    let header = ImageHeader::parse(image)?;
    let payload = image.get(usize::from(header.hdr_size)..).unwrap_or_default();
    let load_header = LoadHeader::parse(payload)?;
    load_header.check(chip, &header)?;
    Ok(load_header)
}

/// Where the loader copies what, and where it jumps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LoadHeader {
    /// Where the application starts.
    pub entry_addr: u32,
    /// What goes to instruction RAM.
    pub iram: LoadSegment,
    /// What goes to data RAM.
    pub dram: LoadSegment,
    /// Instructions that are kept in deep sleep. Anything, in an application for older loaders.
    pub lp_iram: LoadSegment,
    /// Data that is kept in deep sleep. The same.
    pub lp_dram: LoadSegment,
    /// Instructions that the application maps, or anything.
    pub irom: LoadSegment,
    /// Constants that the application maps, or anything.
    pub drom: LoadSegment,
}

/// A part of the image that is copied to RAM.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
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

    /// Makes the loader's own check: the first address and the one after the last must be in the
    /// memory. So a segment must not reach the end of the memory, and the middle of a segment that
    /// wraps around the address space is not checked.
    fn check_memory(self, name: SegmentName, memory: MemoryRange) -> Result<(), LoadFault> {
        let end_addr = self.dest_addr.wrapping_add(self.len_bytes);
        if memory.contains(self.dest_addr) && memory.contains(end_addr) {
            Ok(())
        } else {
            Err(LoadFault::Memory { name, segment: self, memory })
        }
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
    /// Bytes of the part that is read.
    pub const LEN_BYTES: usize = 80;
    /// Bytes that an application reserves for the header, the unused ones at its end included
    /// (`sizeof(esp_image_load_header_t)`).
    pub const RESERVED_LEN_BYTES: usize = 96;

    /// The header of an application for that chip, for tests: `code_len_bytes` of code follow the
    /// [reserved](Self::RESERVED_LEN_BYTES) bytes in an image with a header of 32 bytes. The first
    /// part of the code goes to instruction RAM, the rest stays in flash.
    #[must_use]
    pub fn for_code(chip: Chip, code_len_bytes: u32) -> Self {
        const MOST_IRAM_BYTES: u32 = 0x4000;
        let ChipMemory { iram, dram, .. } = ChipMemory::of(chip);
        // After the instruction cache, on chips that have it at the start of instruction RAM.
        let entry_addr = iram.start_addr.saturating_add(0x4000);
        let offset_bytes = ImageHeader::LEN_BYTES as u32 + Self::RESERVED_LEN_BYTES as u32;
        let len_bytes = code_len_bytes.min(MOST_IRAM_BYTES);
        Self {
            entry_addr,
            iram: LoadSegment { dest_addr: entry_addr, offset_bytes, len_bytes },
            dram: LoadSegment { dest_addr: dram.start_addr, ..LoadSegment::default() },
            lp_iram: LoadSegment::default(),
            lp_dram: LoadSegment::default(),
            irom: LoadSegment::default(),
            drom: LoadSegment::default(),
        }
    }

    /// Reads the load header at the start of `payload`, which is what follows an image's `hdr_size`
    /// bytes.
    ///
    /// # Errors
    /// [`LoadFault::Truncated`] and [`LoadFault::Magic`].
    pub fn parse(payload: &[u8]) -> Result<Self, LoadFault> {
        let truncated = || LoadFault::Truncated { len_bytes: payload.len() };
        let found = u32_at(payload, 0).ok_or_else(truncated)?;
        if found != LOAD_HEADER_MAGIC {
            return Err(LoadFault::Magic { found });
        }
        let header = payload.get(..Self::LEN_BYTES).ok_or_else(truncated)?;
        let segment = |offset| LoadSegment::parse(header, offset).ok_or_else(truncated);
        Ok(Self {
            entry_addr: u32_at(header, 4).ok_or_else(truncated)?,
            iram: segment(8)?,
            dram: segment(20)?,
            lp_iram: segment(32)?,
            lp_dram: segment(44)?,
            irom: segment(56)?,
            drom: segment(68)?,
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN_BYTES] {
        let [i0, i1, i2] = self.iram.words();
        let [d0, d1, d2] = self.dram.words();
        let [j0, j1, j2] = self.lp_iram.words();
        let [e0, e1, e2] = self.lp_dram.words();
        let [r0, r1, r2] = self.irom.words();
        let [c0, c1, c2] = self.drom.words();
        let (magic, entry) = (LOAD_HEADER_MAGIC.to_le_bytes(), self.entry_addr.to_le_bytes());
        let words =
            [magic, entry, i0, i1, i2, d0, d1, d2, j0, j1, j2, e0, e1, e2, r0, r1, r2, c0, c1, c2];
        let mut out = [0; Self::LEN_BYTES];
        out.copy_from_slice(words.as_flattened());
        out
    }

    /// Checks that the application starts on that chip, as part of an image with that header.
    ///
    /// # Errors
    /// As [`check_memory`](Self::check_memory), [`check_image`](Self::check_image) and
    /// [`check_header_size`](Self::check_header_size).
    pub fn check(&self, chip: Chip, image: &ImageHeader) -> Result<(), LoadFault> {
        self.check_memory(chip)?;
        self.check_image(image.tlv_offset_bytes().unwrap_or(u32::MAX))?;
        self.check_header_size(image)
    }

    /// Asks what each of Espressif's loaders asks: whether entry and segments are in the chip's
    /// memories (`esp_app_image_load`, boot/espressif/port/esp_loader.c).
    ///
    /// # Errors
    /// [`LoadFault::Memory`] and [`LoadFault::EntryMemory`].
    pub fn check_memory(&self, chip: Chip) -> Result<(), LoadFault> {
        let memory = ChipMemory::of(chip);
        for (name, segment, memory) in [
            (SegmentName::Iram, self.iram, memory.iram),
            (SegmentName::Dram, self.dram, memory.dram),
        ] {
            segment.check_memory(name, memory)?;
        }
        if !memory.iram.contains(self.entry_addr) {
            let entry_addr = self.entry_addr;
            return Err(LoadFault::EntryMemory { entry_addr, memory: memory.iram });
        }
        Ok(())
    }

    /// Asks what loaders since MCUboot 2.2.0 ask as well: whether the LP segments, if they have a
    /// length, are in the chip's memories (same file). Of the LP DRAM segment they do not ask it on
    /// chips whose LP memory is one, and copy it unseen; there it is asked here alone.
    ///
    /// # Errors
    /// [`LoadFault::Memory`].
    pub fn check_lp_memory(&self, chip: Chip) -> Result<(), LoadFault> {
        let memory = ChipMemory::of(chip);
        for (name, segment, memory) in [
            (SegmentName::LpIram, self.lp_iram, memory.lp_iram),
            (SegmentName::LpDram, self.lp_dram, memory.lp_dram.unwrap_or(memory.lp_iram)),
        ] {
            if segment.len_bytes > 0 {
                segment.check_memory(name, memory)?;
            }
        }
        Ok(())
    }

    /// Checks that nothing is copied over the bootloader's own code or data in `taken`. The loader
    /// does not check that, and would overwrite itself.
    ///
    /// Where that is depends on the bootloader. The segment of its image that has
    /// [`LOAD_HEADER_MAGIC`] in it is the loader's code; its data and stack are the segment in data
    /// RAM and what follows that.
    ///
    /// # Errors
    /// [`LoadFault::OverLoader`].
    pub fn check_clear_of(&self, taken: MemoryRange) -> Result<(), LoadFault> {
        for (name, segment) in self.segments() {
            let end = segment.dest_addr.saturating_add(segment.len_bytes);
            if segment.dest_addr < taken.end_addr && taken.start_addr < end {
                return Err(LoadFault::OverLoader { name, segment, taken });
            }
        }
        Ok(())
    }

    /// The segments in RAM that have a length.
    fn segments(&self) -> impl Iterator<Item = (SegmentName, LoadSegment)> {
        let segments = [(SegmentName::Iram, self.iram), (SegmentName::Dram, self.dram)];
        segments.into_iter().filter(|(_, segment)| segment.len_bytes > 0)
    }

    /// Checks that what is copied to IRAM and DRAM is part of the image, and that the loader jumps
    /// into what it copied. LP segments that are not part of it were seen in applications that run.
    ///
    /// `payload_end_bytes` is where the payload ends, from the start of the slot: an image's
    /// [`tlv_offset_bytes`](ImageHeader::tlv_offset_bytes). The loader itself does not look at it.
    ///
    /// # Errors
    /// [`LoadFault::Segment`] and [`LoadFault::Entry`].
    pub fn check_image(&self, payload_end_bytes: u32) -> Result<(), LoadFault> {
        for (name, segment) in self.segments() {
            let end = segment.offset_bytes.checked_add(segment.len_bytes);
            if end.is_none_or(|end| end > payload_end_bytes) {
                return Err(LoadFault::Segment { name, segment, payload_end_bytes });
            }
        }
        let Self { entry_addr, iram, .. } = *self;
        // Where instructions and data share their addresses, either may hold the entry.
        if !iram.is_loaded_over(entry_addr) && !self.dram.is_loaded_over(entry_addr) {
            return Err(LoadFault::Entry { entry_addr, iram });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
