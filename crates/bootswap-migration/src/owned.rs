//! A migration and the facts of a device, with their data: what the planner borrows.

use std::fmt;

use bootswap_config::{Config, LogLevel, Network, Wifi, WifiError};
use bootswap_plan::{
    Allow, Artifact, Content, DeviceFacts, McubootMap, Migration, Origin, Role, Staging,
};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashMode;
use esp_idf_format::partition::Partition;
use flash_region::Region;
use mcuboot_format::SwapKind;
use sha2::{Digest, Sha256};

use crate::identity::OwnedIdentity;

/// A [`Migration`] that owns its data.
#[derive(Clone, Debug)]
pub struct OwnedMigration {
    /// Chip that the artifacts are for.
    pub chip: Chip,
    /// Flash size that the target system was built for, in bytes.
    pub flash_len_bytes: Option<u32>,
    /// Partition table of the devices in its binary form, where the migration names one.
    pub partition_table: Option<Vec<u8>>,
    /// Label of the partition that the migrator runs from, where the migration names one.
    pub running: Option<String>,
    /// Flash map of the target bootloader.
    pub mcuboot: Option<OwnedMap>,
    /// What is to be placed.
    pub artifacts: Vec<OwnedArtifact>,
    /// Where artifacts are staged.
    pub staging: OwnedStaging,
    /// Whether an application that MCUboot runs on trial is accepted.
    pub allow_test_image: bool,
    /// Labels that may be overwritten.
    pub allow_overwrite: Vec<String>,
    /// How the migrator gets into a network.
    pub network: OwnedNetwork,
    /// How much it says on its console.
    pub log_level: LogLevel,
    /// What its image says of itself.
    pub identity: OwnedIdentity,
}

/// A [`McubootMap`] that owns its data.
#[derive(Clone, Debug)]
pub struct OwnedMap {
    /// Primary slot.
    pub primary: Region,
    /// Secondary slot.
    pub secondary: Region,
    /// Scratch area.
    pub scratch: Option<Region>,
    /// How an update gets to the primary slot.
    pub swap: SwapKind,
    /// Largest write alignment in bytes.
    pub max_align_bytes: u32,
    /// The bootloader's public key, as DER of a SubjectPublicKeyInfo.
    pub key_der: Option<Vec<u8>>,
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
    /// What it is for.
    pub role: Role,
    /// Address; `None` for one that is embedded in the migrator.
    pub url: Option<String>,
    /// The file's contents, if it was named and read.
    pub bytes: Option<Vec<u8>>,
    /// Where it goes, where the migration says so.
    pub dest: Option<Region>,
    /// Bytes of its region without a `dest`.
    pub region_len_bytes: Option<u32>,
    /// What is known of its contents.
    pub content: Option<Content>,
    /// Whether the migrator confirms it.
    pub confirm: bool,
}

