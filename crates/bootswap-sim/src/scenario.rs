//! The device before a simulated migration: flash, board, and the migrator in its partition.

use std::fmt;

use bootswap_migration::facts::{self, ASSUMED_FLASH_SIZE, Delivered, FactsError};
use bootswap_migration::pack::PackError;
use bootswap_migration::plan::{assumptions, judged};
use bootswap_migration::{Assumption, OwnedMigration, SentImage};
use bootswap_plan::{CommitWay, Plan, Reasons, Role, Step, Target, plan};
use carrier_format::COPIES_OFFSET_BYTES;
use device_sim::{
    Board, EspIdfConfig, FlashBuildError, FlashBuilder, McubootConfig, OldData, synthetic,
};
use esp_idf_format::image::{FlashSize, ImageInfo};
use esp_idf_format::otadata::OtaState;
use esp_idf_format::partition::{Partition, PartitionTable, TABLE_ADDR, TABLE_LEN_BYTES};
use flash_region::{FlashAddr, Hex, Region};
use mcuboot_format::espressif;
use mcuboot_format::key::PublicKey;
use nor_sim::NorMemory;

/// Project name in the app descriptor of a synthetic device's old firmware.
const OLD_APP_NAME: &str = "old-firmware";
/// Bytes of that firmware, as far as there is room.
const OLD_APP_LEN_BYTES: u32 = 400 * 1024;
/// Seed of everything that is generated.
const SEED: u64 = 0xb007_50a9;

/// A device before its migration.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its flash, with the migrator delivered but not started yet.
    pub flash: NorMemory,
    /// Its flash before that.
    pub old: NorMemory,
    /// Its board.
    pub board: Board,
    /// The partition that contains the migrator.
    pub running: Partition,
    /// The migrator's image, by which the simulator recognises it.
    pub migrator: ImageInfo,
    /// Address of its partition table.
    pub table_addr: FlashAddr,
    /// Why the migrator cannot be delivered; empty if it can.
    pub undeliverable: Reasons,
    /// What the simulation relies on and nobody could look at: how far a device can differ.
    pub assumed: Vec<Assumption>,
}

