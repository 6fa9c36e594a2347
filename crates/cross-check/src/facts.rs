//! The facts of a device in bytes: a row of words, `u32::MAX` for none, and a partition table.

use bootswap_plan::DeviceFacts;
use esp_idf_format::Chip;
use esp_idf_format::image::FlashMode;
use esp_idf_format::partition::{Partition, PartitionTable, TABLE_ADDR, TABLE_LEN_BYTES, emit};
use flash_region::{FlashAddr, Region};
use heapless::Vec;
use mcuboot_format::{ImageRank, ImageVersion};

/// Bytes of the words.
const WORDS_LEN_BYTES: usize = 16 * 4;
/// Bytes of all.
pub const FACTS_LEN_BYTES: usize = WORDS_LEN_BYTES + TABLE_LEN_BYTES as usize;
/// Most partitions of a table.
const MAX_PARTITIONS: usize = 32;
const NONE: u32 = u32::MAX;

/// Writes facts; `None` for those that cannot be written: a table that is none, or a device that no
/// planner's test has.
#[must_use]
pub fn write_facts(facts: &DeviceFacts<'_>) -> Option<[u8; FACTS_LEN_BYTES]> {
    let flag = |flag: bool, bit: u32| u32::from(flag) << bit;
    let [version, build] = facts.primary.map_or([NONE, NONE], |rank| {
        let [a, b, c, d, e, f, g, h] = rank.version.to_bytes();
        [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
    });
    let is_simple = facts.table_addr == TABLE_ADDR
        && facts.other_table_addr.is_none()
        && facts.bootloader_flash_mode == Some(FlashMode::Dio)
        && facts.primary.is_none_or(|rank| rank.security_counter.is_none());
    let words: [u32; 12] = [
        facts.chip.image_chip_id().into(),
        facts.chip_revision.map_or(NONE, Into::into),
        facts.flash_len_bytes,
        facts.running.start().get(),
        facts.running.len_bytes(),
        facts.running_len_bytes,
        facts.previous.map_or(NONE, |previous| previous.start().get()),
        facts.previous.map_or(NONE, Region::len_bytes),
        facts.staging_memory_len_bytes,
        version,
        build,
        flag(facts.secure_boot, 0)
            | flag(facts.flash_encryption, 1)
            | flag(facts.primary.is_some(), 2)
            | flag(facts.primary.is_some_and(|rank| rank.is_erased), 3),
    ];
    let mut out = [0; FACTS_LEN_BYTES];
    let (to, table) = out.split_at_mut(WORDS_LEN_BYTES);
    for (to, word) in to.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    emit(facts.partitions, table).ok().filter(|_| is_simple)?;
    Some(out)
}

/// Reads facts, with room for the partitions.
pub(crate) fn read_facts<'p>(
    bytes: &[u8],
    partitions: &'p mut Vec<Partition, MAX_PARTITIONS>,
) -> Option<DeviceFacts<'p>> {
    let (words, table) = bytes.split_at_checked(WORDS_LEN_BYTES)?;
    let (words, _) = words.as_chunks::<4>();
    let word = |index: usize| words.get(index).map(|word| u32::from_le_bytes(*word));
    for partition in PartitionTable::parse_as_bootloader(table).ok()?.iter() {
        partitions.push(partition).ok()?;
    }
    let region = |start, len_bytes| Region::from_len(FlashAddr(start), len_bytes);
    let flags = word(11)?;
    let [a, b, c, d] = word(9)?.to_le_bytes();
    let [e, f, g, h] = word(10)?.to_le_bytes();
    Some(DeviceFacts {
        chip: Chip::from_image_chip_id(u16::try_from(word(0)?).ok()?)?,
        chip_revision: u16::try_from(word(1)?).ok(),
        flash_len_bytes: word(2)?,
        table_addr: TABLE_ADDR,
        other_table_addr: None,
        partitions,
        running: region(word(3)?, word(4)?)?,
        running_len_bytes: word(5)?,
        previous: (word(6)? != NONE).then(|| region(word(6)?, word(7)?)).flatten(),
        bootloader_flash_len_bytes: None,
        bootloader_flash_mode: Some(FlashMode::Dio),
        bootloader_settings: None,
        secure_version: None,
        secure_boot: flags & 1 != 0,
        flash_encryption: flags & 2 != 0,
        staging_memory_len_bytes: word(8)?,
        primary: (flags & 4 != 0).then_some(ImageRank {
            version: ImageVersion::from_bytes([a, b, c, d, e, f, g, h]),
            security_counter: None,
            is_erased: flags & 8 != 0,
        }),
    })
}
