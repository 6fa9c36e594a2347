//! The bytes of a flash chip, copied on write.
//!
//! ```text
//!   NorMemory    [ block | block | block | ... ]     one pointer for 64 KiB
//!                     |
//!   Block        [ sector | sector | ... | sector ]  16 sectors, each with its count of erases
//!                     |
//!                  4096 bytes, or nothing at all where the sector is erased
//! ```
//!
//! A clone shares all blocks. A later operation copies only the table of the block and the sector
//! that it touches, so that a snapshot before every operation of a whole migration is affordable.

use std::sync::Arc;

use flash_region::{BLOCK_64K_BYTES, ERASED, FlashAddr, Region, SECTOR_BYTES, is_blank};

use crate::check::check_bounds;
use crate::{EraseUnit, Noise, NorDevice, NorError, Op, torn};

const SECTORS_PER_BLOCK: usize = (BLOCK_64K_BYTES / SECTOR_BYTES) as usize;

type SectorBytes = [u8; SECTOR_BYTES as usize];

#[derive(Clone, Default)]
struct Sector {
    /// `None` while all its bytes are 0xff.
    bytes: Option<Arc<SectorBytes>>,
    erases: u32,
}

impl Sector {
    fn copy_to(&self, offset: usize, out: &mut [u8]) {
        match self.bytes.as_ref().and_then(|bytes| bytes.get(offset..offset + out.len())) {
            Some(from) => out.copy_from_slice(from),
            None => out.fill(ERASED),
        }
    }

    fn bytes_mut(&mut self) -> &mut SectorBytes {
        Arc::make_mut(self.bytes.get_or_insert_with(|| Arc::new([ERASED; SECTOR_BYTES as usize])))
    }

    fn same_bytes(&self, other: &Self) -> bool {
        match (&self.bytes, &other.bytes) {
            (None, None) => true,
            (Some(bytes), None) | (None, Some(bytes)) => is_blank(bytes.as_slice()),
            (Some(left), Some(right)) => Arc::ptr_eq(left, right) || left == right,
        }
    }
}

type Block = [Sector; SECTORS_PER_BLOCK];

/// The bytes of a flash chip and the wear of its sectors. A clone is a snapshot and cheap.
#[derive(Clone)]
pub struct NorMemory {
    blocks: Vec<Arc<Block>>,
    capacity_bytes: u32,
}

impl NorMemory {
    /// A chip of `capacity_bytes`, rounded up to whole sectors, all of it erased.
    #[must_use]
    pub fn erased(capacity_bytes: u32) -> Self {
        let sectors = capacity_bytes.div_ceil(SECTOR_BYTES);
        let empty: Arc<Block> = Arc::default();
        Self {
            blocks: vec![empty; (sectors as usize).div_ceil(SECTORS_PER_BLOCK)],
            capacity_bytes: sectors.saturating_mul(SECTOR_BYTES),
        }
    }

