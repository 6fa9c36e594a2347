//! The flash map that a bootloader was built with.
//!
//! ```text
//! Espressif's port, 12 bytes       | id | dev | 0  0 | offset | length |   4-aligned, one behind
//!                                    0 bootloader, 1 primary, 2 secondary,  the other, ids upwards
//!                                    3 scratch, 4 and 5 a second image's    or downwards
//!
//! Zephyr, 16 or 20 bytes           | id | 0  0  0 | offset | length | device | (label) |
//!                                    0, 1, 2, ...                     the same in each
//! ```
//!
//! Espressif's say what each region is for (boot/espressif/port/esp_mcuboot.c and
//! include/sysflash/sysflash.h in mcu-tools/mcuboot); compilers lay them out in the order of the
//! source or in reverse. Zephyr's table is that of the devicetree, and does not say which of its
//! partitions are slots (subsys/storage/flash_map/flash_map_default.c in
//! zephyrproject-rtos/zephyr).

use alloc::format;
use alloc::vec::Vec;

use esp_idf_format::Chip;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use super::Found;
use super::memory::Memory;
use crate::bytes::u32_at;

/// No flash chip has addresses from here on.
const MAX_OFFSET_BYTES: u32 = 1 << 28;
/// No partition is longer.
const MAX_LEN_BYTES: u32 = 1 << 26;
/// Addresses of data; Zephyr's device structures are there.
const DATA_ADDRS: core::ops::Range<u32> = 0x3f00_0000..0x4100_0000;

/// Who defines the form of a map.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MapForm {
    /// Espressif's port of MCUboot.
    Espressif,
    /// Zephyr's table of partitions.
    Zephyr,
}

/// A flash map in a bootloader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompiledMap {
    /// Whose it is.
    pub form: MapForm,
    /// All of its regions, with their numbers.
    pub regions: Vec<(u8, Region)>,
    /// The slots, primary and secondary. In Zephyr's map they are a guess: the largest two adjacent
    /// partitions of the same length.
    pub slots: Option<(Region, Region)>,
    /// The scratch area; unknown in Zephyr's map.
    pub scratch: Option<Region>,
}

impl CompiledMap {
    /// Whether the map says what its regions are for.
    #[must_use]
    pub fn names_slots(&self) -> bool {
        self.form == MapForm::Espressif
    }

    /// For how many images it is, each with two slots of its own; `None` if it does not say.
    #[must_use]
    pub fn images(&self) -> Option<usize> {
        let secondaries = self.regions.iter().filter(|(id, _)| matches!(id, 2 | 5)).count();
        self.names_slots().then_some(secondaries)
    }

    /// Whether one of the regions is that one.
    #[must_use]
    pub fn has(&self, region: Region) -> bool {
        self.regions.iter().any(|(_, other)| *other == region)
    }
}

/// The map in that bootloader.
pub(super) fn map(memory: &Memory<'_>, chip: Chip) -> Option<Found<CompiledMap>> {
    espressif(memory, chip).or_else(|| zephyr(memory))
}

fn region(offset: u32, len_bytes: u32) -> Option<Region> {
    let is_aligned = offset.is_multiple_of(SECTOR_BYTES) && len_bytes.is_multiple_of(SECTOR_BYTES);
    let is_flash = offset < MAX_OFFSET_BYTES && (1..=MAX_LEN_BYTES).contains(&len_bytes);
    let region = Region::from_len(FlashAddr(offset), len_bytes)?;
    (is_aligned && is_flash && region.end().get() <= MAX_OFFSET_BYTES).then_some(region)
}

/// A record of Espressif's port.
#[derive(Clone, Copy)]
struct Record {
    addr: u32,
    id: u8,
    region: Region,
}

/// The numbers in the order of the source: of one image and of two, with and without scratch.
const ORDERS: [&[u8]; 4] = [&[0, 1, 2], &[0, 1, 2, 3], &[0, 1, 2, 4, 5], &[0, 1, 2, 4, 5, 3]];

