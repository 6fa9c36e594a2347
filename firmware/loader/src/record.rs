//! The record in this program's own image.

use carrier_format::{LoaderRecord, RECORD_WORDS};

use crate::chip::CHIP;

/// Where the composer of a carrier or first stage writes; blank as it is built.
#[used]
#[unsafe(link_section = ".record")]
static RECORD: [u32; RECORD_WORDS] = LoaderRecord::blank(CHIP.image_chip_id()).to_words();

/// What this program is to do.
pub fn read() -> LoaderRecord {
    // Safety: a static of this program; volatile, because what the compiler put there was changed
    // in the image.
    LoaderRecord::from_words(&unsafe { (&raw const RECORD).read_volatile() })
}
