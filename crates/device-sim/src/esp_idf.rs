//! ESP-IDF's second-stage bootloader: reads partition table and otadata, and starts the first app
//! that verifies.
//!
//! It follows `bootloader_utility.c`, `flash_partitions.c` and `esp_image_format.c` in
//! `components/bootloader_support/src` of `espressif/esp-idf`.

use esp_idf_format::otadata::{
    BootSlot, ENTRY_LEN_BYTES, OtaBoot, OtaData, OtaEntry, OtaState, boot_order, sector,
};
use esp_idf_format::partition::{Partition, PartitionTable, TABLE_LEN_BYTES};
use flash_region::{Region, SECTOR_BYTES};
use nor_sim::{EraseUnit, NorDevice, NorError};

use crate::limited::Limited;
use crate::{Board, DeviceEvent, EspIdfConfig, EspIdfFailure, ImageRefusal, RunningApp};

/// The bootloader refuses to load apps from larger partitions (`SIXTEEN_MB` in
/// `esp_image_format.c`).
const MAX_APP_PARTITION_BYTES: u32 = 16 * 1024 * 1024;

/// The bootloader under way.
pub(crate) struct SecondStage<'a> {
    pub(crate) flash: Limited<'a>,
    pub(crate) board: &'a Board,
    pub(crate) config: EspIdfConfig,
    pub(crate) tell: &'a mut dyn FnMut(DeviceEvent),
}

/// What otadata selects.
struct Otadata {
    partition: Region,
    boot: OtaBoot,
    /// The current state of the entry in force.
    state: Option<OtaState>,
    /// Neither entry was ever written, or both are damaged.
    is_initial: bool,
}

impl From<NorError> for EspIdfFailure {
    fn from(error: NorError) -> Self {
        Self::Flash(error)
    }
}

