//! Reads a configuration from a section, without allocation.

use bootswap_plan::{
    Allow, Artifact, Blanks, CarrierContent, CommitWay, Content, DEFAULT_MAX_SECTORS,
    MAX_ARTIFACTS, McubootMap, Migration, Origin, Role, Staging,
};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSettings;
use flash_region::{FlashAddr, Region};
use heapless::Vec;
use mcuboot_format::{DowngradePrevention, ImageVersion, SwapKind};
use minicbor::decode::{Decoder, Error};

use crate::layout::HEADER_LEN_BYTES;
use crate::section;
use crate::wire::{self, List};
use crate::{
    Config, ConfigError, FieldProblem, LogLevel, Malformed, NetworkSettings, Wifi, is_hostname,
};

/// Largest number of labels in `allow.overwrite`.
pub const MAX_LABELS: usize = 16;
/// Largest number of networks, without the rescue network.
pub const MAX_NETWORKS: usize = 8;

/// Roles by their numbers.
pub(crate) const ROLES: [Role; 3] = [Role::Application, Role::Bootloader, Role::Other];
/// Kinds of swap by their numbers.
pub(crate) const SWAPS: [SwapKind; 4] =
    [SwapKind::Scratch, SwapKind::Move, SwapKind::Offset, SwapKind::Overwrite];

/// Ways to commit by their numbers.
pub(crate) const WAYS: [CommitWay; 2] = [CommitWay::Replace, CommitWay::Hosted];

/// Room for the lists of a configuration; what is in them is borrowed from the section.
#[derive(Clone, Debug, Default)]
pub struct Storage<'d> {
    artifacts: Vec<Artifact<'d>, MAX_ARTIFACTS>,
    overwrite: Vec<&'d str, MAX_LABELS>,
    wifi: Vec<Wifi<'d>, MAX_NETWORKS>,
}

/// Reads the configuration of the section at the start of `section`.
///
/// # Errors
///
/// A [`ConfigError`] that names the offset, what was found there, and what to do:
/// [`ConfigError::Empty`] for a section that nothing was packed into, [`ConfigError::Version`] for
/// one of another major version. Checksums and filling cover the whole section, so that every
/// changed bit is found.
pub fn decode<'s, 'd: 's>(
    section: &'d [u8],
    storage: &'s mut Storage<'d>,
) -> Result<Config<'s>, ConfigError> {
    let payload = section::payload(section)?;
    let mut decoder = Decoder::new(payload);
    // minicbor gives no position in the error for the end of the payload.
    let root = decoder.decode().map_err(|error: Error| cbor(&error, decoder.position()));
    let wire::Root { migration, device } = root?;
    if decoder.position() != payload.len() {
        let offset = HEADER_LEN_BYTES + decoder.position();
        return Err(ConfigError::Cbor { offset, found: Malformed::More });
    }
    let Storage { artifacts, overwrite, wifi } = storage;
    Ok(Config {
        log_level: LogLevel::from_number(device.log_level).ok_or(unknown(
            "log.level",
            None,
            device.log_level,
        ))?,
        network: network(device, wifi)?,
        migration: self::migration(migration, artifacts, overwrite)?,
    })
}

fn migration<'s, 'd: 's>(
    migration: wire::Migration<'d>,
    artifacts: &'s mut Vec<Artifact<'d>, MAX_ARTIFACTS>,
    overwrite: &'s mut Vec<&'d str, MAX_LABELS>,
) -> Result<Migration<'s>, ConfigError> {
    fill(artifacts, &migration.artifacts, "artifacts", artifact)?;
    fill(overwrite, &migration.allow_overwrite, "allow.overwrite", |_, label| Ok(label))?;
    Ok(Migration {
        chip: Chip::from_image_chip_id(migration.chip).ok_or(unknown(
            "chip",
            None,
            migration.chip,
        ))?,
        flash_len_bytes: migration.flash_len_bytes,
        table_addr: migration.table_addr.map(FlashAddr),
        mcuboot: migration.mcuboot.map(map).transpose()?,
        artifacts,
        staging: match migration.staging {
            None => Staging::Auto,
            Some(wire::Staging::Label(label)) => Staging::Label(label),
            Some(wire::Staging::Memory) => Staging::Memory,
        },
        commit: numbered(&WAYS, migration.commit.unwrap_or(0)).ok_or(unknown(
            "commit.how",
            None,
            migration.commit.unwrap_or(0),
        ))?,
        allow: Allow { test_image: migration.allow_test_image.unwrap_or(false), overwrite },
        against: &[],
    })
}

