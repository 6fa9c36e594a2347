//! Describes what was packed into a migrator's image: its configuration, with secrets masked.

use bootswap_config::{Config, ConfigError, Storage, Wifi, decode, find_section};
use bootswap_plan::{Artifact, MaskedUrl, McubootMap, Migration, Origin, Role, Staging};
use flash_region::Hex;
use mcuboot_format::DowngradePrevention;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::lines::Lines;
use crate::plan::RegionReport;

/// Shown instead of a password.
const MASK: &str = "********";

/// A migrator's configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MigratorInfo {
    /// `null` if there is a valid configuration, else what is wrong with it.
    pub error: Option<String>,
    /// Whether nothing has been packed into the image yet.
    pub empty: bool,
    /// Where the section is in the file.
    pub offset: Option<usize>,
    /// Bytes of the section.
    pub size: Option<usize>,
    /// The migration.
    pub migration: Option<MigrationInfo>,
    /// How a device joins a network.
    pub network: Option<NetworkInfo>,
    /// Log level of the console.
    pub log_level: Option<&'static str>,
}

/// A migration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MigrationInfo {
    /// Chip of the artifacts.
    pub chip: &'static str,
    /// Bytes of flash that the target system was built for.
    pub flash_size: Option<u32>,
    /// What the target bootloader was compiled with, if it is MCUboot.
    pub mcuboot: Option<MapInfo>,
    /// The artifacts, in the order in which they are fetched.
    pub artifacts: Vec<ArtifactInfo>,
    /// `auto`, `memory`, or `label` followed by a colon and the label.
    pub staging: String,
    /// Whether an application that MCUboot runs on trial is accepted.
    pub allow_test_image: bool,
    /// Labels that may be overwritten.
    pub allow_overwrite: Vec<String>,
}

/// MCUboot's map.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MapInfo {
    /// Primary slot.
    pub primary: RegionReport,
    /// Secondary slot.
    pub secondary: RegionReport,
    /// Scratch area.
    pub scratch: Option<RegionReport>,
    /// Kind of swap.
    pub swap: &'static str,
    /// Largest write alignment.
    pub max_align: u32,
    /// Sectors of a slot that the bootloader has room for.
    pub max_sectors: u32,
    /// What it compares before it replaces an image.
    pub downgrade_prevention: &'static str,
    /// Whether, if it overwrites, it copies only the image.
    pub overwrite_fast: bool,
    /// SHA-256 of the public key's DER, if images must be signed.
    pub key_sha256: Option<String>,
}

/// An artifact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ArtifactInfo {
    /// Its name.
    pub name: String,
    /// `application`, `bootloader` or `other`.
    pub role: &'static str,
    /// URL that it is fetched from, passwords and keys masked; `null` if it is embedded.
    pub url: Option<String>,
    /// Its destination, if the migration names one.
    pub dest: Option<RegionReport>,
    /// Bytes of the file, if known.
    pub size: Option<u32>,
    /// SHA-256 of the file, if known.
    pub sha256: Option<String>,
    /// Whether the migrator confirms it.
    pub confirm: bool,
}

/// How a device joins a network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NetworkInfo {
    /// Networks, in the order in which they are tried.
    pub wifi: Vec<WifiInfo>,
    /// Whether the old firmware's network is tried.
    pub old_credentials: bool,
    /// The network that is tried last.
    pub rescue: Option<WifiInfo>,
    /// The device's host name.
    pub hostname: Option<String>,
}

/// A network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WifiInfo {
    /// Its name; bytes that are not UTF-8 as `\xNN`.
    pub ssid: String,
    /// Eight asterisks, whatever the password is; `null` for an open network.
    pub password: Option<&'static str>,
}

impl MigratorInfo {
    /// Describes the configuration in a file; `None` if there is no section for one.
    #[must_use]
    pub fn of(file: &[u8]) -> Option<Self> {
        let nothing = |error: ConfigError| Self {
            error: Some(error.to_string()),
            empty: error == ConfigError::Empty,
            offset: None,
            size: None,
            migration: None,
            network: None,
            log_level: None,
        };
        let at = match find_section(file) {
            Err(ConfigError::NoSection) => return None,
            Err(error) => return Some(nothing(error)),
            Ok(at) => at,
        };
        let mut storage = Storage::default();
        let section = file.get(at.clone()).unwrap_or_default();
        let info = match decode(section, &mut storage) {
            Err(error) => nothing(error),
            Ok(Config { migration, network, log_level }) => Self {
                error: None,
                empty: false,
                offset: None,
                size: None,
                migration: Some(MigrationInfo::of(&migration)),
                network: Some(NetworkInfo {
                    wifi: network.wifi.iter().map(WifiInfo::of).collect(),
                    old_credentials: network.old_credentials,
                    rescue: network.rescue.as_ref().map(WifiInfo::of),
                    hostname: network.hostname.map(str::to_owned),
                }),
                log_level: Some(log_level.name()),
            },
        };
        Some(Self { offset: Some(at.start), size: Some(at.len()), ..info })
    }

