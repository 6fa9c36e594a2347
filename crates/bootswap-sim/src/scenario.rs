//! The device before a simulated migration: flash, board, and the migrator in its partition.

use std::fmt;

use bootswap_engine::{ContainerError, ContainerHeader};
use bootswap_plan::Role;
use device_sim::{
    Board, EspIdfConfig, FlashBuildError, FlashBuilder, McubootConfig, OldData, synthetic,
};
use esp_idf_format::image::FlashSize;
use esp_idf_format::otadata::OtaState;
use esp_idf_format::partition::{Partition, PartitionTable, TABLE_ADDR, TABLE_LEN_BYTES};
use flash_region::{FlashAddr, Hex, Region};
use mcuboot_format::espressif;
use mcuboot_format::key::PublicKey;
use nor_sim::NorMemory;

use bootswap_migration::container;
use bootswap_migration::{OwnedFacts, OwnedMigration};

/// Project name in the app descriptor of the migrator, by which the simulator knows it.
pub const MIGRATOR_NAME: &str = "bootswap";
/// Bytes of the simulated migrator's image: the budget of the real one with Wi-Fi and HTTP.
const MIGRATOR_LEN_BYTES: u32 = 640 * 1024;
/// Flash size of a synthetic device for which the migration names none.
const DEFAULT_FLASH_LEN_BYTES: u32 = 4 * 1024 * 1024;
/// Seed of everything that is generated.
const SEED: u64 = 0xb007_50a9;

/// A device before its migration.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its flash.
    pub flash: NorMemory,
    /// Its board.
    pub board: Board,
    /// The partition that the migrator is in.
    pub running: Partition,
    /// Where its partition table is.
    pub table_addr: FlashAddr,
}

/// Why a device for the simulation cannot be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum ScenarioError {
    /// There is no partition table to lay the flash out by.
    NoTable,
    /// The partition table is not valid.
    Table(esp_idf_format::partition::PartitionTableError),
    /// No app partition has the label that the migrator should run from, or there is no app
    /// partition.
    NoRunning {
        /// The label asked for.
        label: Option<String>,
    },
    /// No real bootloader for this chip and flash size.
    Bootloader(esp_idf_bootloaders::Error),
    /// Something does not fit into the flash.
    Build(FlashBuildError),
    /// An image cannot be made.
    Image(esp_idf_format::image::BuildError),
    /// A bootloader is not valid.
    NotABootloader(esp_idf_format::image::ImageError),
    /// The target bootloader or its map is not valid.
    Mcuboot(device_sim::UnknownMcuboot),
    /// The container of embedded artifacts cannot be made.
    Container(ContainerError),
    /// An artifact is needed, and its file is missing.
    NotAtHand {
        /// Its name.
        name: String,
    },
    /// NVS contents cannot be made.
    Nvs(String),
}

impl Scenario {
    /// A device generated for the migration: the chip's real second-stage bootloader, the
    /// migration's partition table, NVS contents, old data in every slot, and the migrator in its
    /// partition.
    ///
    /// # Errors
    ///
    /// A [`ScenarioError`] for what is missing or does not fit.
    pub fn synthetic(migration: &OwnedMigration) -> Result<Self, ScenarioError> {
        let table = migration.partition_table.as_deref().ok_or(ScenarioError::NoTable)?;
        let partitions: Vec<Partition> = PartitionTable::parse_as_bootloader(table)
            .map_err(ScenarioError::Table)?
            .iter()
            .collect();
        let table_addr = migration.table_addr.unwrap_or(TABLE_ADDR);
        let running = pick(&partitions, migration.running.as_deref())?;
        let flash_len_bytes = migration.flash_len_bytes.unwrap_or(DEFAULT_FLASH_LEN_BYTES);
        let bootloader = esp_idf_bootloaders::bootloader(migration.chip, flash_len_bytes)
            .map_err(ScenarioError::Bootloader)?;
        let size = FlashSize::from_bytes(flash_len_bytes).unwrap_or(FlashSize::Mb4);
        let mut builder = FlashBuilder::new(migration.chip, size)
            .table_addr(table_addr)
            .raw_table(table)
            .map_err(ScenarioError::Table)?
            .bootloader(&bootloader)
            .old_data(OldData::Noise { seed: SEED })
            .app(running.label.as_str().unwrap_or_default(), &migrator_image(migration, &running)?);
        if let Some(index) = running.ota_index() {
            builder = builder.select_ota(index, OtaState::Undefined);
        }
        if let Some(nvs) = partitions.iter().find(|p| p.is_nvs()) {
            builder = builder.data(nvs.region.start(), &nvs_contents(nvs.region)?);
        }
        let flash = builder.build().map_err(ScenarioError::Build)?;
        let board = board(migration, &bootloader, table_addr)?;
        Ok(Self { flash, board, running, table_addr })
    }

