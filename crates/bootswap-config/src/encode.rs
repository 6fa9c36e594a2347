//! Writes a configuration to a section.

use core::fmt;

use bootswap_plan::{
    Artifact, CarrierContent, CommitWay, Content, DEFAULT_MAX_SECTORS, MAX_ARTIFACTS, McubootMap,
    Migration, Origin, Staging,
};
use flash_region::{ERASED, FlashAddr, Region};
use heapless::Vec;
use mcuboot_format::{DowngradePrevention, ImageVersion};
use minicbor::Encoder;

use crate::decode::{MAX_LABELS, MAX_NETWORKS, ROLES, SWAPS, WAYS};
use crate::layout::HEADER_LEN_BYTES;
use crate::section::{Header, crc32};
use crate::wire::{self, Counted, List};
use crate::{Config, Wifi, is_hostname};

/// Why a configuration cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EncodeError {
    /// It is larger than the section.
    TooLarge {
        /// Bytes that it takes, the header included.
        needed_bytes: usize,
        /// Bytes of the section.
        section_len_bytes: usize,
    },
    /// A list is longer than the device has room for.
    TooMany {
        /// What is in the list.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// The most there can be.
        most: usize,
    },
    /// The host name is not valid.
    Hostname,
}

/// Writes the configuration to a section, fills the rest of it with 0xff, and returns how many
/// bytes the header and the payload take.
///
/// # Errors
///
/// An [`EncodeError`] for what [`crate::decode`] would refuse.
pub fn encode(config: &Config<'_>, section: &mut [u8]) -> Result<usize, EncodeError> {
    let Config { migration, network, log_level } = config;
    if network.hostname.is_some_and(|name| !is_hostname(name)) {
        return Err(EncodeError::Hostname);
    }
    let overwrite = migration.allow.overwrite;
    if overwrite.len() > MAX_LABELS {
        return Err(too_many("labels to overwrite", overwrite, MAX_LABELS));
    }
    let artifacts = converted::<_, _, MAX_ARTIFACTS>("artifacts", migration.artifacts, artifact)?;
    let networks = converted::<_, _, MAX_NETWORKS>("networks", network.wifi, wifi)?;
    let root = wire::Root {
        migration: self::migration(migration, &artifacts),
        device: wire::Device {
            wifi: List::Values(&networks),
            old_credentials: network.old_credentials,
            rescue: network.rescue.as_ref().map(wifi),
            hostname: network.hostname,
            log_level: log_level.number(),
        },
    };
    write(&root, section)
}

fn write(root: &wire::Root<'_>, section: &mut [u8]) -> Result<usize, EncodeError> {
    let section_len_bytes = section.len();
    section.fill(ERASED);
    let (head, body) = match section.split_first_chunk_mut::<HEADER_LEN_BYTES>() {
        Some((head, body)) => (Some(head), body),
        None => (None, Default::default()),
    };
    let mut encoder = Encoder::new(Counted { out: &mut *body, len_bytes: 0 });
    // Neither `Counted` nor the encoding of these types can fail.
    let _ = encoder.encode(root);
    let payload_len_bytes = encoder.into_writer().len_bytes;
    let needed_bytes = HEADER_LEN_BYTES + payload_len_bytes;
    let (Some(head), Some(payload)) = (head, body.get(..payload_len_bytes)) else {
        return Err(EncodeError::TooLarge { needed_bytes, section_len_bytes });
    };
    let payload_crc = crc32(payload);
    *head = Header { section_len_bytes, payload_len_bytes, payload_crc }.emit();
    Ok(needed_bytes)
}

fn migration<'w>(
    migration: &'w Migration<'_>,
    artifacts: &'w [wire::Artifact<'w>],
) -> wire::Migration<'w> {
    wire::Migration {
        chip: migration.chip.image_chip_id(),
        flash_len_bytes: migration.flash_len_bytes,
        mcuboot: migration.mcuboot.as_ref().map(map),
        artifacts: List::Values(artifacts),
        staging: match migration.staging {
            Staging::Auto => None,
            Staging::Label(label) => Some(wire::Staging::Label(label)),
            Staging::Memory => Some(wire::Staging::Memory),
        },
        allow_test_image: migration.allow.test_image.then_some(true),
        allow_overwrite: List::Values(migration.allow.overwrite),
        table_addr: migration.table_addr.map(FlashAddr::get),
        commit: match migration.commit {
            CommitWay::Replace => None,
            way => Some(number(&WAYS, way)),
        },
    }
}

