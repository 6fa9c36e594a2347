//! The layout of entries: alignment, overlap, roles that only one entry can have.

use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use super::{ENTRY_LEN_BYTES, OTADATA_LEN_BYTES, Partition, PartitionTableError};

/// What ESP-IDF's tools object to. Entries are given in the order of the table, each with its
/// offset in the table.
pub(super) fn objections<I>(entries: I) -> impl Iterator<Item = PartitionTableError>
where
    I: Iterator<Item = (u32, Partition)> + Clone,
{
    let empty = entries.clone().next().is_none().then_some(PartitionTableError::Empty);
    let each = entries.clone().flat_map(move |(offset_bytes, partition)| {
        let before = entries.clone().take_while(move |(other, _)| *other < offset_bytes);
        let pairs = before.flat_map(move |other| {
            of_pair((offset_bytes, &partition), (other.0, &other.1)).into_iter().flatten()
        });
        of_one(offset_bytes, &partition).into_iter().chain(pairs)
    });
    empty.into_iter().chain(each)
}

/// Checks entries, in the order of the table, against each other.
pub(super) fn check_layout(
    entries: impl Iterator<Item = Partition> + Clone,
) -> Result<(), PartitionTableError> {
    objections(with_offsets(entries)).next().map_or(Ok(()), Err)
}

/// Checks that entries lie in flash and after bootloader and partition table, which begins at
/// `table`.
pub(super) fn check_fits(
    entries: impl Iterator<Item = (u32, Partition)>,
    table: FlashAddr,
    flash_len_bytes: u32,
) -> Result<(), PartitionTableError> {
    let flash = Region::clamped(FlashAddr::ZERO, flash_len_bytes);
    let boot_area = Region::clamped(FlashAddr::ZERO, table.saturating_add(SECTOR_BYTES).get());
    for (offset_bytes, partition) in entries {
        let region = partition.region;
        if !flash.contains_region(region) {
            return Err(PartitionTableError::BehindFlash { offset_bytes, region, flash_len_bytes });
        }
        if region.overlaps(boot_area) && !partition.is_boot_area() {
            return Err(PartitionTableError::OverBootArea { offset_bytes, region });
        }
    }
    Ok(())
}

/// Entries with the offset in the table at which each begins.
fn with_offsets(
    entries: impl Iterator<Item = Partition> + Clone,
) -> impl Iterator<Item = (u32, Partition)> + Clone {
    (0..).step_by(ENTRY_LEN_BYTES as usize).zip(entries)
}

fn of_one(offset_bytes: u32, partition: &Partition) -> Option<PartitionTableError> {
    let (start, align_bytes) = (partition.region.start(), partition.align_bytes());
    if !start.is_aligned(align_bytes) {
        return Some(PartitionTableError::Misaligned { offset_bytes, start, align_bytes });
    }
    let len_bytes = partition.region.len_bytes();
    (partition.is_otadata() && len_bytes < OTADATA_LEN_BYTES)
        .then_some(PartitionTableError::OtadataTooSmall { offset_bytes, len_bytes })
}

fn of_pair(
    (offset_bytes, partition): (u32, &Partition),
    (other_offset_bytes, other): (u32, &Partition),
) -> [Option<PartitionTableError>; 3] {
    let overlap = partition.region.overlaps(other.region).then_some(PartitionTableError::Overlap {
        offset_bytes,
        other_offset_bytes,
        region: partition.region,
        other: other.region,
    });
    let label = partition.label;
    let same_label = (label.text_bytes() == other.label.text_bytes())
        .then_some(PartitionTableError::DuplicateLabel { offset_bytes, other_offset_bytes, label });
    let same_role = (partition.has_role() && partition.is_same_role(other))
        .then_some(PartitionTableError::DuplicateRole { offset_bytes, other_offset_bytes });
    [overlap, same_label, same_role]
}
