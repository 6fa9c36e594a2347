//! Makes a flash as it is after the factory and some years in the field.

use core::fmt;

use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::otadata::{OtaEntry, OtaState, sector};
use esp_idf_format::partition::{self, Partition, PartitionTable, PartitionTableError};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use nor_sim::NorMemory;

/// What an app partition holds before an app is written to it, and still holds after the end of the
/// app.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OldData {
    /// Nothing: it is erased.
    Erased,
    /// Noise, which is different in every partition.
    Noise {
        /// The seed of the noise.
        seed: u64,
    },
    /// An older and longer app from the partition's start on.
    Image(Vec<u8>),
}

/// Makes a flash. Nothing is placed or checked before [`build`](Self::build).
#[derive(Clone, Debug)]
pub struct FlashBuilder {
    chip: Chip,
    capacity_bytes: u32,
    table_addr: FlashAddr,
    partitions: Vec<Partition>,
    raw_table: Option<Vec<u8>>,
    old_data: OldData,
    bootloader: Vec<u8>,
    apps: Vec<(String, Vec<u8>)>,
    otadata: [Option<OtaEntry>; 2],
    data: Vec<(FlashAddr, Vec<u8>)>,
}

impl FlashBuilder {
    /// An erased flash of that size.
    #[must_use]
    pub const fn new(chip: Chip, flash_size: FlashSize) -> Self {
        Self {
            chip,
            capacity_bytes: flash_size.bytes(),
            table_addr: partition::TABLE_ADDR,
            partitions: Vec::new(),
            raw_table: None,
            old_data: OldData::Erased,
            bootloader: Vec::new(),
            apps: Vec::new(),
            otadata: [None; 2],
            data: Vec::new(),
        }
    }

    /// Sets the partition table.
    #[must_use]
    pub fn partitions(mut self, partitions: &[Partition]) -> Self {
        self.partitions = partitions.to_vec();
        self
    }

    /// Sets where the partition table is.
    #[must_use]
    pub const fn table_addr(mut self, table_addr: FlashAddr) -> Self {
        self.table_addr = table_addr;
        self
    }

    /// Sets the bytes of the partition table, which may be a table that tools refuse and a
    /// bootloader accepts. Apps and otadata go into the partitions that the bootloader reads from
    /// it.
    ///
    /// # Errors
    ///
    /// A [`PartitionTableError`] if no bootloader accepts the table.
    pub fn raw_table(mut self, bytes: &[u8]) -> Result<Self, PartitionTableError> {
        self.partitions = PartitionTable::parse_as_bootloader(bytes)?.iter().collect();
        self.raw_table = Some(bytes.to_vec());
        Ok(self)
    }

    /// Sets the second-stage bootloader.
    #[must_use]
    pub fn bootloader(mut self, image: &[u8]) -> Self {
        self.bootloader = image.to_vec();
        self
    }

    /// Sets the old data in app partitions and after the last partition.
    #[must_use]
    pub fn old_data(mut self, old_data: OldData) -> Self {
        self.old_data = old_data;
        self
    }

    /// Puts an app into the partition of that label, as an update does: it erases as many sectors
    /// as the app takes and writes it.
    #[must_use]
    pub fn app(mut self, label: &str, image: &[u8]) -> Self {
        self.apps.push((label.to_owned(), image.to_vec()));
        self
    }

    /// Sets otadata so that the OTA slot `ota_index`, in that state, is started.
    #[must_use]
    pub fn select_ota(mut self, ota_index: u8, state: OtaState) -> Self {
        let seq = u32::from(ota_index) + 1;
        self.otadata = [Some(OtaEntry::new(seq, state)), None];
        self
    }

    /// Sets both entries of otadata.
    #[must_use]
    pub const fn otadata(mut self, entries: [Option<OtaEntry>; 2]) -> Self {
        self.otadata = entries;
        self
    }

    /// Puts bytes at any address, after everything else.
    #[must_use]
    pub fn data(mut self, addr: FlashAddr, bytes: &[u8]) -> Self {
        self.data.push((addr, bytes.to_vec()));
        self
    }

