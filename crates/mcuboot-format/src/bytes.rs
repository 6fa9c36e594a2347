//! Reads little-endian numbers from byte slices that may be too short.

/// The `N` bytes at `offset`, or `None` where the slice ends before.
pub(crate) fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// The number in the 2 bytes at `offset`.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array(bytes, offset).map(u16::from_le_bytes)
}

/// The number in the 4 bytes at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array(bytes, offset).map(u32::from_le_bytes)
}

/// Copies `value` to `offset`; `None` if it does not fit, and then nothing is written.
pub(crate) fn put(out: &mut [u8], offset: usize, value: &[u8]) -> Option<()> {
    let end = offset.checked_add(value.len())?;
    out.get_mut(offset..end)?.copy_from_slice(value);
    Some(())
}
