//! For which size of MCUboot header an application was linked.
//!
//! Offsets in a load header count from the start of the slot, so they are right for one header size
//! alone, and nothing in the file states which. An application that was signed with another one
//! passes all of MCUboot's checks; then the loader copies other bytes than it should, and the chip
//! runs them.
//!
//! ```text
//! linked for 0x20:  | header | load header | IRAM ...         IRAM's offset is 0x80
//! signed with 0x40: | header         | load header | IRAM ...  and now 0x80 is in the load header
//! ```
//!
//! What shows it:
//!
//! - a segment cannot begin in the headers;
//! - the first segment follows the [reserved](LoadHeader::RESERVED_LEN_BYTES) bytes in most
//!   systems, and the last one, where the application maps it, ends with the payload;
//! - on Xtensa chips the loader calls the entry as a function, and each function begins with
//!   `entry` (Xtensa ISA, windowed registers). If there is none at the entry, but there is one
//!   where the entry would be with another header size, that was the one.

use esp_idf_format::Chip;

use super::{LoadFault, LoadHeader, LoadSegment, SegmentName};
use crate::ImageHeader;

/// Header sizes that systems use: 0x20 those for Espressif's port, the others those of other chips
/// (`CONFIG_ROM_START_OFFSET`, Zephyr's `soc` and `boards`; `imgtool --header-size`).
const USUAL_LEN_BYTES: [u16; 8] = [0x20, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800, 0x1000];

/// Bytes of a load header that every loader reads, which no segment begins in
/// (`esp_image_load_header_t` without what newer versions added).
const LEAST_LEN_BYTES: u32 = 32;

/// What the end of a payload may be aligned to.
const END_ALIGN_BYTES: u32 = 0x20;

/// Where the cache maps flash to, on one chip or another (`SOC_IROM_LOW`, `SOC_DROM_LOW` and their
/// `_HIGH` in `components/soc/CHIP/include/soc/soc.h` of `espressif/esp-idf`).
const MAPPED_FROM: u32 = 0x3c00_0000;
const MAPPED_TO: u32 = 0x4400_0000;

impl LoadHeader {
    /// Checks what the load header alone shows of the header size that the application was linked
    /// for. The loader does not look at it.
    ///
    /// # Errors
    /// [`LoadFault::OverHeader`] and [`LoadFault::HeaderSize`].
    pub fn check_header_size(&self, image: &ImageHeader) -> Result<(), LoadFault> {
        let (signed_bytes, header_len_bytes) = (image.hdr_size, image.hdr_size);
        // What has the last fields has room for all.
        let load_len_bytes = match self.mapped().next() {
            Some(_) => Self::RESERVED_LEN_BYTES as u32,
            None => LEAST_LEN_BYTES,
        };
        let behind = u32::from(signed_bytes).saturating_add(load_len_bytes);
        for (name, segment) in self.segments().chain(self.mapped()) {
            if segment.offset_bytes < behind {
                return Err(LoadFault::OverHeader { name, segment, header_len_bytes });
            }
        }
        let ends = self.mapped().map(|(_, segment)| segment.end_bytes());
        let (Some(linked_bytes), Some(end)) = (self.header_before_first(), ends.max()) else {
            return Ok(());
        };
        let payload_end = image.tlv_offset_bytes().unwrap_or(u32::MAX);
        let (Some(shorter_by), Some(past)) =
            (linked_bytes.checked_sub(signed_bytes.into()), end.checked_sub(payload_end))
        else {
            return Ok(());
        };
        let same = past <= shorter_by && shorter_by - past < END_ALIGN_BYTES;
        if same && shorter_by > 0 {
            return Err(LoadFault::HeaderSize { signed_bytes, linked_bytes });
        }
        Ok(())
    }