fn map<'w>(map: &McubootMap<'w>) -> wire::Map<'w> {
    wire::Map {
        primary: span(map.primary),
        secondary: span(map.secondary),
        scratch: map.scratch.map(span),
        swap: number(&SWAPS, map.swap),
        max_align_bytes: map.max_align_bytes,
        key_der: map.key_der.map(Into::into),
        max_sectors: Some(map.max_sectors).filter(|sectors| *sectors != DEFAULT_MAX_SECTORS),
        downgrade_prevention: match map.downgrade_prevention {
            DowngradePrevention::None => None,
            prevention => Some(number(&DowngradePrevention::ALL, prevention)),
        },
        overwrites_fast: map.overwrites_fast.then_some(true),
    }
}

fn artifact<'w>(artifact: &Artifact<'w>) -> wire::Artifact<'w> {
    wire::Artifact {
        name: artifact.name,
        role: number(&ROLES, artifact.role),
        url: match artifact.origin {
            Origin::Url(url) => Some(url),
            Origin::Embedded => None,
        },
        dest: artifact.dest.map(span),
        region_len_bytes: artifact.region_len_bytes,
        len_bytes: artifact.len_bytes,
        sha256: artifact.sha256.map(Into::into),
        content: artifact.content.map(content),
        confirm: artifact.confirm.then_some(true),
        blanks: Some(artifact.blanks.bytes()).filter(|blanks| !blanks.is_empty()).map(Into::into),
    }
}

fn content(content: Content) -> wire::Content {
    match content {
        Content::Opaque => wire::Content::Opaque,
        Content::Mcuboot { image_len_bytes, padded, confirmed, signed, version } => {
            let version = Some(version).filter(|version| *version != ImageVersion::default());
            let version = version.map(|version| version.to_bytes().into());
            wire::Content::Mcuboot { image_len_bytes, padded, confirmed, signed, version }
        }
        Content::EspImage { chip_id, image_len_bytes, flash_len_bytes } => {
            wire::Content::EspImage { chip_id, image_len_bytes, flash_len_bytes }
        }
        Content::Carrier(carrier) => {
            let CarrierContent { chip_id, settings, otadata, secure_version, has_trial } = carrier;
            let settings = settings.to_bytes().into();
            let otadata = otadata.map(FlashAddr::get);
            wire::Content::Carrier { chip_id, settings, otadata, secure_version, has_trial }
        }
    }
}

fn wifi<'w>(wifi: &Wifi<'w>) -> wire::Wifi<'w> {
    wire::Wifi {
        ssid: wire::Ssid(wifi.ssid()),
        password: (!wifi.is_open()).then_some(wifi.password()),
    }
}

const fn span(region: Region) -> wire::Span {
    wire::Span { start: region.start().get(), len_bytes: region.len_bytes() }
}

/// The number of a value: its index in the list, which has every value.
fn number<T: PartialEq>(values: &[T], value: T) -> u8 {
    let index = values.iter().position(|other| *other == value);
    index.and_then(|index| u8::try_from(index).ok()).unwrap_or(u8::MAX)
}

fn converted<T, W, const N: usize>(
    what: &'static str,
    values: &[T],
    convert: impl Fn(&T) -> W,
) -> Result<Vec<W, N>, EncodeError> {
    let mut converted = Vec::new();
    for value in values {
        converted.push(convert(value)).map_err(|_| too_many(what, values, N))?;
    }
    Ok(converted)
}

const fn too_many<T>(what: &'static str, values: &[T], most: usize) -> EncodeError {
    EncodeError::TooMany { what, found: values.len(), most }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { needed_bytes, section_len_bytes } => write!(
                f,
                "the configuration takes {needed_bytes} bytes, the firmware has room for \
                 {section_len_bytes}; make addresses and names shorter"
            ),
            Self::TooMany { what, found, most } => {
                write!(f, "{found} {what}, the firmware has room for {most}; leave some out")
            }
            Self::Hostname => f.write_str(
                "the host name is not valid; write letters, digits and hyphens, at most 32",
            ),
        }
    }
}

impl core::error::Error for EncodeError {}
