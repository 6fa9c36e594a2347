//! Rules that go beyond the single entry: alignment, overlap, roles that only one can have.

use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use super::{ENTRY_LEN_BYTES, OTADATA_LEN_BYTES, Partition, PartitionTableError, TABLE_ADDR};

/// Checks entries, in the order of the table, against each other.
pub(super) fn check_layout(
    entries: impl Iterator<Item = Partition> + Clone,
) -> Result<(), PartitionTableError> {
    let mut any = false;
    for (offset_bytes, partition) in with_offsets(entries.clone()) {
        any = true;
        check_alone(offset_bytes, &partition)?;
        for (other_offset_bytes, other) in with_offsets(entries.clone()) {
            if other_offset_bytes >= offset_bytes {
                break;
            }
            check_pair((offset_bytes, &partition), (other_offset_bytes, &other))?;
        }
    }
    if any { Ok(()) } else { Err(PartitionTableError::Empty) }
}

/// Checks that entries lie in flash and after bootloader and partition table.
pub(super) fn check_fits(
    entries: impl Iterator<Item = Partition>,
    flash_len_bytes: u32,
) -> Result<(), PartitionTableError> {
    let flash = Region::clamped(FlashAddr::ZERO, flash_len_bytes);
    let boot_area = Region::clamped(FlashAddr::ZERO, TABLE_ADDR.saturating_add(SECTOR_BYTES).get());
    for (offset_bytes, partition) in with_offsets(entries) {
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
    entries: impl Iterator<Item = Partition>,
) -> impl Iterator<Item = (u32, Partition)> {
    (0..).step_by(ENTRY_LEN_BYTES as usize).zip(entries)
}

fn check_alone(offset_bytes: u32, partition: &Partition) -> Result<(), PartitionTableError> {
    let (start, align_bytes) = (partition.region.start(), partition.align_bytes());
    if !start.is_aligned(align_bytes) {
        return Err(PartitionTableError::Misaligned { offset_bytes, start, align_bytes });
    }
    let len_bytes = partition.region.len_bytes();
    if partition.is_otadata() && len_bytes < OTADATA_LEN_BYTES {
        return Err(PartitionTableError::OtadataTooSmall { offset_bytes, len_bytes });
    }
    Ok(())
}

fn check_pair(
    (offset_bytes, partition): (u32, &Partition),
    (other_offset_bytes, other): (u32, &Partition),
) -> Result<(), PartitionTableError> {
    if partition.region.overlaps(other.region) {
        return Err(PartitionTableError::Overlap {
            offset_bytes,
            other_offset_bytes,
            region: partition.region,
            other: other.region,
        });
    }
    if partition.label.text_bytes() == other.label.text_bytes() {
        let label = partition.label;
        return Err(PartitionTableError::DuplicateLabel {
            offset_bytes,
            other_offset_bytes,
            label,
        });
    }
    // Of these the bootloader keeps one place each, and the last entry silently wins.
    let has_role = partition.is_factory()
        || partition.is_test_app()
        || partition.is_otadata()
        || partition.ota_index().is_some();
    if has_role && partition.kind == other.kind && partition.subtype == other.subtype {
        return Err(PartitionTableError::DuplicateRole { offset_bytes, other_offset_bytes });
    }
    Ok(())
}
