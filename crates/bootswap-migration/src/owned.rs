//! A migration and the facts of a device that own their data; the planner borrows them.

use std::fmt;

use bootswap_config::{Config, LogLevel, NetworkSettings, Wifi, WifiError};
use bootswap_plan::{
    Allow, Artifact, Blanks, CommitWay, Content, DeviceFacts, McubootMap, Migration, Origin,
    PARTITION_TABLE, Reason, Role, SECURE_BOOT_DATA, Staging,
};
use carrier_format::COPIES_OFFSET_BYTES;
use esp_idf_format::Chip;
use esp_idf_format::image::{FlashMode, FlashSettings};
use esp_idf_format::partition::{Partition, PartitionTable};
use flash_region::{FlashAddr, Region, SECTOR_BYTES, is_blank};
use mcuboot_format::{DowngradePrevention, SwapKind};
use sha2::{Digest, Sha256};

use crate::bootloader::Assumption;
use crate::identity::OwnedIdentity;

/// A [`Migration`] that owns its data.
#[derive(Clone, Debug)]
pub struct OwnedMigration {
    /// Chip that the artifacts are for.
    pub chip: Chip,
    /// Flash size that the target system was built for, in bytes.
    pub flash_len_bytes: Option<u32>,
    /// Address of the devices' partition table, if the migration gives it.
    pub table_addr: Option<FlashAddr>,
    /// Partition table of the devices in its binary form, if the migration names one.
    pub partition_table: Option<Vec<u8>>,
    /// Label of the partition that the migrator runs from, if the migration names one.
    pub running: Option<String>,
    /// Flash map of the target bootloader.
    pub mcuboot: Option<OwnedMap>,
    /// The artifacts.
    pub artifacts: Vec<OwnedArtifact>,
    /// Where artifacts are staged.
    pub staging: OwnedStaging,
    /// How devices come to boot the target.
    pub commit: CommitWay,
    /// Whether an application that MCUboot runs on trial is accepted.
    pub allow_test_image: bool,
    /// Labels that may be overwritten.
    pub allow_overwrite: Vec<String>,
    /// How the migrator joins a network.
    pub network: OwnedNetwork,
    /// Log level of its console.
    pub log_level: LogLevel,
    /// What the files alone speak against it, whatever the device is.
    pub against: Vec<Reason>,
    /// What it relies on and the files do not show.
    pub assumed: Vec<Assumption>,
    /// Fields of its app description.
    pub identity: OwnedIdentity,
}

/// A label in `allow.overwrite` that no partition has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownOverwrite {
    /// The label.
    pub label: String,
    /// The labels that exist.
    pub known: Vec<String>,
}

impl UnknownOverwrite {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        format!("labels of the device: {}", self.known.join(", "))
    }
}

impl fmt::Display for UnknownOverwrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.label.chars().take(24).collect();
        write!(f, "allow.overwrite: no partition is labelled {short:?}")
    }
}

impl std::error::Error for UnknownOverwrite {}

/// A [`McubootMap`] that owns its data.
#[derive(Clone, Debug)]
pub struct OwnedMap {
    /// Primary slot.
    pub primary: Region,
    /// Secondary slot.
    pub secondary: Region,
    /// Scratch area.
    pub scratch: Option<Region>,
    /// How an update is installed in the primary slot.
    pub swap: SwapKind,
    /// Largest write alignment in bytes.
    pub max_align_bytes: u32,
    /// Sectors of a slot that the bootloader has room for.
    pub max_sectors: u32,
    /// What it compares before it replaces an image.
    pub downgrade_prevention: DowngradePrevention,
    /// Whether, if it overwrites, it copies only the image.
    pub overwrites_fast: bool,
    /// The bootloader's public key, as DER of a SubjectPublicKeyInfo.
    pub key_der: Option<Vec<u8>>,
}

impl From<&McubootMap<'_>> for OwnedMap {
    fn from(map: &McubootMap<'_>) -> Self {
        Self {
            primary: map.primary,
            secondary: map.secondary,
            scratch: map.scratch,
            swap: map.swap,
            max_align_bytes: map.max_align_bytes,
            max_sectors: map.max_sectors,
            downgrade_prevention: map.downgrade_prevention,
            overwrites_fast: map.overwrites_fast,
            key_der: map.key_der.map(<[u8]>::to_vec),
        }
    }
}