impl OwnedMigration {
    /// Lends the migration to the planner and the engine.
    pub fn with<R>(&self, use_it: impl FnOnce(&Migration<'_>) -> R) -> R {
        let artifacts: Vec<Artifact<'_>> = self.artifacts.iter().map(OwnedArtifact::lend).collect();
        let overwrite: Vec<&str> = self.allow_overwrite.iter().map(String::as_str).collect();
        use_it(&Migration {
            chip: self.chip,
            flash_len_bytes: self.flash_len_bytes,
            mcuboot: self.mcuboot.as_ref().map(OwnedMap::lend),
            artifacts: &artifacts,
            staging: match &self.staging {
                OwnedStaging::Auto => Staging::Auto,
                OwnedStaging::Label(label) => Staging::Label(label),
                OwnedStaging::Memory => Staging::Memory,
            },
            allow: Allow { test_image: self.allow_test_image, overwrite: &overwrite },
        })
    }

    /// Lends all that a migrator is told.
    ///
    /// # Errors
    ///
    /// A [`WifiError`] if there can be no such network.
    pub fn with_config<R>(&self, use_it: impl FnOnce(&Config<'_>) -> R) -> Result<R, WifiError> {
        let OwnedNetwork { wifi, old_credentials, rescue, hostname } = &self.network;
        let wifi = wifi.iter().map(OwnedWifi::lend).collect::<Result<Vec<_>, _>>()?;
        let network = Network {
            wifi: &wifi,
            old_credentials: *old_credentials,
            rescue: rescue.as_ref().map(OwnedWifi::lend).transpose()?,
            hostname: hostname.as_deref(),
        };
        let log_level = self.log_level;
        Ok(self.with(|migration| use_it(&Config { migration: *migration, network, log_level })))
    }

    /// The artifact with this role that comes first.
    #[must_use]
    pub fn artifact(&self, role: Role) -> Option<&OwnedArtifact> {
        self.artifacts.iter().find(|artifact| artifact.role == role)
    }
}

impl OwnedMap {
    /// Lends the map.
    #[must_use]
    pub fn lend(&self) -> McubootMap<'_> {
        McubootMap {
            primary: self.primary,
            secondary: self.secondary,
            scratch: self.scratch,
            swap: self.swap,
            max_align_bytes: self.max_align_bytes,
            key_der: self.key_der.as_deref(),
        }
    }
}

impl OwnedArtifact {
    /// Lends the artifact; digest and length come from the bytes if there are any.
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
        }
    }
}

/// A [`Network`] that owns its data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnedNetwork {
    /// Networks, in the order in which they are tried.
    pub wifi: Vec<OwnedWifi>,
    /// Whether the old firmware's network is tried.
    pub old_credentials: bool,
    /// The last resort.
    pub rescue: Option<OwnedWifi>,
    /// The device's name in the network.
    pub hostname: Option<String>,
}

impl Default for OwnedNetwork {
    /// That of a migration that does not say anything about it.
    fn default() -> Self {
        let Network { old_credentials, .. } = Network::default();
        Self { wifi: Vec::new(), old_credentials, rescue: None, hostname: None }
    }
}

/// A [`Wifi`] that owns its data.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnedWifi {
    /// Name.
    pub ssid: String,
    /// Password; empty for a network without.
    pub password: String,
}

impl OwnedWifi {
    /// Lends the network.
    ///
    /// # Errors
    ///
    /// A [`WifiError`] if there can be no such network.
    pub fn lend(&self) -> Result<Wifi<'_>, WifiError> {
        Wifi::new(&self.ssid, &self.password)
    }
}

/// Passwords stay out of logs.
impl fmt::Debug for OwnedWifi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedWifi").field("ssid", &self.ssid).finish_non_exhaustive()
    }
}

/// [`DeviceFacts`] that own their data.
#[derive(Clone, Debug)]
pub struct OwnedFacts {
    /// The chip.
    pub chip: Chip,
    /// Flash size in bytes.
    pub flash_len_bytes: u32,
    /// Entries of the partition table.
    pub partitions: Vec<Partition>,
    /// Partition that the migrator runs from.
    pub running: Region,
    /// Bytes that the migrator's image takes there, with everything appended to it.
    pub running_len_bytes: u32,
    /// Partition of the firmware before it.
    pub previous: Option<Region>,
    /// Flash size in the header of the bootloader in place, in bytes.
    pub bootloader_flash_len_bytes: Option<u32>,
    /// Flash mode in that header.
    pub bootloader_flash_mode: Option<FlashMode>,
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
            // It is in the eFuses; the migrator on the device looks.
            chip_revision: None,
            flash_len_bytes: self.flash_len_bytes,
            partitions: &self.partitions,
            running: self.running,
            running_len_bytes: self.running_len_bytes,
            previous: self.previous,
            bootloader_flash_len_bytes: self.bootloader_flash_len_bytes,
            bootloader_flash_mode: self.bootloader_flash_mode,
            secure_boot: self.secure_boot,
            flash_encryption: self.flash_encryption,
            staging_memory_len_bytes: self.staging_memory_len_bytes,
        }
    }
}
