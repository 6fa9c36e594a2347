//! otadata: which OTA slot the bootloader starts, and whether it trusts it.
//!
//! ```text
//!   sector 0                            sector 1, 0x1000 on
//!   +--------------------------+        +--------------------------+
//!   | entry 0, 32 bytes | ff.. |        | entry 1, 32 bytes | ff.. |
//!   +--------------------------+        +--------------------------+
//!
//!   entry:  0     4                        24      28     32
//!           | seq | label, 20 bytes, unused | state | CRC |        CRC over seq alone
//! ```
//!
//! The entry with the larger `seq` is in force, and starts slot `(seq - 1) % number of slots`. An
//! update writes the other one, so that a torn write leaves the one in force as it was. An app's
//! life, with rollback enabled in the bootloader:
//!
//! ```text
//!               boot                  the app reports it
//!     New ------------> PendingVerify ---------------> Valid
//!                        |         |
//!                 reset  |         |  the app reports it
//!                        v         v
//!                     Aborted   Invalid        neither is ever started again
//! ```
//!
//! Sources: ESP-IDF Programming Guide, "Over The Air Updates"; `bootloader_utility.c` and
//! `bootloader_common_loader.c` in `components/bootloader_support/src` of `espressif/esp-idf`.

mod entry;
mod select;
#[cfg(test)]
mod tests;

pub use entry::{CRC_OFFSET_BYTES, ENTRY_LEN_BYTES, OtaEntry, OtaEntryError, OtaState};
pub use select::{BootSlot, OtaBoot, OtaData, OtaDataError, Selection, boot_order, sector};