    /// The flash.
    ///
    /// # Errors
    ///
    /// A [`FlashBuildError`] if something does not fit.
    pub fn build(self) -> Result<NorMemory, FlashBuildError> {
        let mut memory = NorMemory::erased(self.capacity_bytes);
        for (number, region) in self.used_regions().into_iter().enumerate() {
            match &self.old_data {
                OldData::Erased => {}
                OldData::Noise { seed } => memory.load_noise(region, seed ^ number as u64),
                OldData::Image(image) => {
                    let len = image.len().min(region.len_bytes() as usize);
                    memory.load(region.start(), image.get(..len).unwrap_or(image));
                }
            }
        }
        let start = self.chip.bootloader_addr();
        let before = Region::new(start, self.table_addr).unwrap_or(Region::clamped(start, 0));
        place(&mut memory, "bootloader", before, &self.bootloader)?;
        if let Some(table) = &self.raw_table {
            memory.load(self.table_addr, table);
        } else if !self.partitions.is_empty() {
            let mut table = vec![0; partition::TABLE_LEN_BYTES as usize];
            partition::emit(&self.partitions, &mut table).map_err(FlashBuildError::Table)?;
            memory.load(self.table_addr, &table);
        }
        for (label, image) in &self.apps {
            let partition = self
                .partitions
                .iter()
                .find(|partition| partition.label.text_bytes() == label.as_bytes());
            let Some(partition) = partition else {
                return Err(FlashBuildError::NoPartition { label: label.clone() });
            };
            place(&mut memory, label, partition.region, image)?;
        }
        if let Some(otadata) = self.partitions.iter().rfind(|partition| partition.is_otadata()) {
            for (index, entry) in self.otadata.iter().enumerate() {
                if let Some(entry) = entry {
                    memory.load(sector(otadata.region, index).start(), &entry.to_bytes());
                }
            }
        } else if self.otadata != [None; 2] {
            return Err(FlashBuildError::NoPartition { label: "otadata".to_owned() });
        }
        for (addr, bytes) in &self.data {
            let whole = Region::clamped(FlashAddr::ZERO, self.capacity_bytes).from(*addr);
            check_len("data", whole, bytes)?;
            memory.load(*addr, bytes);
        }
        Ok(memory)
    }

    /// App partitions and everything after the last partition.
    fn used_regions(&self) -> Vec<Region> {
        let apps = self.partitions.iter().filter(|partition| partition.is_app());
        let mut regions: Vec<Region> = apps.map(|partition| partition.region).collect();
        let last = self.partitions.iter().map(|partition| partition.region.end()).max();
        if let Some(last) = last {
            regions.push(Region::clamped(FlashAddr::ZERO, self.capacity_bytes).from(last));
        }
        regions
    }
}

/// Writes as an update does: the sectors that the bytes take are erased before.
fn place(
    memory: &mut NorMemory,
    what: &str,
    region: Region,
    bytes: &[u8],
) -> Result<(), FlashBuildError> {
    check_len(what, region, bytes)?;
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(SECTOR_BYTES as usize), flash_region::ERASED);
    padded.truncate(region.len_bytes() as usize);
    memory.load(region.start(), &padded);
    Ok(())
}

fn check_len(what: &str, region: Region, bytes: &[u8]) -> Result<(), FlashBuildError> {
    if bytes.len() > region.len_bytes() as usize {
        let what = what.to_owned();
        return Err(FlashBuildError::TooLong { what, region, len_bytes: bytes.len() });
    }
    Ok(())
}

/// Why the flash cannot be made.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FlashBuildError {
    /// The partitions are not a valid table.
    Table(PartitionTableError),
    /// A partition is missing.
    NoPartition {
        /// Its label.
        label: String,
    },
    /// Something does not fit into its place.
    TooLong {
        /// What does not fit.
        what: String,
        /// Its place.
        region: Region,
        /// How long it is.
        len_bytes: usize,
    },
}

impl fmt::Display for FlashBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(error) => write!(f, "partition table: {error}"),
            Self::NoPartition { label } => write!(f, "no partition \"{label}\""),
            Self::TooLong { what, region, len_bytes } => {
                write!(f, "{what} of {len_bytes:#x} B does not fit into {region}")
            }
        }
    }
}

impl core::error::Error for FlashBuildError {}
