//! Decorators in the stacks in which they are used.

mod driver;
mod faults;
mod figures;
mod guards;
mod memory;
mod power;

use core::future::Future;

use embedded_storage::nor_flash::{NorFlash as Blocking, NorFlashError, NorFlashErrorKind};
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
use flash_region::{FlashAddr, Region, SECTOR_BYTES, is_blank};
use proptest::prelude::*;

use crate::*;

const CAPACITY: u32 = 0x40000;

fn at(addr: u32) -> FlashAddr {
    FlashAddr(addr)
}

fn region(start: u32, len_bytes: u32) -> Region {
    Region::clamped(FlashAddr(start), len_bytes)
}

/// Work of all kinds, as an engine would do it: 1 block, 1 small block, 2 sectors, 20 pages.
async fn work<F: NorFlash>(flash: &mut F) -> Result<(), F::Error> {
    flash.erase(0x8000, 0x20000).await?;
    flash.erase(0x21000, 0x23000).await?;
    flash.write(0x8080, &[0x0f; 0x1380]).await
}