    pub(super) fn write(&self, lines: &mut Lines) {
        lines.line("configuration");
        lines.inside(|lines| {
            lines.some("error", &self.error);
            if let Some(migration) = &self.migration {
                migration.write(lines);
            }
            if let Some(network) = &self.network {
                network.write(lines);
            }
            lines.some("log level", &self.log_level);
        });
    }
}

impl MigrationInfo {
    fn of(migration: &Migration<'_>) -> Self {
        Self {
            chip: migration.chip.name(),
            flash_size: migration.flash_len_bytes,
            mcuboot: migration.mcuboot.as_ref().map(MapInfo::of),
            artifacts: migration.artifacts.iter().map(ArtifactInfo::of).collect(),
            staging: match migration.staging {
                Staging::Auto => "auto".to_owned(),
                Staging::Memory => "memory".to_owned(),
                Staging::Label(label) => format!("label:{label}"),
            },
            allow_test_image: migration.allow.test_image,
            allow_overwrite: migration.allow.overwrite.iter().map(|&s| s.to_owned()).collect(),
        }
    }

    fn write(&self, lines: &mut Lines) {
        lines.field("for", self.chip);
        lines.some("flash", &self.flash_size.map(|len| format!("{} MB", len >> 20)));
        if let Some(map) = &self.mcuboot {
            lines.field("primary slot", place(map.primary));
            lines.field("secondary slot", place(map.secondary));
            lines.some("scratch area", &map.scratch.map(place));
            let MapInfo { swap, max_align, max_sectors, .. } = map;
            lines.field("swap", format_args!("{swap}, alignment {max_align}"));
            lines.field("room for", format_args!("{max_sectors} sectors in a slot"));
            if map.downgrade_prevention != DowngradePrevention::None.name() {
                lines.field("no downgrades by", map.downgrade_prevention);
            }
            if map.overwrite_fast {
                lines.field("overwrites", "no more than the image");
            }
            lines.some("key, SHA-256", &map.key_sha256);
        }
        for artifact in &self.artifacts {
            artifact.write(lines);
        }
        lines.field("staging", &self.staging);
        if self.allow_test_image {
            lines.field("allows", "an application on trial");
        }
        if !self.allow_overwrite.is_empty() {
            lines.field("may overwrite", self.allow_overwrite.join(", "));
        }
    }
}

impl MapInfo {
    fn of(map: &McubootMap<'_>) -> Self {
        Self {
            primary: map.primary.into(),
            secondary: map.secondary.into(),
            scratch: map.scratch.map(RegionReport::from),
            swap: map.swap.name(),
            max_align: map.max_align_bytes,
            max_sectors: map.max_sectors,
            downgrade_prevention: map.downgrade_prevention.name(),
            overwrite_fast: map.overwrites_fast,
            key_sha256: map.key_der.map(|der| Hex(&Sha256::digest(der)).to_string()),
        }
    }
}

impl ArtifactInfo {
    fn of(artifact: &Artifact<'_>) -> Self {
        Self {
            name: artifact.name.to_owned(),
            role: match artifact.role {
                Role::Application => "application",
                Role::Bootloader => "bootloader",
                Role::Other => "other",
            },
            url: match artifact.origin {
                Origin::Url(url) => Some(MaskedUrl(url).to_string()),
                Origin::Embedded => None,
            },
            dest: artifact.dest.map(RegionReport::from),
            size: artifact.len_bytes,
            sha256: artifact.sha256.map(|digest| Hex(&digest).to_string()),
            confirm: artifact.confirm,
        }
    }

    fn write(&self, lines: &mut Lines) {
        lines.field("artifact", format_args!("{}, {}", self.name, self.role));
        lines.inside(|lines| {
            lines.field("from", self.url.as_deref().unwrap_or("this file, where it is embedded"));
            lines.some("to", &self.dest.map(place));
            lines.some("size", &self.size.map(|len| format!("{len:#x} bytes")));
            lines.some("SHA-256", &self.sha256);
            if self.confirm {
                lines.line("confirmed by the migrator");
            }
        });
    }
}

impl NetworkInfo {
    fn write(&self, lines: &mut Lines) {
        for network in &self.wifi {
            lines.field("network", network);
        }
        if self.old_credentials {
            lines.field("network", "that of the old firmware");
        }
        lines.some("rescue network", &self.rescue);
        lines.some("host name", &self.hostname);
    }
}

impl WifiInfo {
    fn of(wifi: &Wifi<'_>) -> Self {
        let password = (!wifi.is_open()).then_some(MASK);
        Self { ssid: wifi.shown_ssid().to_string(), password }
    }
}

impl std::fmt::Display for WifiInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\", ", self.ssid)?;
        match self.password {
            Some(mask) => write!(f, "password {mask}"),
            None => f.write_str("open"),
        }
    }
}

fn place(region: RegionReport) -> String {
    format!("{:#x}, {:#x} bytes", region.offset, region.size)
}