    /// A real device's dump, of which `facts` say where the migrator is put.
    ///
    /// # Errors
    ///
    /// A [`ScenarioError`] for what is missing or does not fit.
    pub fn from_dump(
        migration: &OwnedMigration,
        dump: &[u8],
        facts: &OwnedFacts,
    ) -> Result<Self, ScenarioError> {
        let at = |region: Region| {
            let end = (region.end().get() as usize).min(dump.len());
            dump.get(region.start().get() as usize..end).unwrap_or_default()
        };
        let running = facts
            .partitions
            .iter()
            .copied()
            .find(|p| p.is_app() && p.region == facts.running)
            .ok_or(ScenarioError::NoRunning { label: migration.running.clone() })?;
        let mut flash = NorMemory::from_bytes(dump);
        let image = migrator_image(migration, &running)?;
        // An OTA erases the partition before it writes it.
        let erased = vec![flash_region::ERASED; running.region.len_bytes() as usize];
        flash.load(running.region.start(), &erased);
        flash.load(running.region.start(), &image);
        let bootloader = at(facts.lend().bootloader_area());
        let board = board(migration, bootloader, facts.table_addr)?;
        Ok(Self { flash, board, running, table_addr: facts.table_addr })
    }

    /// The partition table.
    #[must_use]
    pub const fn table(&self) -> Region {
        Region::clamped(self.table_addr, TABLE_LEN_BYTES)
    }

    /// Delivers the migrator again to a device that went back to its previous firmware, as that
    /// firmware's OTA does: the partition is written again, and otadata selects it.
    pub fn deliver_again(&self, memory: &mut NorMemory) {
        let table = self.flash.bytes(self.table());
        let table = PartitionTable::parse_as_bootloader(&table).ok();
        let otadata = table.and_then(|table| table.otadata());
        for region in otadata.map(|p| p.region).into_iter().chain([self.running.region]) {
            memory.load(region.start(), &self.flash.bytes(region));
        }
    }
}

/// The partition that the migrator runs from: the one with the label, else factory, else the first
/// slot.
fn pick(partitions: &[Partition], label: Option<&str>) -> Result<Partition, ScenarioError> {
    let apps = || partitions.iter().filter(|p| p.is_app());
    let found = match label {
        Some(label) => apps().find(|p| p.label.as_str() == Some(label)),
        None => apps().find(|p| p.is_factory()).or_else(|| apps().next()),
    };
    found.copied().ok_or_else(|| ScenarioError::NoRunning { label: label.map(str::to_owned) })
}

/// The simulated migrator: an image that passes every check, followed by the embedded artifacts.
fn migrator_image(
    migration: &OwnedMigration,
    running: &Partition,
) -> Result<Vec<u8>, ScenarioError> {
    let embedded =
        container::embedded(migration).map_err(|name| ScenarioError::NotAtHand { name })?;
    let payload: usize = embedded.iter().map(|(_, bytes)| bytes.len()).sum();
    let directory = ContainerHeader::directory_len(embedded.len()) + 16 * (embedded.len() + 2);
    let appended = if embedded.is_empty() { 0 } else { payload + directory };
    let room =
        running.region.len_bytes().saturating_sub(u32::try_from(appended).unwrap_or(u32::MAX));
    let len_bytes = MIGRATOR_LEN_BYTES.min(room);
    let version = env!("CARGO_PKG_VERSION");
    let mut image = synthetic::app(migration.chip, MIGRATOR_NAME, version, len_bytes, SEED)
        .map_err(ScenarioError::Image)?;
    if !embedded.is_empty() {
        container::append(&mut image, &embedded).map_err(ScenarioError::Container)?;
    }
    Ok(image)
}

