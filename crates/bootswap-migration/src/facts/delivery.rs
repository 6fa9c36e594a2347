//! Delivers the migrator to a device in the way in which its old firmware installs an update.
//!
//! ```text
//!   dump, as it was read before the update      what is delivered
//!   bootloader ──> which app runs ──> next slot: the migrator's image
//!   otadata ──────────────────────────────────> an entry for that slot, its state `new`
//! ```
//!
//! The next slot is chosen as in `esp_ota_get_next_update_partition`, and otadata is written as in
//! `esp_rewrite_ota_data`, both in `components/app_update/esp_ota_ops.c` of `espressif/esp-idf`. A
//! bootloader without rollback starts an app in state `new` like any other, so this one state is
//! right for both builds.
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

/// A device that has received its migrator and has not started it yet.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Its flash.
    pub flash: Vec<u8>,
    /// The facts that the migrator will find.
    pub found: FoundFacts,
    /// The partition that contains the migrator.
    pub partition: Partition,
    /// The migrator's image, without embedded artifacts.
    pub image: ImageInfo,
    /// Whether the next update of this device is written to this partition.
    pub is_next: bool,
}

impl Delivered {
    /// Whether the migrator fits its partition. If not, no update can write it there, and the flash
    /// is unchanged.
    #[must_use]
    pub const fn fits(&self) -> bool {
        self.found.facts.running_len_bytes <= self.partition.region.len_bytes()
    }
}

/// Delivers the migrator to the device of a dump: to the partition with that label, or else to
/// every app partition that it can be delivered to. The partition table is at `named` if an address
/// is given, else where it is found.
///
/// The first result is the most important one: the named partition, or the one that the device's
/// next update is written to. The others follow in the table's order.
///
/// # Errors
///
/// A [`FactsError`] if the dump cannot be read, or no migrator can be delivered to the device.
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
    // If no update can be installed, somebody writes the migrator over the running app.
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

/// The partition to which the app in `running` writes an update: the slot after its own, else the
/// first one. `None` if that is the running one itself, which no update overwrites.
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
        // An update erases as it writes (`OTA_WITH_SEQUENTIAL_WRITES`), so old bytes remain after
        // it. An update that erases the whole partition leaves less to clean.
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

/// The sectors, with their new contents, that make the bootloader start the app in `to`.
fn otadata_for(device: &Device<'_>, to: Partition) -> Result<Vec<(Region, Vec<u8>)>, FactsError> {
    let Some(region) = device.table().otadata().map(|partition| partition.region) else {
        // Without otadata, the table alone decides.
        return Ok(Vec::new());
    };
    let Some(index) = to.ota_index() else {
        // An erased otadata starts the factory app.
        return Ok([0, 1].map(|index| (otadata::sector(region, index), Vec::new())).to_vec());
    };
    let data = device.otadata().unwrap_or_else(|| otadata::OtaData::parse(&[], &[]));
    let (sector, entry) = data
        .entry_for(index, device.table().ota_count())
        .map_err(|error| FactsError::Otadata { label: to.label, error })?;
    let entry = OtaEntry { state: OtaState::New, ..entry };
    Ok(vec![(otadata::sector(region, sector), entry.to_bytes().to_vec())])
}

/// Erases a region and writes its first bytes; what is beyond the end of the dump is left out.
fn fill(flash: &mut [u8], region: Region, bytes: &[u8]) {
    let (start, end) = (region.start().get() as usize, region.end().get() as usize);
    let end = end.min(flash.len());
    let Some(room) = flash.get_mut(start..end) else { return };
    room.fill(ERASED);
    if let Some(head) = room.get_mut(..bytes.len()) {
        head.copy_from_slice(bytes);
    }
}