    /// Where the instruction at the entry is in the slot, with a header of `signed_bytes`; then
    /// where it would be if the application had been linked for another usual size.
    pub fn entries(&self, signed_bytes: u16) -> impl Iterator<Item = (u16, u32)> {
        let entry_addr = self.entry_addr;
        let segment =
            [self.iram, self.dram].into_iter().find(|segment| segment.is_loaded_over(entry_addr));
        let at = segment.and_then(|segment| {
            segment.offset_bytes.checked_add(entry_addr.checked_sub(segment.dest_addr)?)
        });
        let usual = USUAL_LEN_BYTES.into_iter().filter(move |len| *len != signed_bytes);
        core::iter::once(signed_bytes).chain(usual).filter_map(move |linked_bytes| {
            let at = at?.checked_add(signed_bytes.into())?.checked_sub(linked_bytes.into())?;
            // Functions are aligned.
            at.is_multiple_of(4).then_some((linked_bytes, at))
        })
    }

    /// The size of the MCUboot header, if the first segment follows the reserved bytes.
    fn header_before_first(&self) -> Option<u32> {
        let offsets = self.segments().chain(self.mapped()).map(|(_, s)| s.offset_bytes);
        offsets.min()?.checked_sub(Self::RESERVED_LEN_BYTES as u32)
    }

    /// What the application maps, if it says so: both, at addresses that a page of flash can be
    /// mapped to.
    fn mapped(&self) -> impl Iterator<Item = (SegmentName, LoadSegment)> {
        const PAGE_MASK: u32 = 0xffff;
        let both = [(SegmentName::Irom, self.irom), (SegmentName::Drom, self.drom)];
        let are_mapped = both.iter().all(|(_, segment)| {
            let LoadSegment { dest_addr, offset_bytes, len_bytes } = *segment;
            len_bytes > 0
                && (MAPPED_FROM..MAPPED_TO).contains(&dest_addr)
                && (dest_addr ^ offset_bytes) & PAGE_MASK == 0
        });
        both.into_iter().filter(move |_| are_mapped)
    }
}

impl LoadSegment {
    const fn end_bytes(&self) -> u32 {
        self.offset_bytes.saturating_add(self.len_bytes)
    }
}

/// Whether the chip has the cores on which the entry has to begin a [function](is_function).
#[must_use]
pub const fn calls_functions(chip: Chip) -> bool {
    matches!(chip, Chip::Esp32 | Chip::Esp32s2 | Chip::Esp32s3)
}

/// Whether Xtensa code begins a function: `entry a1, bytes`, of less than 4 KiB.
#[must_use]
pub const fn is_function(code: [u8; 4]) -> bool {
    let [op, reg, len, _] = code;
    op == 0x36 && reg & 0xf == 1 && len < 0x20
}

/// Checks that what lies at the entry of a whole image's application is not what lies there only
/// if the header has another size.
///
/// # Errors
/// [`LoadFault::HeaderSize`].
pub fn check_entry(chip: Chip, image: &[u8]) -> Result<(), LoadFault> {
    let Some((header, load)) = headers(image) else { return Ok(()) };
    match linked_by_entry(chip, image, &header, &load) {
        Some(linked) if linked != header.hdr_size => Err(LoadFault::HeaderSize {
            signed_bytes: header.hdr_size,
            linked_bytes: linked.into(),
        }),
        _ => Ok(()),
    }
}

/// Whether the file of an image shows that its application was linked for the header that it has.
#[must_use]
pub fn shows_header_size(chip: Chip, image: &[u8]) -> bool {
    headers(image).is_some_and(|(header, load)| {
        load.header_before_first() == Some(header.hdr_size.into())
            || linked_by_entry(chip, image, &header, &load) == Some(header.hdr_size)
    })
}

fn linked_by_entry(
    chip: Chip,
    image: &[u8],
    header: &ImageHeader,
    load: &LoadHeader,
) -> Option<u16> {
    if !calls_functions(chip) {
        return None;
    }
    let code = |at: u32| image.get(at as usize..)?.first_chunk().copied();
    let mut entries = load.entries(header.hdr_size);
    entries.find(|(_, at)| code(*at).is_some_and(is_function)).map(|(linked, _)| linked)
}

fn headers(image: &[u8]) -> Option<(ImageHeader, LoadHeader)> {
    let header = ImageHeader::parse(image).ok()?;
    let payload = image.get(usize::from(header.hdr_size)..)?;
    Some((header, LoadHeader::parse(payload).ok()?))
}

#[cfg(test)]
mod tests;
