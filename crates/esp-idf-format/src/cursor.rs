//! Reads and writes little-endian fields one after the other, without panics.

/// Reads fields from the front of a slice.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `N` bytes, or `None` if fewer are left.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
}

/// Writes fields into an array of known length; a field that does not fit is dropped.
///
/// The lengths of all records here are constants, so a dropped field would fail the first
/// round-trip test of its record.
pub(crate) struct Writer<const N: usize> {
    out: [u8; N],
    filled: usize,
}

impl<const N: usize> Writer<N> {
    /// A record whose bytes all are `fill` until written.
    pub(crate) const fn filled_with(fill: u8) -> Self {
        Self { out: [fill; N], filled: 0 }
    }

    /// An existing record, to be written over.
    pub(crate) const fn over(out: [u8; N]) -> Self {
        Self { out, filled: 0 }
    }

    pub(crate) fn put(&mut self, field: &[u8]) -> &mut Self {
        let end = self.filled.saturating_add(field.len());
        if let Some(place) = self.out.get_mut(self.filled..end) {
            place.copy_from_slice(field);
            self.filled = end;
        }
        self
    }

    /// Leaves `len_bytes` as they are.
    pub(crate) fn skip(&mut self, len_bytes: usize) -> &mut Self {
        self.filled = self.filled.saturating_add(len_bytes);
        self
    }

    pub(crate) const fn finish(&self) -> [u8; N] {
        self.out
    }
}