impl SecondStage<'_> {
    /// Finds the app to start.
    pub(crate) fn run(mut self) -> Result<RunningApp, EspIdfFailure> {
        let flash_len_bytes = self.flash.len_bytes;
        (self.tell)(DeviceEvent::EspIdfStarts { flash_len_bytes, rollback: self.config.rollback });
        let mut bytes = vec![0; TABLE_LEN_BYTES as usize];
        self.flash.read(self.config.table_addr, &mut bytes)?;
        let table =
            PartitionTable::parse_as_bootloader(&bytes).map_err(EspIdfFailure::PartitionTable)?;
        for (index, partition) in table.iter().enumerate() {
            if partition.region.end().get() > flash_len_bytes {
                return Err(EspIdfFailure::BehindFlash { partition, flash_len_bytes });
            }
            (self.tell)(DeviceEvent::Partition { index, partition });
        }

        let otadata = match table.otadata() {
            Some(partition) => Some(self.read_otadata(partition, table.ota_count())?),
            None => None,
        };
        let selection = otadata.as_ref().and_then(|otadata| otadata.boot.selection);
        for slot in boot_order(selection, table.ota_count()) {
            let partition = match slot {
                BootSlot::Factory => table.factory(),
                BootSlot::Ota(index) => table.ota(index),
                BootSlot::Test => table.test_app(),
            };
            let Some(partition) = partition.filter(|partition| !partition.region.is_empty()) else {
                continue;
            };
            match self.try_load(partition) {
                Ok(image) => {
                    let selected = selection.map(|selected| BootSlot::Ota(selected.ota_index));
                    let mut ota_state = None;
                    if let Some(otadata) = &otadata {
                        ota_state = otadata.state.filter(|_| selected == Some(slot));
                        if table.factory().is_none() && otadata.is_initial {
                            ota_state = self.write_first_entry(otadata.partition, slot)?;
                        }
                    }
                    return Ok(RunningApp { slot, partition, image, ota_state });
                }
                Err(why) => (self.tell)(DeviceEvent::NotBootable { slot, why }),
            }
        }
        Err(EspIdfFailure::NoBootableApp)
    }

    fn read_otadata(
        &mut self,
        partition: Partition,
        ota_count: u8,
    ) -> Result<Otadata, EspIdfFailure> {
        let region = partition.region;
        if region.len_bytes() < 2 * SECTOR_BYTES {
            return Err(EspIdfFailure::OtadataTooSmall { partition });
        }
        let mut entries = [[0; ENTRY_LEN_BYTES]; 2];
        for (index, entry) in entries.iter_mut().enumerate() {
            self.flash.read(sector(region, index).start(), entry)?;
        }
        let [first, second] = &entries;
        let otadata = OtaData::parse(first, second);
        for (index, entry) in otadata.entries.into_iter().enumerate() {
            (self.tell)(DeviceEvent::Otadata { index, entry });
        }
        let boot = otadata.boot(ota_count, self.config.rollback);
        let rewrites = || boot.rewrites.into_iter().enumerate();
        // Entries are aborted before the selection is made; the selected one is marked after it.
        for aborted in [true, false] {
            for (index, rewrite) in rewrites() {
                if let Some(entry) = rewrite
                    && (entry.state == OtaState::Aborted) == aborted
                {
                    self.write_otadata(region, index, entry)?;
                }
            }
        }
        let state = boot.selection.and_then(|selection| {
            let index = selection.entry_index;
            let rewritten = boot.rewrites.get(index).copied().flatten();
            let read = otadata.entries.get(index).and_then(|entry| entry.ok());
            rewritten.or(read).map(|entry| entry.state)
        });
        let is_initial =
            otadata.entries.iter().all(Result::is_err) && entries.iter().all(is_unselectable);
        Ok(Otadata { partition: region, boot, state, is_initial })
    }

    /// Records which slot was started, if there is no factory app and otadata is erased
    /// (`set_actual_ota_seq`).
    fn write_first_entry(
        &mut self,
        otadata: Region,
        slot: BootSlot,
    ) -> Result<Option<OtaState>, EspIdfFailure> {
        let BootSlot::Ota(index) = slot else { return Ok(None) };
        let entry = OtaEntry::new(u32::from(index) + 1, OtaState::Valid);
        self.write_otadata(otadata, 0, entry)?;
        Ok(Some(entry.state))
    }

    /// # Power-fail safety
    ///
    /// Between erase and program the sector has no entry: then the other entry decides, or none.
    /// The real bootloader does the same.
    fn write_otadata(
        &mut self,
        otadata: Region,
        index: usize,
        entry: OtaEntry,
    ) -> Result<(), EspIdfFailure> {
        let addr = sector(otadata, index).start();
        // Erases the sector that the address is in, even if it is not the first address there, as
        // `write_otadata` does.
        self.flash.erase(EraseUnit::Sector4K, addr.align_down(SECTOR_BYTES))?;
        self.flash.program_page(addr, &entry.to_bytes())?;
        (self.tell)(DeviceEvent::OtadataWritten { index, state: entry.state });
        Ok(())
    }

    fn try_load(
        &mut self,
        partition: Partition,
    ) -> Result<esp_idf_format::image::ImageInfo, ImageRefusal> {
        let region = partition.region;
        if region.len_bytes() > MAX_APP_PARTITION_BYTES {
            return Err(ImageRefusal::PartitionTooLarge { region });
        }
        let checked = crate::image::check(&mut self.flash, region).map_err(ImageRefusal::Flash)?;
        let info = checked.result.map_err(ImageRefusal::Image)?;
        let (found, chip) = (info.header.chip_id, self.board.chip());
        if found != chip.image_chip_id() {
            return Err(ImageRefusal::WrongChip { found, chip });
        }
        Ok(info)
    }
}

/// Whether the bootloader ignores an entry without looking at its checksum: its sequence is erased,
/// or its state forbids to start it (`bootloader_common_ota_select_invalid`).
fn is_unselectable(entry: &[u8; ENTRY_LEN_BYTES]) -> bool {
    let word = |at: usize| {
        let bytes = entry.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes))
    };
    word(0) == u32::MAX || !OtaState::from_raw(word(24)).is_bootable()
}
