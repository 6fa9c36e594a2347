//! What the device's code makes of an input, as one digest: the same on every chip and on the host.
//!
//! ```text
//!   host: input --> record --> flash of an emulated chip --> firmware: digest --> console
//!            '----> digest <------------- compared, line by line ---------------------'
//! ```
//!
//! A compiler that gets something wrong for a core shows here. Each digest is a SHA-256 over what
//! the result prints with `{:?}`, so every field of it counts.
#![no_std]

mod facts;
mod record;

use core::fmt::{self, Write};

use bootswap_config::{Storage, decode};
use bootswap_plan::{DeviceFacts, Migration, plan};
use esp_idf_format::Chip;
use esp_idf_format::image::ImageVerifier;
use esp_idf_format::partition::PartitionTable;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::key::PublicKey;
use mcuboot_format::trailer::{TrailerConfig, TrailerLayout};
use mcuboot_format::{ImageValidator, SlotLimits, SwapKind};
use sha2::{Digest, Sha256};

pub use facts::{FACTS_LEN_BYTES, write_facts};
pub use record::{HEAD_LEN_BYTES, Head, Kind, MAX_LEN_BYTES, RECORDS_ADDR};

/// Bytes of the slot that applications are checked for.
const SLOT_LEN_BYTES: u32 = 0x10_0000;

/// A digest of what is printed.
struct Printed(Sha256);

impl Write for Printed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

/// The digest of what is made of an input.
#[must_use]
pub fn digest(kind: Kind, input: &[u8]) -> [u8; 32] {
    let mut printed = Printed(Sha256::new());
    // Writing to a digest does not fail.
    let _ = match kind {
        Kind::Table => table(input, &mut printed),
        Kind::EspImage => {
            let mut verifier = ImageVerifier::for_rom(Chip::Esp32c3, u32::MAX);
            let pushed = verifier.push(input);
            write!(printed, "{pushed:?} {:?}", verifier.finish())
        }
        Kind::Signed => signed(input, &mut printed),
        Kind::Plan => planned(input, &mut printed),
    };
    printed.0.finalize().into()
}

fn table(input: &[u8], printed: &mut Printed) -> fmt::Result {
    match PartitionTable::parse(input) {
        Ok(table) => table.iter().try_for_each(|partition| write!(printed, "{partition:?}")),
        Err(error) => write!(printed, "{error:?} {error}"),
    }
}

/// An application and the key that it is to be signed with: length of the key, key, application.
fn signed(input: &[u8], printed: &mut Printed) -> fmt::Result {
    let Some((len, rest)) = input.split_first_chunk::<2>() else { return Ok(()) };
    let len = usize::from(u16::from_le_bytes(*len));
    let Some((der, app)) = rest.split_at_checked(len) else { return Ok(()) };
    let key = PublicKey::from_known_der(der);
    let slot = Region::clamped(FlashAddr::ZERO, SLOT_LEN_BYTES);
    let slot = TrailerLayout::new(slot, TrailerConfig::espressif(SwapKind::Scratch));
    let Ok(slot) = slot else { return Ok(()) };
    let limits = SlotLimits::new(&slot, &slot, SECTOR_BYTES);
    let mut validator = ImageValidator::new(limits, key.as_ref());
    // In pieces, as from a network.
    let pushed = app.chunks(1000).try_for_each(|piece| validator.push(piece));
    write!(printed, "{pushed:?} {:?}", validator.finish())
}

/// A configuration behind the facts of a device.
fn planned(input: &[u8], printed: &mut Printed) -> fmt::Result {
    let Some((facts, section)) = input.split_at_checked(FACTS_LEN_BYTES) else { return Ok(()) };
    let mut storage = Storage::default();
    let config = match decode(section, &mut storage) {
        Ok(config) => config,
        Err(error) => return write!(printed, "{error:?} {error}"),
    };
    let mut partitions = heapless::Vec::new();
    let Some(facts) = facts::read_facts(facts, &mut partitions) else { return Ok(()) };
    outcome(&config.migration, &facts, printed)
}

/// The digest of what the planner makes of a migration and a device.
#[must_use]
pub fn digest_of_plan(migration: &Migration<'_>, facts: &DeviceFacts<'_>) -> [u8; 32] {
    let mut printed = Printed(Sha256::new());
    let _ = outcome(migration, facts, &mut printed);
    printed.0.finalize().into()
}

fn outcome(
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
    printed: &mut Printed,
) -> fmt::Result {
    match plan(migration, facts) {
        Ok(plan) => write!(printed, "{plan:?}"),
        Err(reasons) => {
            reasons.iter().try_for_each(|reason| write!(printed, "{reason:?} {reason}"))
        }
    }
}
