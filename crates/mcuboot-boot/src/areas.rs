//! Flash, seen as the areas that a bootloader knows.

use embedded_storage::nor_flash::NorFlash;
use flash_region::{Region, SECTOR_BYTES};
use mcuboot_format::trailer::TrailerLayout;

use crate::{AreaName, BootConfig, Crash};

/// Why a boot ends early.
pub(crate) enum Stop<E> {
    /// The flash failed, for instance because there is no power any more.
    Flash(E),
    /// The bootloader failed.
    Crash(Crash),
}

impl<E> From<Crash> for Stop<E> {
    fn from(crash: Crash) -> Self {
        Self::Crash(crash)
    }
}

/// The result of a step of the boot.
pub(crate) type Step<T, E> = Result<T, Stop<E>>;

/// In which order the sectors of a region are erased.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    /// From the first to the last.
    Forward,
    /// From the last to the first.
    Backward,
}

/// Bytes that are copied at once (`BUF_SZ`, boot/bootutil/src/loader.c).
pub(crate) const COPY_BYTES: usize = 1024;

/// The flash and the map of it.
///
/// Offsets are in bytes from the start of an area. What lies outside of an area is never touched.
pub(crate) struct Areas<'a, F> {
    flash: &'a mut F,
    pub(crate) config: &'a BootConfig,
}

impl<'a, F: NorFlash> Areas<'a, F> {
    pub(crate) fn new(flash: &'a mut F, config: &'a BootConfig) -> Self {
        Self { flash, config }
    }

    /// The trailer of that area. A missing scratch area has no trailer and no bytes.
    pub(crate) fn layout(&self, area: AreaName) -> Step<&'a TrailerLayout, F::Error> {
        let absent = Crash::OutOfArea { area, offset_bytes: 0, len_bytes: 0 };
        self.config.layout(area).ok_or(absent.into())
    }

    pub(crate) fn len_bytes(&self, area: AreaName) -> u32 {
        self.config.layout(area).map_or(0, |layout| layout.slot().len_bytes())
    }

    fn locate(&self, area: AreaName, offset: u32, len_bytes: u32) -> Step<Region, F::Error> {
        let outside = Crash::OutOfArea { area, offset_bytes: offset, len_bytes };
        let slot = self.layout(area)?.slot();
        let region =
            slot.start().checked_add(offset).and_then(|at| Region::from_len(at, len_bytes));
        match region {
            Some(region) if slot.contains_region(region) => Ok(region),
            _ => Err(outside.into()),
        }
    }

    /// Reads as many bytes as `out` has.
    pub(crate) fn read(
        &mut self,
        area: AreaName,
        offset: u32,
        out: &mut [u8],
    ) -> Step<(), F::Error> {
        let len_bytes = u32::try_from(out.len()).unwrap_or(u32::MAX);
        let region = self.locate(area, offset, len_bytes)?;
        self.flash.read(region.start().get(), out).map_err(Stop::Flash)
    }

    /// Reads 4 bytes at any offset. It reads whole words, which the chips' drivers need.
    pub(crate) fn read_word(&mut self, area: AreaName, offset: u32) -> Step<[u8; 4], F::Error> {
        let behind = offset % 4;
        let mut words = [0; 8];
        let window = chunk(&mut words, if behind == 0 { 4 } else { 8 });
        self.read(area, offset - behind, window)?;
        let [b0, b1, b2, b3, ..] = (u64::from_le_bytes(words) >> (8 * behind)).to_le_bytes();
        Ok([b0, b1, b2, b3])
    }

    /// Programs those bytes, in pieces that the driver chooses.
    pub(crate) fn write(
        &mut self,
        area: AreaName,
        offset: u32,
        bytes: &[u8],
    ) -> Step<(), F::Error> {
        let len_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let region = self.locate(area, offset, len_bytes)?;
        self.flash.write(region.start().get(), bytes).map_err(Stop::Flash)
    }

    /// Erases all sectors that contain the bytes, one by one (`boot_erase_region`,
    /// boot/bootutil/src/bootutil_area.c).
    pub(crate) fn erase(
        &mut self,
        area: AreaName,
        offset: u32,
        len_bytes: u32,
        order: Order,
    ) -> Step<(), F::Error> {
        let region = self.locate(area, offset, len_bytes)?;
        // Areas are made of whole sectors, so this stays inside.
        let sectors = region.align_out(SECTOR_BYTES).unwrap_or(region);
        let count = sectors.len_bytes() / SECTOR_BYTES;
        for nth in 0..count {
            let nth = match order {
                Order::Forward => nth,
                Order::Backward => count - 1 - nth,
            };
            let from = sectors.start().get() + nth * SECTOR_BYTES;
            self.flash.erase(from, from + SECTOR_BYTES).map_err(Stop::Flash)?;
        }
        Ok(())
    }

    /// Copies bytes to where flash was erased before (`boot_copy_region`,
    /// boot/bootutil/src/loader.c).
    pub(crate) fn copy(
        &mut self,
        (from, from_offset): (AreaName, u32),
        (to, to_offset): (AreaName, u32),
        len_bytes: u32,
    ) -> Step<(), F::Error> {
        let mut buffer = [0; COPY_BYTES];
        let mut done = 0;
        while done < len_bytes {
            let piece = chunk(&mut buffer, len_bytes - done);
            self.read(from, from_offset.wrapping_add(done), piece)?;
            self.write(to, to_offset.wrapping_add(done), piece)?;
            done += COPY_BYTES as u32;
        }
        Ok(())
    }
}

/// The first `len_bytes` of the buffer, or all of it.
pub(crate) fn chunk(buffer: &mut [u8], len_bytes: u32) -> &mut [u8] {
    let len = usize::try_from(len_bytes).unwrap_or(usize::MAX).min(buffer.len());
    buffer.split_at_mut(len).0
}
