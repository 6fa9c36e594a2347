//! Reading one value from non-volatile storage (NVS), as an app of ESP-IDF left it.
//!
//! ```text
//!   partition: pages of 4 KiB, in any order; their sequence says which is newer
//!   page       0  state u32   4  sequence u32   8  version   28  CRC-32     header, 32 bytes
//!             32  two bits an entry: 11 empty, 10 written, 00 erased        32 bytes
//!             64  126 entries of 32 bytes
//!   entry      0  namespace   1  type   2  span   3  chunk   4  CRC-32      8  key, 16 bytes
//!             24  a number, or of longer values: length u16, -, CRC-32; the value is in the
//!                 span - 1 entries after it
//! ```
//!
//! A namespace is an entry in namespace 0 that gives its name a number. A binary value (*blob*) is
//! one entry in the format before ESP-IDF 3.2; since then it is cut into *chunks*, each an entry of
//! its own, which may lie in different pages, and an *index* says how many there are and how long
//! they are together. A new value is written before the old one is erased, so that both may be
//! there after a loss of power: the newest complete one counts.
//!
//! Nothing is ever written. Damaged parts are skipped, as ESP-IDF skips them: a page with a wrong
//! header, an entry with a wrong CRC, a value with a wrong CRC. An older complete value is used
//! then, if it is still there. [`Lookup`] takes one page after the other, so that a device needs
//! memory for one page.
//!
//! Sources: ESP-IDF Programming Guide, "Non-Volatile Storage Library", "Internals";
//! `components/nvs_flash/src` in `espressif/esp-idf`.

mod error;
mod lookup;
mod page;
#[cfg(test)]
mod tests;

pub use error::NvsError;
pub use lookup::{Lookup, LookupProgress, find};
pub use page::{PAGE_LEN_BYTES, is_used_page};