/// Why a device for the simulation cannot be set up.
#[derive(Debug)]
#[non_exhaustive]
pub enum ScenarioError {
    /// There is no partition table for the layout of the flash.
    NoTable,
    /// The partition table is not valid.
    Table(esp_idf_format::partition::PartitionTableError),
    /// The migrator cannot be delivered.
    Facts(FactsError),
    /// No real bootloader for this chip and flash size.
    Bootloader(esp_idf_bootloaders::Error),
    /// Something does not fit into the flash.
    Build(FlashBuildError),
    /// An image cannot be made.
    Image(esp_idf_format::image::BuildError),
    /// The device's bootloader is not valid.
    NotABootloader(esp_idf_format::image::ImageError),
    /// The target bootloader is not valid.
    NotATarget(esp_idf_format::image::ImageError),
    /// The target bootloader or its map is not valid.
    Mcuboot(device_sim::UnknownMcuboot),
    /// The carrier's loader is not valid.
    Loader(device_sim::UnknownLoader),
    /// The migrator cannot be made.
    Sent(PackError),
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
        Self::synthetic_with(migration, &SentImage::assumed(migration)?)
    }

    /// The same with that migrator.
    ///
    /// # Errors
    ///
    /// As [`Scenario::synthetic`].
    pub fn synthetic_with(
        migration: &OwnedMigration,
        sent: &SentImage,
    ) -> Result<Self, ScenarioError> {
        let table = migration.partition_table.as_deref().ok_or(ScenarioError::NoTable)?;
        let partitions: Vec<Partition> = PartitionTable::parse_as_bootloader(table)
            .map_err(ScenarioError::Table)?
            .iter()
            .collect();
        let table_addr = migration.table_addr.unwrap_or(TABLE_ADDR);
        let flash_len_bytes = migration.flash_len_bytes.unwrap_or(ASSUMED_FLASH_SIZE.bytes());
        let bootloader = esp_idf_bootloaders::bootloader(migration.chip, flash_len_bytes)
            .map_err(ScenarioError::Bootloader)?;
        let size = FlashSize::from_bytes(flash_len_bytes).unwrap_or(ASSUMED_FLASH_SIZE);
        let running = facts::assumed(migration).map_err(ScenarioError::Facts)?.running;
        let running = running.as_str().unwrap_or_default();
        let mut builder = FlashBuilder::new(migration.chip, size)
            .table_addr(table_addr)
            .raw_table(table)
            .map_err(ScenarioError::Table)?
            .bootloader(&bootloader)
            .old_data(OldData::Noise { seed: SEED });
        if let Some(home) = home(&partitions, running) {
            let len_bytes = OLD_APP_LEN_BYTES.min(home.region.len_bytes());
            let app = synthetic::app(migration.chip, OLD_APP_NAME, "1.0", len_bytes, !SEED)
                .map_err(ScenarioError::Image)?;
            builder = builder.app(home.label.as_str().unwrap_or_default(), &app);
            if let Some(index) = home.ota_index() {
                builder = builder.select_ota(index, OtaState::Valid);
            }
        }
        if let Some(nvs) = partitions.iter().find(|p| p.is_nvs()) {
            builder = builder.data(nvs.region.start(), &nvs_contents(nvs.region)?);
        }
        let old = builder.build().map_err(ScenarioError::Build)?.to_bytes();
        let delivered = facts::deliver(migration.chip, &old, Some(table_addr), Some(running), sent)
            .map_err(ScenarioError::Facts)?;
        // A label is one partition.
        let delivered = delivered.into_iter().next().ok_or(ScenarioError::NoTable)?;
        Self::new(migration, &old, delivered, EspIdfConfig::default(), false)
    }

    /// The device of a dump, with its migrator delivered. Its bootloader is assumed to have
    /// rollback, so that the migrator is on trial at first: one without rollback only does less.
    ///
    /// # Errors
    ///
    /// A [`ScenarioError`] for what is missing or does not fit.
    pub fn delivered(
        migration: &OwnedMigration,
        dump: &[u8],
        delivered: Delivered,
    ) -> Result<Self, ScenarioError> {
        Self::new(
            migration,
            dump,
            delivered,
            EspIdfConfig { rollback: true, ..EspIdfConfig::default() },
            true,
        )
    }

    fn new(
        migration: &OwnedMigration,
        dump: &[u8],
        delivered: Delivered,
        config: EspIdfConfig,
        is_dump: bool,
    ) -> Result<Self, ScenarioError> {
        let facts = delivered.found.facts.lend();
        let assumed = assumptions(migration, &facts, is_dump.then_some(dump));
        let undeliverable = if delivered.fits() {
            Reasons::new()
        } else {
            migration.with(|migration| plan(migration, &facts).err()).unwrap_or_default()
        };
        let bootloader = facts::bytes(dump, facts.bootloader_area());
        let config = EspIdfConfig { table_addr: facts.table_addr, ..config };
        let old = Board::new(migration.chip).esp_idf(bootloader, config);
        let old = old.map_err(ScenarioError::NotABootloader)?;
        let board = match migration.bootloader_file() {
            Some(image) => match with_target(old.clone(), migration, image, carrier(migration)) {
                // The device refuses, too: nothing will ever start the target.
                Err(
                    ScenarioError::Mcuboot(_)
                    | ScenarioError::NotATarget(_)
                    | ScenarioError::Loader(_),
                ) if !undeliverable.is_empty() || judged(migration, facts, None).is_err() => old,
                board => board?,
            },
            None => old,
        };
        let table_addr = facts.table_addr;
        let Delivered { flash, partition: running, image: migrator, .. } = delivered;
        Ok(Self {
            flash: NorMemory::from_bytes(&flash),
            old: NorMemory::from_bytes(dump),
            board,
            running,
            migrator,
            table_addr,
            undeliverable,
            assumed,
        })
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

/// Where the old firmware is: in the factory partition, else in a slot that the migrator is not
/// written to, else where it is replaced.
fn home(partitions: &[Partition], running: &str) -> Option<Partition> {
    let apps = || partitions.iter().filter(|p| p.is_factory() || p.ota_index().is_some());
    let other = || apps().find(|p| p.label.as_str() != Some(running));
    apps().find(|p| p.is_factory()).or_else(other).or_else(|| apps().next()).copied()
}

/// The board that knows `image` as the target bootloader of the migration, too.
///
/// If it comes in a `carrier`, that carrier's loader is known too.
fn with_target(
    mut board: Board,
    migration: &OwnedMigration,
    image: &[u8],
    carrier: Option<&[u8]>,
) -> Result<Board, ScenarioError> {
    if let Some(map) = &migration.mcuboot {
        let config = McubootConfig {
            primary: map.primary,
            secondary: map.secondary,
            scratch: map.scratch,
            swap: map.swap,
            max_align: map.max_align_bytes,
            max_sectors: map.max_sectors,
            downgrade_prevention: map.downgrade_prevention,
            overwrites_fast: map.overwrites_fast,
            wants_load_header: true,
            checks_lp_segments: espressif::knows_lp_segments(image).unwrap_or(true),
            key: map.key_der.as_deref().and_then(|der| PublicKey::from_der(der).ok()),
        };
        board = board.mcuboot(image, config).map_err(ScenarioError::Mcuboot)?;
        if let (CommitWay::Hosted, Some(carrier)) = (migration.commit, carrier) {
            board = board.loader(carrier).map_err(ScenarioError::Loader)?;
        }
    } else {
        // Any other bootloader is treated as one that starts apps from the partition table.
        board = board.esp_idf(image, EspIdfConfig::default()).map_err(ScenarioError::NotATarget)?;
    }
    Ok(board)
}

/// The board after the migrator has written a bootloader whose file was not known: what is in place
/// was fetched over the network, and is assumed to be the bootloader that the migration describes.
/// `None` if the file was known before, or nothing is in place that could boot.
pub(crate) fn board_with_fetched(
    board: &Board,
    migration: &OwnedMigration,
    plan: Option<&Plan>,
    memory: &NorMemory,
) -> Option<Board> {
    if migration.bootloader_file().is_some() {
        return None;
    }
    let hosted = plan.and_then(hosted_in);
    let image = memory.bytes(hosted.unwrap_or(migration.chip.bootloader_region()));
    match hosted {
        Some(_) => {
            let copy = image.get(COPIES_OFFSET_BYTES as usize..)?;
            with_target(board.clone(), migration, copy, Some(&image)).ok()
        }
        None => with_target(board.clone(), migration, &image, None).ok(),
    }
}

/// The file of the carrier, if it is known.
fn carrier(migration: &OwnedMigration) -> Option<&[u8]> {
    migration.artifact(Role::Bootloader)?.bytes.as_deref()
}

/// Where a plan puts the carrier to which it hands over; `None` for any other plan.
pub(crate) fn hosted_in(plan: &Plan) -> Option<Region> {
    let hosted = plan.steps.iter().find_map(|step| match step {
        Step::Host { artifact, .. } => Some(*artifact),
        _ => None,
    })?;
    plan.steps.iter().find_map(|step| match step {
        Step::Verify { artifact, routes } if *artifact == hosted => match routes.first()?.to {
            Target::Flash(place) => Some(place.region),
            Target::Memory { .. } => None,
        },
        _ => None,
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
            Self::Facts(error) => error.fmt(f),
            Self::Bootloader(error) => {
                write!(f, "no second-stage bootloader for the simulated device: {error}")
            }
            Self::Build(error) => write!(f, "the simulated flash cannot be laid out: {error}"),
            Self::Image(error) => write!(f, "the simulated old firmware cannot be built: {error}"),
            Self::NotABootloader(error) => write!(f, "the device's bootloader is damaged: {error}"),
            Self::NotATarget(error) => write!(f, "the target bootloader is damaged: {error}"),
            Self::Mcuboot(error) => write!(f, "the target bootloader is not usable: {error}"),
            Self::Loader(error) => write!(f, "the carrier is not usable: {error}"),
            Self::Sent(error) => error.fmt(f),
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

impl From<PackError> for ScenarioError {
    fn from(error: PackError) -> Self {
        match error {
            PackError::NoBytes { name } => Self::NotAtHand { name },
            error => Self::Sent(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use esp_idf_format::nvs::{Lookup, find};
    use flash_region::FlashAddr;

    #[test]
    fn the_old_firmware_leaves_its_network_as_esp_idf_does() {
        let nvs = nvs_contents(Region::clamped(FlashAddr(0x9000), 0x4000)).unwrap();
        let mut ssid = Lookup::<36>::new("nvs.net80211", "sta.ssid");
        assert!(find(&nvs, &mut ssid).unwrap().starts_with(b"\x05\0\0\0fleet\0"));
        let mut password = Lookup::<65>::new("nvs.net80211", "sta.pswd");
        assert!(find(&nvs, &mut password).unwrap().starts_with(b"correct horse battery staple\0"));
    }
}