/// The board: the old bootloader as it is, the target's if the migration has one.
fn board(
    migration: &OwnedMigration,
    old: &[u8],
    table_addr: FlashAddr,
) -> Result<Board, ScenarioError> {
    let mut board = Board::new(migration.chip)
        .esp_idf(old, EspIdfConfig { table_addr, ..EspIdfConfig::default() })
        .map_err(ScenarioError::NotABootloader)?;
    let Some(image) = target_bootloader(migration) else { return Ok(board) };
    if let Some(map) = &migration.mcuboot {
        let config = McubootConfig {
            primary: map.primary,
            secondary: map.secondary,
            scratch: map.scratch,
            swap: map.swap,
            max_align: map.max_align_bytes,
            wants_load_header: true,
            checks_lp_segments: espressif::knows_lp_segments(image).unwrap_or(true),
            key: map.key_der.as_deref().and_then(|der| PublicKey::from_der(der).ok()),
            ..McubootConfig::example()
        };
        board = board.mcuboot(image, config).map_err(ScenarioError::Mcuboot)?;
    } else {
        // Any other bootloader is treated as one that starts apps by the partition table.
        board =
            board.esp_idf(image, EspIdfConfig::default()).map_err(ScenarioError::NotABootloader)?;
    }
    Ok(board)
}

/// The bytes that will be at the chip's bootloader address, from whichever artifact.
fn target_bootloader(migration: &OwnedMigration) -> Option<&[u8]> {
    let at = migration.chip.bootloader_addr();
    migration.artifacts.iter().find_map(|artifact| {
        let bytes = artifact.bytes.as_deref()?;
        match (artifact.role, artifact.dest) {
            (Role::Bootloader, _) => Some(bytes),
            (_, Some(dest)) if dest.contains(at) => {
                bytes.get(at.bytes_since(dest.start()) as usize..)
            }
            _ => None,
        }
    })
}

/// NVS contents as an old firmware leaves them: Wi-Fi credentials in the format of ESP-IDF's
/// driver, and one setting of its own.
fn nvs_contents(region: Region) -> Result<Vec<u8>, ScenarioError> {
    const SSID: &[u8] = b"fleet";
    const PASSWORD: &[u8] = b"correct horse battery staple";
    let hex = |parts: &[&[u8]], len_bytes: usize| {
        let mut value = parts.concat();
        value.resize(len_bytes, 0);
        Hex(&value).to_string()
    };
    let csv = format!(
        "key,type,encoding,value\n\
         nvs.net80211,namespace,,\n\
         sta.ssid,data,hex2bin,{}\n\
         sta.pswd,data,hex2bin,{}\n\
         settings,namespace,,\n\
         boot_count,data,u32,1234\n",
        hex(&[&(SSID.len() as u32).to_le_bytes(), SSID], 36),
        hex(&[PASSWORD], 65),
    );
    esp_nvs_partition_tool::NvsPartition::try_from_str(&csv)
        .and_then(|nvs| nvs.generate_partition(region.len_bytes() as usize))
        .map_err(|error| ScenarioError::Nvs(error.to_string()))
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable => f.write_str(
                "there is no partition table: name one with `partitions` in the migration, \
                 or a dump with --flash",
            ),
            Self::Table(error) => write!(f, "the partition table is not usable: {error}"),
            Self::NoRunning { label: Some(label) } => {
                write!(
                    f,
                    "no app partition is labelled {label}; name another with `running` or \
                     --running"
                )
            }
            Self::NoRunning { label: None } => {
                f.write_str("the partition table has no app partition")
            }
            Self::Bootloader(error) => {
                write!(f, "no second-stage bootloader for the simulated device: {error}")
            }
            Self::Build(error) => write!(f, "the simulated flash cannot be laid out: {error}"),
            Self::Image(error) => write!(f, "the simulated migrator cannot be built: {error}"),
            Self::NotABootloader(error) => write!(f, "the device's bootloader is damaged: {error}"),
            Self::Mcuboot(error) => write!(f, "the target bootloader is not usable: {error}"),
            Self::Container(error) => write!(f, "embedded artifacts: {error}"),
            Self::NotAtHand { name } => {
                write!(
                    f,
                    "the file of {name} is missing: name it in the migration, or use --online"
                )
            }
            Self::Nvs(error) => write!(f, "NVS contents cannot be made: {error}"),
        }
    }
}

impl std::error::Error for ScenarioError {}

#[cfg(test)]
mod tests {
    use super::*;
    use esp_idf_format::nvs::{Lookup, find};

    #[test]
    fn the_old_firmware_leaves_its_network_as_esp_idf_does() {
        let nvs = nvs_contents(Region::clamped(FlashAddr(0x9000), 0x4000)).unwrap();
        let mut ssid = Lookup::<36>::new("nvs.net80211", "sta.ssid");
        assert!(find(&nvs, &mut ssid).unwrap().starts_with(b"\x05\0\0\0fleet\0"));
        let mut password = Lookup::<65>::new("nvs.net80211", "sta.pswd");
        assert!(find(&nvs, &mut password).unwrap().starts_with(b"correct horse battery staple\0"));
    }
}
