//! Finds the device's partition table.
//!
//! Its address is compiled into the bootloader, so it is searched: [`TableSearch`] says where, and
//! what a table must look like to be the one from which the bootloader has started this app.

use embedded_storage_async::nor_flash::ReadNorFlash;
use esp_idf_format::partition::{
    ENTRY_MAGIC, MAX_OTA_SLOTS, PartitionTable, TABLE_ADDR, TABLE_LEN_BYTES, TableNotFound,
    TableSearch,
};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use heapless::Vec;

use crate::twice::Twice;
use crate::{Identity, LiveFactsError, image};

/// Bytes that are read first at an address; the rest is read only if these may begin a table.
const HEAD: usize = 4;

/// Addresses of partition tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tables {
    /// The table that the bootloader uses.
    pub(crate) addr: FlashAddr,
    /// Another table that the bootloader may use; it lists the same otadata and apps.
    pub(crate) other: Option<FlashAddr>,
}

/// Otadata, factory app, test app and the slots.
const MAX_ROLES: usize = 3 + MAX_OTA_SLOTS as usize;

type Sector = [u8; SECTOR_BYTES as usize];

/// Finds the table: at `named`, else after the bootloader, else at the usual address, where reading
/// it reports what is wrong.
pub(crate) async fn find<F: ReadNorFlash>(
    flash: &mut Twice<'_, F>,
    identity: &Identity,
    named: Option<FlashAddr>,
    buffer: &mut Sector,
) -> Result<Tables, LiveFactsError<F::Error>> {
    let only = |addr| Tables { addr, other: None };
    if let Some(named) = named {
        let bytes = read(flash, named, buffer).await?;
        if PartitionTable::parse_as_bootloader(bytes).is_ok() {
            return Ok(only(named));
        }
    }
    let mut search = TableSearch::new();
    for place in TableSearch::places(bootloader_end(flash, identity).await?) {
        // Every partition is after the table.
        if place >= identity.image_start {
            break;
        }
        let mut head = [0; HEAD];
        flash.read(place.get(), &mut head).await.map_err(LiveFactsError::Flash)?;
        if !head.starts_with(&ENTRY_MAGIC) {
            continue;
        }
        let bytes = read(flash, place, buffer).await?;
        search.look(place, bytes, |addr| addr == identity.image_start);
    }
    match search.found() {
        Ok(addr) => Ok(only(addr)),
        Err(TableNotFound::Several { first, second }) => {
            let one = booted_from(read(flash, first, buffer).await?);
            let other = booted_from(read(flash, second, buffer).await?);
            match one.is_some() && one == other {
                true => Ok(Tables { addr: first, other: Some(second) }),
                false => Err(LiveFactsError::TwoTables { first, second }),
            }
        }
        Err(_) => Ok(only(named.unwrap_or(TABLE_ADDR))),
    }
}

/// The partitions by which the bootloader starts apps, otadata and apps, each with its subtype;
/// `None` if there is no table, or one with more of them than there are roles.
fn booted_from(table: &[u8]) -> Option<Vec<(u8, Region), MAX_ROLES>> {
    let table = PartitionTable::parse_as_bootloader(table).ok()?;
    let mut found = Vec::new();
    for p in table.iter().filter(|p| p.is_app() || p.is_otadata()) {
        found.push((p.subtype, p.region)).ok()?;
    }
    Some(found)
}

async fn read<'b, F: ReadNorFlash>(
    flash: &mut Twice<'_, F>,
    addr: FlashAddr,
    buffer: &'b mut Sector,
) -> Result<&'b [u8], LiveFactsError<F::Error>> {
    let (bytes, _) = buffer.split_at_mut(TABLE_LEN_BYTES as usize);
    flash.read(addr.get(), bytes).await.map_err(LiveFactsError::Flash)?;
    Ok(bytes)
}

/// The end of the bootloader's image according to its headers; at least the end of its first
/// sector.
async fn bootloader_end<F: ReadNorFlash>(
    flash: &mut Twice<'_, F>,
    identity: &Identity,
) -> Result<FlashAddr, LiveFactsError<F::Error>> {
    let start = identity.chip.bootloader_addr();
    let place = Region::clamped(start, identity.image_start.bytes_since(start));
    let len_bytes = image::len_bytes(flash, place).await.map_err(LiveFactsError::Flash)?;
    Ok(start.saturating_add(len_bytes.unwrap_or(SECTOR_BYTES)))
}