/// Where artifacts are staged.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum OwnedStaging {
    /// The planner chooses.
    #[default]
    Auto,
    /// In the partition with this label.
    Label(String),
    /// In memory.
    Memory,
}

/// An [`Artifact`] that owns its data.
#[derive(Clone, Debug)]
pub struct OwnedArtifact {
    /// Name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// URL; `None` if it is embedded in the migrator.
    pub url: Option<String>,
    /// The file's contents, if it was named and read.
    pub bytes: Option<Vec<u8>>,
    /// Its destination, if the migration gives one.
    pub dest: Option<Region>,
    /// Bytes of its region, if there is no `dest`.
    pub region_len_bytes: Option<u32>,
    /// What is known about its contents.
    pub content: Option<Content>,
    /// Whether the migrator confirms it.
    pub confirm: bool,
}

impl OwnedMigration {
    /// Lends the migration to the planner and the engine.
    pub fn with<R>(&self, use_it: impl FnOnce(&Migration<'_>) -> R) -> R {
        let blanks: Vec<Vec<u8>> = self.artifacts.iter().map(OwnedArtifact::blanks).collect();
        let lent = self.artifacts.iter().zip(&blanks);
        let lent = lent.map(|(artifact, blanks)| Artifact {
            blanks: Blanks::from_bytes(blanks),
            ..artifact.lend()
        });
        let artifacts: Vec<Artifact<'_>> = lent.collect();
        let overwrite: Vec<&str> = self.allow_overwrite.iter().map(String::as_str).collect();
        use_it(&Migration {
            chip: self.chip,
            flash_len_bytes: self.flash_len_bytes,
            table_addr: self.table_addr,
            mcuboot: self.mcuboot.as_ref().map(OwnedMap::lend),
            artifacts: &artifacts,
            staging: match &self.staging {
                OwnedStaging::Auto => Staging::Auto,
                OwnedStaging::Label(label) => Staging::Label(label),
                OwnedStaging::Memory => Staging::Memory,
            },
            commit: self.commit,
            allow: Allow { test_image: self.allow_test_image, overwrite: &overwrite },
            against: &self.against,
        })
    }

    /// The target bootloader: the bytes that will be at the chip's bootloader address, from
    /// whichever artifact contains them, or the first copy in a carrier; `None` if its file is not
    /// known.
    #[must_use]
    pub fn bootloader_file(&self) -> Option<&[u8]> {
        let (artifact, offset) = self.bootloader()?;
        artifact.bytes.as_deref()?.get(offset as usize..)
    }

    /// The name of the artifact that contains the bootloader.
    #[must_use]
    pub fn bootloader_name(&self) -> Option<&str> {
        self.bootloader().map(|(artifact, _)| artifact.name.as_str())
    }

    /// The artifact that contains the bootloader, and where in its file the bootloader begins.
    fn bootloader(&self) -> Option<(&OwnedArtifact, u32)> {
        let at = self.chip.bootloader_addr();
        let is_hosted = self.commit == CommitWay::Hosted;
        self.artifacts.iter().find_map(|artifact| match (artifact.role, artifact.dest) {
            // The first copy in a carrier.
            (Role::Bootloader, _) if is_hosted => Some((artifact, COPIES_OFFSET_BYTES)),
            (Role::Bootloader, _) => Some((artifact, 0)),
            (_, Some(_)) if is_hosted => None,
            (_, Some(dest)) if dest.contains(at) => Some((artifact, at.bytes_since(dest.start()))),
            _ => None,
        })
    }

    /// Lends everything that is packed into a migrator.
    ///
    /// # Errors
    ///
    /// A [`WifiError`] if a network's name or password is invalid.
    pub fn with_config<R>(&self, use_it: impl FnOnce(&Config<'_>) -> R) -> Result<R, WifiError> {
        let OwnedNetwork { wifi, old_credentials, rescue, hostname } = &self.network;
        let wifi = wifi.iter().map(OwnedWifi::lend).collect::<Result<Vec<_>, _>>()?;
        let network = NetworkSettings {
            wifi: &wifi,
            old_credentials: *old_credentials,
            rescue: rescue.as_ref().map(OwnedWifi::lend).transpose()?,
            hostname: hostname.as_deref(),
        };
        let log_level = self.log_level;
        Ok(self.with(|migration| use_it(&Config { migration: *migration, network, log_level })))
    }

    /// Labels in `allow.overwrite` that exist neither among these partitions nor in the table that
    /// the migration names: typing errors, because of which the intended data is not allowed. Each
    /// comes with the labels that exist.
    #[must_use]
    pub fn unknown_overwrite(&self, partitions: &[Partition]) -> Option<UnknownOverwrite> {
        let named = self
            .partition_table
            .as_deref()
            .and_then(|t| PartitionTable::parse_as_bootloader(t).ok());
        let named = named.iter().flat_map(PartitionTable::iter);
        let labels = partitions.iter().copied().chain(named).map(|p| p.label.to_string());
        let mut known: Vec<String> = vec![PARTITION_TABLE.to_owned(), SECURE_BOOT_DATA.to_owned()];
        for label in labels {
            if !known.contains(&label) {
                known.push(label);
            }
        }
        let label = self.allow_overwrite.iter().find(|label| !known.contains(label))?.clone();
        Some(UnknownOverwrite { label, known })
    }

    /// The first artifact with this role.
    #[must_use]
    pub fn artifact(&self, role: Role) -> Option<&OwnedArtifact> {
        self.artifacts.iter().find(|artifact| artifact.role == role)
    }
}

impl OwnedMap {
    /// As [`McubootMap::ESPRESSIF`].
    pub const ESPRESSIF: Self = Self {
        primary: McubootMap::ESPRESSIF.primary,
        secondary: McubootMap::ESPRESSIF.secondary,
        scratch: None,
        swap: McubootMap::ESPRESSIF.swap,
        max_align_bytes: McubootMap::ESPRESSIF.max_align_bytes,
        max_sectors: McubootMap::ESPRESSIF.max_sectors,
        downgrade_prevention: McubootMap::ESPRESSIF.downgrade_prevention,
        overwrites_fast: McubootMap::ESPRESSIF.overwrites_fast,
        key_der: None,
    };

    /// Lends the map.
    #[must_use]
    pub fn lend(&self) -> McubootMap<'_> {
        McubootMap {
            primary: self.primary,
            secondary: self.secondary,
            scratch: self.scratch,
            swap: self.swap,
            max_align_bytes: self.max_align_bytes,
            max_sectors: self.max_sectors,
            downgrade_prevention: self.downgrade_prevention,
            overwrites_fast: self.overwrites_fast,
            key_der: self.key_der.as_deref(),
        }
    }
}

impl OwnedArtifact {
    /// Lends the artifact; digest and length come from the bytes if they are known.
    #[must_use]
    pub fn lend(&self) -> Artifact<'_> {
        Artifact {
            name: &self.name,
            role: self.role,
            origin: self.url.as_deref().map_or(Origin::Embedded, Origin::Url),
            dest: self.dest,
            region_len_bytes: self.region_len_bytes,
            len_bytes: self.bytes.as_ref().and_then(|bytes| u32::try_from(bytes.len()).ok()),
            sha256: self.bytes.as_ref().map(|bytes| Sha256::digest(bytes).into()),
            content: self.content,
            confirm: self.confirm,
            blanks: Blanks::NONE,
        }
    }