fn map(map: wire::Map<'_>) -> Result<McubootMap<'_>, ConfigError> {
    Ok(McubootMap {
        primary: region(map.primary, "mcuboot.primary", None)?,
        secondary: region(map.secondary, "mcuboot.secondary", None)?,
        scratch: map.scratch.map(|span| region(span, "mcuboot.scratch", None)).transpose()?,
        swap: numbered(&SWAPS, map.swap).ok_or(unknown("mcuboot.swap", None, map.swap))?,
        max_align_bytes: map.max_align_bytes,
        key_der: map.key_der.map(|der| &**der),
        max_sectors: map.max_sectors.unwrap_or(DEFAULT_MAX_SECTORS),
        downgrade_prevention: downgrade_prevention(map.downgrade_prevention.unwrap_or(0))?,
        overwrites_fast: map.overwrites_fast.unwrap_or(false),
    })
}

fn downgrade_prevention(number: u8) -> Result<DowngradePrevention, ConfigError> {
    let unknown = unknown("mcuboot.downgrade_prevention", None, number);
    numbered(&DowngradePrevention::ALL, number).ok_or(unknown)
}

fn artifact(index: usize, artifact: wire::Artifact<'_>) -> Result<Artifact<'_>, ConfigError> {
    let index = Some(index);
    Ok(Artifact {
        name: artifact.name,
        role: numbered(&ROLES, artifact.role).ok_or(unknown(
            "artifacts.role",
            index,
            artifact.role,
        ))?,
        origin: artifact.url.map_or(Origin::Embedded, Origin::Url),
        dest: artifact.dest.map(|span| region(span, "artifacts.dest", index)).transpose()?,
        region_len_bytes: artifact.region_len_bytes,
        len_bytes: artifact.len_bytes,
        sha256: artifact.sha256.map(Into::into),
        content: artifact.content.map(content),
        confirm: artifact.confirm.unwrap_or(false),
        blanks: artifact.blanks.map_or(Blanks::NONE, |blanks| Blanks::from_bytes(blanks)),
    })
}

fn content(content: wire::Content) -> Content {
    match content {
        wire::Content::Opaque => Content::Opaque,
        wire::Content::Mcuboot { image_len_bytes, padded, confirmed, signed, version } => {
            let version = version.map(|bytes| ImageVersion::from_bytes(bytes.into()));
            let version = version.unwrap_or_default();
            Content::Mcuboot { image_len_bytes, padded, confirmed, signed, version }
        }
        wire::Content::EspImage { chip_id, image_len_bytes, flash_len_bytes } => {
            Content::EspImage { chip_id, image_len_bytes, flash_len_bytes }
        }
        wire::Content::Carrier { chip_id, settings, otadata, secure_version, has_trial } => {
            Content::Carrier(CarrierContent {
                chip_id,
                settings: FlashSettings::from_bytes(settings.into()),
                otadata: otadata.map(FlashAddr),
                secure_version,
                has_trial,
            })
        }
    }
}

fn network<'s, 'd: 's>(
    device: wire::Device<'d>,
    networks: &'s mut Vec<Wifi<'d>, MAX_NETWORKS>,
) -> Result<NetworkSettings<'s>, ConfigError> {
    fill(networks, &device.wifi, "network.wifi", |index, entry| {
        wifi(entry, "network.wifi", Some(index))
    })?;
    if let Some(hostname) = device.hostname
        && !is_hostname(hostname)
    {
        let problem = FieldProblem::Hostname;
        return Err(ConfigError::Field { name: "network.hostname", index: None, problem });
    }
    Ok(NetworkSettings {
        wifi: networks,
        old_credentials: device.old_credentials,
        rescue: device.rescue.map(|entry| wifi(entry, "network.rescue", None)).transpose()?,
        hostname: device.hostname,
    })
}

fn wifi<'d>(
    wifi: wire::Wifi<'d>,
    name: &'static str,
    index: Option<usize>,
) -> Result<Wifi<'d>, ConfigError> {
    Wifi::new(wifi.ssid.0, wifi.password.unwrap_or_default()).map_err(|error| ConfigError::Field {
        name,
        index,
        problem: FieldProblem::Wifi(error),
    })
}

/// Reads the entries of a list into `to`.
fn fill<'d, T, W: minicbor::Decode<'d, ()>, const N: usize>(
    to: &mut Vec<T, N>,
    list: &List<'d, W>,
    name: &'static str,
    mut value: impl FnMut(usize, W) -> Result<T, ConfigError>,
) -> Result<(), ConfigError> {
    to.clear();
    list.read(|index, entry| {
        let problem = FieldProblem::TooMany { most: N };
        let full = |_| ConfigError::Field { name, index: Some(index), problem };
        to.push(value(index, entry)?).map_err(full)
    })
}

fn region(
    span: wire::Span,
    name: &'static str,
    index: Option<usize>,
) -> Result<Region, ConfigError> {
    let wire::Span { start, len_bytes } = span;
    let problem = FieldProblem::Region { start, len_bytes };
    Region::from_len(FlashAddr(start), len_bytes).ok_or(ConfigError::Field { name, index, problem })
}

fn numbered<T: Copy>(values: &[T], number: u8) -> Option<T> {
    values.get(usize::from(number)).copied()
}

fn unknown(name: &'static str, index: Option<usize>, found: impl Into<u32>) -> ConfigError {
    ConfigError::Field { name, index, problem: FieldProblem::Unknown { found: found.into() } }
}

impl From<Error> for ConfigError {
    fn from(error: Error) -> Self {
        cbor(&error, 0)
    }
}

fn cbor(error: &Error, position: usize) -> ConfigError {
    let found = if error.is_end_of_input() {
        Malformed::End
    } else if error.is_type_mismatch() {
        Malformed::Type
    } else if error.is_unknown_variant() {
        Malformed::Kind
    } else if error.is_missing_value() {
        Malformed::Missing
    } else {
        Malformed::Other
    };
    ConfigError::Cbor { offset: HEADER_LEN_BYTES + error.position().unwrap_or(position), found }
}
