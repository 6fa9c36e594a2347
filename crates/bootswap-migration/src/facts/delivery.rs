//! The migrator brought to a device as its old firmware brings an update.
//!
//! ```text
//!   dump, as it was read before the update      what is delivered
//!   bootloader ──> which app runs ──> next slot: the migrator's image
//!   otadata ──────────────────────────────────> an entry for that slot, its state `new`
//! ```
//!
//! Which slot is next: `esp_ota_get_next_update_partition`, and what is written to otadata:
//! `esp_rewrite_ota_data`, both in `components/app_update/esp_ota_ops.c` of `espressif/esp-idf`.
//! A bootloader without rollback starts an app in state `new` like any other, so that this one
//! state stands for both builds.
//!
//! # Power-fail safety
//!
//! Nothing here writes to a device: it changes a dump in memory.

use esp_idf_format::Chip;
use esp_idf_format::image::ImageInfo;
use esp_idf_format::otadata::{self, OtaEntry, OtaState};
use esp_idf_format::partition::{MAX_OTA_SLOTS, Partition, PartitionTable};
use flash_region::{ERASED, FlashAddr, Region, SECTOR_BYTES};

use super::dump::Device;
use super::error::FactsError;
use super::found::{FoundFacts, find_app};
use crate::sent::SentImage;

/// A device that has got its migrator and has not started it yet.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Its flash.
    pub flash: Vec<u8>,
    /// What the migrator will find.
    pub found: FoundFacts,
    /// The partition that the migrator is in.
    pub partition: Partition,
    /// The migrator's image, without what is embedded.
    pub image: ImageInfo,
    /// Whether this is where the next update of this device goes.
    pub is_next: bool,
}

impl Delivered {
    /// Whether the migrator fits its partition; where it does not, no update can bring it there,
    /// and the flash is as it was.
    #[must_use]
    pub const fn fits(&self) -> bool {
        self.found.facts.running_len_bytes <= self.partition.region.len_bytes()
    }
}

/// Brings the migrator to the device of a dump: to the partition with that label, or else to every
/// app partition that it can be brought to. The partition table is at `named`, if somebody says
/// where it is, else where it is found.
///
/// The first is the one that counts: that label, or where the next update of this device goes. The
/// others follow in the table's order.
///
/// # Errors
///
/// A [`FactsError`] where the dump cannot be read, or no migrator can be brought to the device.
pub fn deliver(
    chip: Chip,
    dump: &[u8],
    named: Option<FlashAddr>,
    running: Option<&str>,
    sent: &SentImage,
) -> Result<Vec<Delivered>, FactsError> {
    let device = Device::read(chip, dump, named)?;
    let old = device.running();
    let next = old.as_ref().ok().and_then(|old| next_update(device.table(), *old));
    let bring = |to: Partition| bring(&device, named, to, next == Some(to), sent);
    if let Some(label) = running {
        return Ok(vec![bring(find_app(device.table(), label)?)?]);
    }
    // Where no update can come, somebody writes the migrator over the app that runs.
    let first = next.map_or(old, Ok)?;
    let others = device.table().iter().filter(|p| p.is_app() && *p != first);
    let mut first_error = None;
    let mut all = Vec::new();
    for to in std::iter::once(first).chain(others) {
        match bring(to) {
            Ok(delivered) => all.push(delivered),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) if all.is_empty() => Err(error),
        _ => Ok(all),
    }
}

/// Where the app in `running` writes an update: the slot after its own, else the first one.
/// `None` where that is the running one itself, which no update overwrites.
fn next_update(table: &PartitionTable<'_>, running: Partition) -> Option<Partition> {
    let slots = || (0..MAX_OTA_SLOTS).filter_map(|index| table.ota(index));
    let behind = slots().skip_while(|slot| *slot != running).nth(1);
    behind.or_else(|| slots().next()).filter(|slot| *slot != running)
}

fn bring(
    device: &Device<'_>,
    named: Option<FlashAddr>,
    to: Partition,
    is_next: bool,
    sent: &SentImage,
) -> Result<Delivered, FactsError> {
    let sent = sent.in_room_of(to.region.len_bytes());
    let mut flash = device.flash().to_vec();
    let fits = sent.len_bytes() <= to.region.len_bytes();
    if fits {
        // An update erases as it writes (`OTA_WITH_SEQUENTIAL_WRITES`), so that old bytes stay
        // behind it. One that erases the whole partition leaves less to be cleaned.
        let taken = to.region.prefix(sent.len_bytes()).align_out(SECTOR_BYTES);
        fill(&mut flash, taken.unwrap_or(to.region), &sent.to_bytes());
        for (sector, entry) in otadata_for(device, to)? {
            fill(&mut flash, sector, &entry);
        }
        let starts = Device::read(device.chip(), &flash, named)?.running();
        match starts {
            Ok(starts) if starts == to => {}
            starts => {
                let starts = starts.ok().map(|starts| starts.label);
                return Err(FactsError::NotStarted { label: to.label, starts });
            }
        }
    }
    let mut found = Device::read(device.chip(), &flash, named)?.facts(to);
    found.image = (!sent.is_assumed()).then_some(*sent.info());
    if !fits {
        found.facts.running_len_bytes = sent.len_bytes();
    }
    Ok(Delivered { flash, found, partition: to, image: *sent.info(), is_next })
}

/// What makes the bootloader start the app in `to`: sectors, and what they hold then.
fn otadata_for(device: &Device<'_>, to: Partition) -> Result<Vec<(Region, Vec<u8>)>, FactsError> {
    let Some(region) = device.table().otadata().map(|partition| partition.region) else {
        // Then the table alone decides.
        return Ok(Vec::new());
    };
    let Some(index) = to.ota_index() else {
        // To the factory app leads an erased otadata.
        return Ok([0, 1].map(|index| (otadata::sector(region, index), Vec::new())).to_vec());
    };
    let data = device.otadata().unwrap_or_else(|| otadata::OtaData::parse(&[], &[]));
    let (sector, entry) = data
        .entry_for(index, device.table().ota_count())
        .map_err(|error| FactsError::Otadata { label: to.label, error })?;
    let entry = OtaEntry { state: OtaState::New, ..entry };
    Ok(vec![(otadata::sector(region, sector), entry.to_bytes().to_vec())])
}

/// Erases a region and writes its first bytes; what lies behind the dump's end is left out.
fn fill(flash: &mut [u8], region: Region, bytes: &[u8]) {
    let (start, end) = (region.start().get() as usize, region.end().get() as usize);
    let end = end.min(flash.len());
    let Some(room) = flash.get_mut(start..end) else { return };
    room.fill(ERASED);
    if let Some(head) = room.get_mut(..bytes.len()) {
        head.copy_from_slice(bytes);
    }
}