fn espressif(memory: &Memory<'_>, chip: Chip) -> Option<Found<CompiledMap>> {
    let records: Vec<Record> = memory
        .records::<12>()
        .filter_map(|(addr, bytes)| {
            let &[id @ 0..=5, 0, 0, 0, ..] = bytes else { return None };
            let region = region(u32_at(bytes, 4)?, u32_at(bytes, 8)?)?;
            Some(Record { addr, id, region })
        })
        .collect();
    let next = |last: &Record| {
        records.iter().find(|next| next.addr.checked_sub(12) == Some(last.addr)).copied()
    };
    let runs = records.iter().map(|first| {
        let mut run = alloc::vec![*first];
        while let Some(record) = run.last().and_then(next) {
            run.push(record);
        }
        run
    });
    let maps = runs.filter_map(|run| {
        let ids: Vec<u8> = run.iter().map(|record| record.id).collect();
        let is_order = |order: &&[u8]| ids == **order || ids.iter().rev().eq(order.iter());
        ORDERS.iter().find(|order| is_order(order))?;
        let of = |id| run.iter().find(|record| record.id == id).map(|record| record.region);
        let (primary, secondary) = (of(1)?, of(2)?);
        // One option sets the length of both slots.
        let fits = of(0)?.start() == chip.bootloader_addr()
            && primary.len_bytes() == secondary.len_bytes();
        fits.then_some((run.first()?.addr, primary, secondary, of(3), run))
    });
    let (addr, primary, secondary, scratch, mut run) = maps.max_by_key(|map| map.4.len())?;
    run.sort_by_key(|record| record.id);
    let map = CompiledMap {
        form: MapForm::Espressif,
        regions: run.iter().map(|record| (record.id, record.region)).collect(),
        slots: Some((primary, secondary)),
        scratch,
    };
    let evidence = format!("{} records of Espressif's port", map.regions.len());
    Some(Found::sure(map, memory.place(addr), evidence))
}

/// A row of Zephyr's table.
struct Row {
    region: Region,
    device: u32,
}

fn zephyr(memory: &Memory<'_>) -> Option<Found<CompiledMap>> {
    let row = |addr: u32, id: u32| {
        let bytes = memory.get(addr, 16)?;
        let device = u32_at(bytes, 12).filter(|device| DATA_ADDRS.contains(device))?;
        let region = region(u32_at(bytes, 4)?, u32_at(bytes, 8)?)?;
        (u32_at(bytes, 0)? == id).then_some(Row { region, device })
    };
    let table = |addr: u32, step: u32| {
        let device = row(addr, 0)?.device;
        let rows = (0u8..=u8::MAX).map_while(|id| {
            let addr = addr.checked_add(step * u32::from(id))?;
            let row = row(addr, u32::from(id)).filter(|row| row.device == device)?;
            Some((id, row.region))
        });
        let rows: Vec<(u8, Region)> = rows.collect();
        (rows.len() >= 3).then_some((addr, rows))
    };
    let starts = memory.records::<16>().map(|(addr, _)| addr);
    let tables = starts.flat_map(|addr| [table(addr, 16), table(addr, 20)]).flatten();
    // The first of the longest.
    let longer = |best: (u32, Vec<_>), other: (u32, Vec<_>)| {
        if other.1.len() > best.1.len() { other } else { best }
    };
    let (addr, regions) = tables.reduce(longer)?;
    let neighbours = regions.iter().zip(regions.iter().skip(1)).skip(1);
    let pairs = neighbours.filter_map(|((_, a), (_, b))| {
        (a.len_bytes() == b.len_bytes() && a.end() == b.start()).then_some((*a, *b))
    });
    let slots = pairs.reduce(
        |best, pair| {
            if pair.0.len_bytes() > best.0.len_bytes() { pair } else { best }
        },
    );
    let evidence = format!("Zephyr's table of {} partitions", regions.len());
    let map = CompiledMap { form: MapForm::Zephyr, regions, slots, scratch: None };
    Some(Found::sure(map, memory.place(addr), evidence))
}
