//! Checks whether a copy of the bootloader is whole, and loads it into RAM.
//!
//! ```text
//!   header | address, length | data | .. | .. | 0s | checksum | SHA-256
//! ```
//!
//! The digest is over all before it, and is compared before anything is loaded. The checksum, of
//! the segments' data, is compared with what is in RAM afterwards. So nothing of a damaged copy is
//! loaded, and a copy that was read wrongly is not started.

use esp_idf_format::image::{
    CHECKSUM_ALIGN_BYTES, CHECKSUM_SEED, DIGEST_LEN_BYTES, HEADER_LEN_BYTES, IMAGE_MAGIC,
    MAX_SEGMENTS, SEGMENT_HEADER_LEN_BYTES,
};
use flash_region::FlashAddr;

use crate::chip::{CHIP, MEMORY};
use crate::flash::{at, read, word};
use crate::sha;

/// Loads the copy at `addr`, which has at most `max_bytes`, and returns where it begins to run;
/// `None` if it is not whole.
#[inline(never)]
pub fn load(addr: FlashAddr, max_bytes: u32) -> Option<u32> {
    let mut header = [0; 6];
    read(addr, &mut header);
    let [first, entry_addr, _, chip, _, last] = header;
    // Bytes 0, 12 and 23: magic, chip, and whether there is a digest.
    let [magic, segment_count, ..] = first.to_le_bytes();
    let is_ours = magic == IMAGE_MAGIC
        && segment_count <= MAX_SEGMENTS
        && chip as u16 == CHIP.image_chip_id()
        && last >> 24 != 0;
    if !is_ours {
        return None;
    }
    let max_bytes = max_bytes.checked_sub(DIGEST_LEN_BYTES)?;
    let (end_bytes, _) = walk(addr, segment_count, max_bytes, false)?;
    let closed_bytes = (end_bytes | (CHECKSUM_ALIGN_BYTES - 1)) + 1;
    if closed_bytes > max_bytes || !sha::is_followed_by_digest(addr, closed_bytes) {
        return None;
    }
    let (_, sum) = walk(addr, segment_count, max_bytes, true)?;
    // The four bytes of a sum of words are the sums of every fourth byte.
    let sum = sum ^ sum >> 16;
    let last = word(at(addr, closed_bytes - 4))?;
    ((sum ^ sum >> 8) as u8 == (last >> 24) as u8).then_some(entry_addr)
}

/// Goes through the segments, which have to fit memory and copy, and loads them if asked to.
/// Returns where the last one ends, and the checksum of what is in memory.
#[inline(never)]
fn walk(addr: FlashAddr, segment_count: u8, max_bytes: u32, loads: bool) -> Option<(u32, u32)> {
    let (mut offset_bytes, mut sum) = (HEADER_LEN_BYTES, u32::from(CHECKSUM_SEED));
    for _ in 0..segment_count {
        let mut segment = [0; 2];
        read(at(addr, offset_bytes), &mut segment);
        let [load_addr, len_bytes] = segment;
        offset_bytes += SEGMENT_HEADER_LEN_BYTES;
        let left_bytes = max_bytes.checked_sub(offset_bytes)?;
        if len_bytes > left_bytes || !MEMORY.holds(load_addr, len_bytes) {
            return None;
        }
        if loads {
            let to = MEMORY.data_addr(load_addr) as *mut u32;
            // Safety: `holds` has checked that these bytes are RAM, aligned, and neither this
            // program nor its stack nor the ROM's data; nothing else runs or refers to them.
            let words = unsafe { core::slice::from_raw_parts_mut(to, len_bytes as usize / 4) };
            read(at(addr, offset_bytes), words);
            sum = words.iter().fold(sum, |sum, word| sum ^ word);
        }
        offset_bytes += len_bytes;
    }
    Some((offset_bytes, sum))
}