    /// Blank sectors of a file that may be a merged image, in the form of [`Blanks`]. An incomplete
    /// sector at its end is not blank.
    fn blanks(&self) -> Vec<u8> {
        let (Role::Other, Some(bytes)) = (self.role, &self.bytes) else { return Vec::new() };
        let sectors = bytes.chunks_exact(SECTOR_BYTES as usize).map(is_blank);
        let numbered: Vec<(u16, bool)> = (0..u16::MAX).zip(sectors).collect();
        let runs = numbered.chunk_by(|(_, a), (_, b)| a == b);
        let blank = runs.filter(|run| run.first().is_some_and(|(_, is_blank)| *is_blank));
        let encoded = blank.filter_map(|run| {
            let (first, _) = *run.first()?;
            Some(Blanks::encode(first, u16::try_from(run.len()).ok()?))
        });
        encoded.flatten().collect()
    }
}

/// A [`NetworkSettings`] that owns its data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnedNetwork {
    /// Networks, in the order in which they are tried.
    pub wifi: Vec<OwnedWifi>,
    /// Whether the old firmware's network is tried.
    pub old_credentials: bool,
    /// The network that is tried last.
    pub rescue: Option<OwnedWifi>,
    /// The device's host name.
    pub hostname: Option<String>,
}

impl Default for OwnedNetwork {
    /// The settings of a migration without `[network]`.
    fn default() -> Self {
        let NetworkSettings { old_credentials, .. } = NetworkSettings::default();
        Self { wifi: Vec::new(), old_credentials, rescue: None, hostname: None }
    }
}

