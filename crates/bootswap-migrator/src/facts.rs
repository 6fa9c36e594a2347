//! Finds the facts of the device that the migrator runs on.

use core::fmt;

use bootswap_plan::{DeviceFacts, previous_firmware, running_partition};
use embedded_storage_async::nor_flash::ReadNorFlash;
use esp_idf_format::image::{EspImageHeader, FlashMode, FlashSettings, HEADER_LEN_BYTES};
use esp_idf_format::partition::{
    MAX_ENTRIES, Partition, PartitionTable, PartitionTableError, TABLE_LEN_BYTES,
};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use heapless::Vec;
use mcuboot_format::ImageRank;

use crate::table::{self, Tables};
use crate::twice::Twice;
use crate::{Identity, image};

/// Most objections to the table that are kept for the console.
const MAX_OBJECTIONS: usize = 6;

/// Facts that were read on the device itself, with their data.
#[derive(Clone, Debug)]
pub struct LiveFacts {
    identity: Identity,
    tables: Tables,
    partitions: Vec<Partition, MAX_ENTRIES>,
    objections: Vec<PartitionTableError, MAX_OBJECTIONS>,
    running: Region,
    running_len_bytes: u32,
    previous: Option<Region>,
    bootloader_flash_len_bytes: Option<u32>,
    bootloader_flash_mode: Option<FlashMode>,
    bootloader_settings: Option<FlashSettings>,
    secure_version: Option<u32>,
    container: Option<Region>,
}

/// Why the facts of the device are not known.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LiveFactsError<E> {
    /// Flash cannot be read.
    Flash(E),
    /// There is no partition table that the bootloader would accept.
    Table(PartitionTableError),
    /// Two tables list the running app and disagree about where otadata and apps are.
    TwoTables {
        /// Address of the first table.
        first: FlashAddr,
        /// Address of the second table.
        second: FlashAddr,
    },
}

impl LiveFacts {
    /// Reads partition table, bootloader header and the running image's headers. The table is
    /// looked for at `named` first, if an address is given. `buffer` has room for a partition
    /// table.
    ///
    /// # Errors
    ///
    /// A [`LiveFactsError`] if flash cannot be read or has no partition table.
    pub async fn read<F: ReadNorFlash>(
        flash: &mut F,
        identity: Identity,
        named: Option<FlashAddr>,
        buffer: &mut [u8; SECTOR_BYTES as usize],
    ) -> Result<Self, LiveFactsError<F::Error>> {
        let flash = &mut Twice(flash);
        let mut header = [0; HEADER_LEN_BYTES as usize];
        let bootloader = identity.chip.bootloader_addr();
        flash.read(bootloader.get(), &mut header).await.map_err(LiveFactsError::Flash)?;
        let header = EspImageHeader::parse(&header).ok();

        let tables = table::find(flash, &identity, named, buffer).await?;
        let (bytes, _) = buffer.split_at_mut(TABLE_LEN_BYTES as usize);
        flash.read(tables.addr.get(), bytes).await.map_err(LiveFactsError::Flash)?;
        // As the bootloader reads it: the device has started from it.
        let table = PartitionTable::parse_as_bootloader(bytes).map_err(LiveFactsError::Table)?;
        let partitions: Vec<Partition, MAX_ENTRIES> = table.iter().take(MAX_ENTRIES).collect();
        let objections = table.objections().take(MAX_OBJECTIONS).collect();

        // If there is no such partition, the planner refuses.
        let running = running_partition(&partitions, identity.image_start)
            .map_or(Region::clamped(identity.image_start, SECTOR_BYTES), |p| p.region);
        let image = image::len_bytes(flash, running).await.map_err(LiveFactsError::Flash)?;
        let image_len_bytes = image.unwrap_or(running.len_bytes());
        let container = image::container(flash, running, image_len_bytes, buffer)
            .await
            .map_err(LiveFactsError::Flash)?;
        let secure_version =
            image::secure_version(flash, running).await.map_err(LiveFactsError::Flash)?;
        let end = container.map(|container| container.end().bytes_since(running.start()));
        let previous = previous_firmware(&partitions, running);
        Ok(Self {
            identity,
            tables,
            partitions,
            objections,
            running,
            running_len_bytes: end.unwrap_or(image_len_bytes),
            previous,
            bootloader_flash_len_bytes: header
                .and_then(|header| header.flash_size())
                .map(|size| size.bytes()),
            bootloader_flash_mode: header.and_then(|header| header.flash_mode()),
            bootloader_settings: header.as_ref().map(FlashSettings::of),
            secure_version,
            container,
        })
    }

    /// The facts, for planner and engine. `memory_len` bytes of memory are available for staging;
    /// `primary` is what MCUboot will compare with in its primary slot.
    #[must_use]
    pub fn lend(&self, memory_len: usize, primary: Option<ImageRank>) -> DeviceFacts<'_> {
        DeviceFacts {
            chip: self.identity.chip,
            chip_revision: self.identity.chip_revision,
            flash_len_bytes: self.identity.flash_len_bytes,
            table_addr: self.tables.addr,
            other_table_addr: self.tables.other,
            partitions: &self.partitions,
            running: self.running,
            running_len_bytes: self.running_len_bytes,
            previous: self.previous,
            bootloader_flash_len_bytes: self.bootloader_flash_len_bytes,
            bootloader_flash_mode: self.bootloader_flash_mode,
            bootloader_settings: self.bootloader_settings,
            secure_version: self.secure_version,
            secure_boot: self.identity.secure_boot,
            flash_encryption: self.identity.flash_encryption,
            staging_memory_len_bytes: u32::try_from(memory_len).unwrap_or(u32::MAX),
            primary,
        }
    }

    /// Where the container of embedded artifacts is, if there is one.
    #[must_use]
    pub const fn container(&self) -> Option<Region> {
        self.container
    }

    /// Address of the partition table.
    #[must_use]
    pub const fn table_addr(&self) -> FlashAddr {
        self.tables.addr
    }

    /// The partition table.
    #[must_use]
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// What is wrong with the partition table although the bootloader accepts it: the first few
    /// objections.
    #[must_use]
    pub fn objections(&self) -> &[PartitionTableError] {
        &self.objections
    }

    /// The partition that the migrator runs from; `None` if the table has none there.
    #[must_use]
    pub fn running(&self) -> Option<&Partition> {
        let found = running_partition(&self.partitions, self.running.start());
        found.filter(|partition| partition.region == self.running)
    }
}

impl<E: fmt::Debug> fmt::Display for LiveFactsError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "flash cannot be read: {error:?}"),
            Self::Table(error) => write!(f, "the partition table is not usable: {error}"),
            Self::TwoTables { first, second } => write!(
                f,
                "partition tables at {first} and {second} both list the running app, and \
                disagree; pack again with the right address in `partition_table_offset`"
            ),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for LiveFactsError<E> {}
