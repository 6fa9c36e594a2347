//! The bootloader as it lies in the chip's memory.

use alloc::vec::Vec;

use esp_idf_format::image::{ImageError, Segment, segments};

use super::Location;
use crate::bytes::u32_at;

/// The segments of a bootloader's image.
pub(super) struct Memory<'a> {
    segments: Vec<Segment<'a>>,
}

impl<'a> Memory<'a> {
    /// The segments of a file, which must be complete.
    pub(super) fn of(file: &'a [u8]) -> Result<Self, ImageError> {
        let segments = segments(file)?.collect::<Result<_, _>>()?;
        Ok(Self { segments })
    }

    /// Every segment's address and bytes.
    pub(super) fn segments(&self) -> impl Iterator<Item = (u32, &'a [u8])> {
        self.segments.iter().map(|segment| (segment.header.load_addr, segment.data))
    }

    /// The bytes of the segment at that address, from there on.
    fn from(&self, addr: u32) -> Option<&'a [u8]> {
        self.segments().find_map(|(start, data)| {
            let offset = usize::try_from(addr.checked_sub(start)?).ok()?;
            data.get(offset..).filter(|rest| !rest.is_empty())
        })
    }

    /// `len_bytes` from that address on.
    pub(super) fn get(&self, addr: u32, len_bytes: usize) -> Option<&'a [u8]> {
        self.from(addr)?.get(..len_bytes)
    }

    /// The word at that address.
    pub(super) fn word(&self, addr: u32) -> Option<u32> {
        u32_at(self.from(addr)?, 0)
    }

    /// Whether a segment has that address.
    pub(super) fn contains(&self, addr: u32) -> bool {
        self.from(addr).is_some()
    }

    /// Where that address is in the file, too.
    pub(super) fn place(&self, addr: u32) -> Option<Location> {
        self.segments.iter().find_map(|segment| {
            let offset = addr.checked_sub(segment.header.load_addr)?;
            let offset_bytes = segment.data_offset_bytes.checked_add(offset)?;
            (offset < segment.header.len_bytes).then_some(Location { addr, offset_bytes })
        })
    }

    /// Every address at which these bytes are.
    pub(super) fn find_all(&self, wanted: &[u8]) -> impl Iterator<Item = u32> {
        self.segments().flat_map(move |(start, data)| {
            let windows = addressed(start, data, wanted.len());
            windows.filter(move |(_, window)| *window == wanted).map(|(addr, _)| addr)
        })
    }

    /// The first address at which these bytes are.
    pub(super) fn find(&self, wanted: &[u8]) -> Option<u32> {
        self.find_all(wanted).next()
    }

    /// The first place at which that text is.
    pub(super) fn text(&self, wanted: &str) -> Option<Location> {
        self.place(self.find(wanted.as_bytes())?)
    }

    /// Every aligned address of a word with that value.
    pub(super) fn words(&self, value: u32) -> impl Iterator<Item = u32> {
        let found: Vec<u32> = self.find_all(&value.to_le_bytes()).collect();
        found.into_iter().filter(|addr| addr.is_multiple_of(4))
    }

    /// Every aligned record of `N` bytes that lies in one segment.
    pub(super) fn records<const N: usize>(&self) -> impl Iterator<Item = (u32, &'a [u8; N])> {
        self.segments().flat_map(|(start, data)| {
            let aligned = addressed(start, data, N).filter(|(addr, _)| addr.is_multiple_of(4));
            aligned.filter_map(|(addr, window)| Some((addr, window.first_chunk()?)))
        })
    }
}

/// All windows of `len_bytes`, with the address of each, up to the end of the address space.
pub(super) fn addressed(
    start: u32,
    data: &[u8],
    len_bytes: usize,
) -> impl Iterator<Item = (u32, &[u8])> {
    data.windows(len_bytes.max(1)).enumerate().map_while(move |(index, window)| {
        Some((start.checked_add(u32::try_from(index).ok()?)?, window))
    })
}