/// A [`Wifi`] that owns its data.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnedWifi {
    /// Name, which need not be UTF-8.
    pub ssid: Vec<u8>,
    /// Password; empty for an open network.
    pub password: String,
}

impl OwnedWifi {
    /// Lends the network.
    ///
    /// # Errors
    ///
    /// A [`WifiError`] if name or password are invalid.
    pub fn lend(&self) -> Result<Wifi<'_>, WifiError> {
        Wifi::new(&self.ssid, &self.password)
    }
}

/// Passwords must not appear in logs.
impl fmt::Debug for OwnedWifi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedWifi").field("wifi", &self.lend()).finish_non_exhaustive()
    }
}

/// [`DeviceFacts`] that own their data.
///
/// Neither type can replace the other. The planner's type borrows the partition table, because a
/// device has no allocator and has the table in one place; a host reads a table from a dump and
/// passes it on. What both have is [lent](Self::lend), not decided again.
#[derive(Clone, Debug)]
pub struct OwnedFacts {
    /// The chip.
    pub chip: Chip,
    /// Flash size in bytes.
    pub flash_len_bytes: u32,
    /// Address of the partition table.
    pub table_addr: FlashAddr,
    /// Another address at which the table may be.
    pub other_table_addr: Option<FlashAddr>,
    /// Entries of the partition table.
    pub partitions: Vec<Partition>,
    /// Partition that the migrator runs from.
    pub running: Region,
    /// Bytes of the migrator's image there, with everything appended to it.
    pub running_len_bytes: u32,
    /// Partition of the firmware before it.
    pub previous: Option<Region>,
    /// Flash size in the header of the bootloader in place, in bytes.
    pub bootloader_flash_len_bytes: Option<u32>,
    /// Flash mode in that header.
    pub bootloader_flash_mode: Option<FlashMode>,
    /// All flash settings in that header.
    pub bootloader_settings: Option<FlashSettings>,
    /// Version for anti-rollback of the migrator.
    pub secure_version: Option<u32>,
    /// Whether secure boot is on.
    pub secure_boot: bool,
    /// Whether flash encryption is on.
    pub flash_encryption: bool,
    /// Bytes of memory to stage in.
    pub staging_memory_len_bytes: u32,
}

impl OwnedFacts {
    /// Lends the facts to the planner and the engine.
    #[must_use]
    pub fn lend(&self) -> DeviceFacts<'_> {
        DeviceFacts {
            chip: self.chip,
            // The chip revision is in the eFuses, which the migrator reads on the device.
            chip_revision: None,
            flash_len_bytes: self.flash_len_bytes,
            table_addr: self.table_addr,
            other_table_addr: self.other_table_addr,
            partitions: &self.partitions,
            running: self.running,
            running_len_bytes: self.running_len_bytes,
            previous: self.previous,
            bootloader_flash_len_bytes: self.bootloader_flash_len_bytes,
            bootloader_flash_mode: self.bootloader_flash_mode,
            bootloader_settings: self.bootloader_settings,
            secure_version: self.secure_version,
            secure_boot: self.secure_boot,
            flash_encryption: self.flash_encryption,
            staging_memory_len_bytes: self.staging_memory_len_bytes,
            primary: None,
        }
    }
}