    /// A chip that holds `bytes`, such as a dump; erased after them up to a whole sector.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut memory = Self::erased(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        memory.load(FlashAddr::ZERO, bytes);
        memory
    }

    /// All bytes, from the first on.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes(Region::clamped(FlashAddr::ZERO, self.capacity_bytes))
    }

    /// The bytes of `region`; what is past the chip's end reads as erased.
    #[must_use]
    pub fn bytes(&self, region: Region) -> Vec<u8> {
        let mut out = vec![ERASED; region.len_bytes() as usize];
        self.copy_to(region.start(), &mut out);
        out
    }

    /// Puts `bytes` at `addr` as a factory would: over anything that was there, and without wear.
    ///
    /// Bytes past the chip's end are left out.
    pub fn load(&mut self, addr: FlashAddr, bytes: &[u8]) {
        let whole = Region::clamped(addr, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        for piece in whole.chunks(SECTOR_BYTES) {
            let from = piece.start().bytes_since(addr) as usize;
            let Some(bytes) = bytes.get(from..from + piece.len_bytes() as usize) else { return };
            let Some(sector) = self.sector_mut(piece.start()) else { return };
            let offset = offset_in_sector(piece.start());
            if let Some(cells) = sector.bytes_mut().get_mut(offset..offset + bytes.len()) {
                cells.copy_from_slice(bytes);
            }
        }
    }

    /// Fills `region` with noise from `seed`, which stands for old data.
    pub fn load_noise(&mut self, region: Region, seed: u64) {
        let mut noise = vec![0; region.len_bytes() as usize];
        Noise::new(seed).fill(&mut noise);
        self.load(region.start(), &noise);
    }

    /// How often the sector around `addr` was erased.
    #[must_use]
    pub fn erase_count(&self, addr: FlashAddr) -> u32 {
        self.sector(addr).map_or(0, |sector| sector.erases)
    }

    /// How often the most worn sector of `region` was erased.
    #[must_use]
    pub fn max_erase_count(&self, region: Region) -> u32 {
        region.chunks(SECTOR_BYTES).map(|piece| self.erase_count(piece.start())).max().unwrap_or(0)
    }

    /// The first address at which two chips differ. If one is longer and there is no other
    /// difference, it is the end of the shorter one.
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<FlashAddr> {
        let shorter = self.capacity_bytes.min(other.capacity_bytes);
        for piece in Region::clamped(FlashAddr::ZERO, shorter).chunks(SECTOR_BYTES) {
            let (left, right) = (self.sector(piece.start())?, other.sector(piece.start())?);
            if left.same_bytes(right) {
                continue;
            }
            let at = self.bytes(piece).iter().zip(other.bytes(piece)).position(|(l, r)| *l != r);
            return at.map(|at| piece.start().saturating_add(at as u32));
        }
        (self.capacity_bytes != other.capacity_bytes).then_some(FlashAddr(shorter))
    }

    fn copy_to(&self, addr: FlashAddr, out: &mut [u8]) {
        let mut at = addr;
        let mut rest = out;
        while !rest.is_empty() {
            let offset = offset_in_sector(at);
            let len = rest.len().min(SECTOR_BYTES as usize - offset);
            let (piece, behind) = rest.split_at_mut(len);
            match self.sector(at) {
                Some(sector) => sector.copy_to(offset, piece),
                None => piece.fill(ERASED),
            }
            at = at.saturating_add(len as u32);
            rest = behind;
        }
    }

    fn sector(&self, addr: FlashAddr) -> Option<&Sector> {
        if addr.get() >= self.capacity_bytes {
            return None;
        }
        let (block, sector) = position(addr);
        self.blocks.get(block)?.get(sector)
    }

    fn sector_mut(&mut self, addr: FlashAddr) -> Option<&mut Sector> {
        if addr.get() >= self.capacity_bytes {
            return None;
        }
        let (block, sector) = position(addr);
        Arc::make_mut(self.blocks.get_mut(block)?).get_mut(sector)
    }

    /// Clears the bits that are 0 in `bytes`, which lie inside one page.
    fn clear_bits(&mut self, addr: FlashAddr, bytes: &[u8]) {
        let offset = offset_in_sector(addr);
        let range = offset..offset + bytes.len();
        let clears_any = match self.sector(addr).map(|sector| &sector.bytes) {
            Some(Some(cells)) => cells
                .get(range.clone())
                .is_some_and(|cells| cells.iter().zip(bytes).any(|(cell, byte)| cell & !byte != 0)),
            _ => !is_blank(bytes),
        };
        // Blank pages are most of a padded image; they must not cost a copy of the sector.
        if !clears_any {
            return;
        }
        if let Some(cells) =
            self.sector_mut(addr).and_then(|sector| sector.bytes_mut().get_mut(range))
        {
            for (cell, byte) in cells.iter_mut().zip(bytes) {
                *cell &= byte;
            }
        }
    }
}

impl NorDevice for NorMemory {
    fn capacity_bytes(&self) -> u32 {
        self.capacity_bytes
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        let len_bytes = u32::try_from(out.len()).unwrap_or(u32::MAX);
        check_bounds(addr, len_bytes, self.capacity_bytes)?;
        self.copy_to(addr, out);
        Ok(())
    }

    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
        Op::program(addr, bytes).check(self.capacity_bytes)?;
        self.clear_bits(addr, bytes);
        Ok(())
    }

    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
        let op = Op::erase(unit, addr);
        op.check(self.capacity_bytes)?;
        for piece in op.region().chunks(SECTOR_BYTES) {
            if let Some(sector) = self.sector_mut(piece.start()) {
                sector.bytes = None;
                sector.erases = sector.erases.saturating_add(1);
            }
        }
        Ok(())
    }

    fn tear_program(&mut self, addr: FlashAddr, bytes: &[u8], seed: u64) -> Result<(), NorError> {
        let op = Op::program(addr, bytes);
        op.check(self.capacity_bytes)?;
        let mut cells = self.bytes(op.region());
        torn::program(&mut cells, bytes, &mut Noise::new(seed));
        self.clear_bits(addr, &cells);
        Ok(())
    }

    fn tear_erase(&mut self, unit: EraseUnit, addr: FlashAddr, seed: u64) -> Result<(), NorError> {
        let op = Op::erase(unit, addr);
        op.check(self.capacity_bytes)?;
        let mut cells = self.bytes(op.region());
        torn::erase(&mut cells, &mut Noise::new(seed));
        self.erase(unit, addr)?;
        self.load(addr, &cells);
        Ok(())
    }
}

impl core::fmt::Debug for NorMemory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NorMemory")
            .field("capacity_bytes", &self.capacity_bytes)
            .finish_non_exhaustive()
    }
}

const fn offset_in_sector(addr: FlashAddr) -> usize {
    (addr.0 % SECTOR_BYTES) as usize
}

const fn position(addr: FlashAddr) -> (usize, usize) {
    let block = addr.0 / BLOCK_64K_BYTES;
    let sector = addr.0 % BLOCK_64K_BYTES / SECTOR_BYTES;
    (block as usize, sector as usize)
}
