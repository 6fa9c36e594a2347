//! What an artifact's file is, and whether it is complete.

use std::fmt;

use bootswap_plan::{CarrierContent, Content, Role};
use carrier_format::find;
use esp_idf_format::image::{
    self, EspImageHeader, FlashSettings, FlashSize, ImageError, ImageInfo,
};
use flash_region::{FlashAddr, Region};
use mcuboot_format::key::PublicKey;
use mcuboot_format::tlv::{TlvType, Tlvs};
use mcuboot_format::trailer::{Flag, Magic, TrailerConfig, TrailerLayout, TrailerState};
use mcuboot_format::{IMAGE_MAGIC, ImageHeader, SlotLimits, SwapKind, ValidateError, validate};

use crate::owned::OwnedMap;

/// Limits that refuse nothing: the planner, which knows the slot, decides whether an image fits it,
/// and has a reason for that.
const ANY_LENGTH: SlotLimits =
    SlotLimits { slot_len_bytes: u32::MAX, max_image_len_bytes: u32::MAX };

/// Types of TLVs that hold a signature of an image.
const SIGNATURES: [TlvType; 5] = [
    TlvType::RSA2048_PSS,
    TlvType::RSA3072_PSS,
    TlvType::ECDSA_SIG,
    TlvType::ECDSA224,
    TlvType::ED25519,
];

/// Why a file is not what it begins like. Offsets are from the file's first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Damage {
    /// It begins like an MCUboot image.
    Mcuboot(ValidateError),
    /// It begins like an ESP image.
    Esp(ImageError),
    /// It is an image of the ESP8266.
    Esp8266,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mcuboot(error) => write!(f, "the MCUboot image fails its verification: {error}"),
            Self::Esp(error) => write!(f, "the ESP image fails its verification: {error}"),
            Self::Esp8266 => f.write_str("an ESP8266 image, which is not supported"),
        }
    }
}

impl std::error::Error for Damage {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Mcuboot(error) => Some(error),
            Self::Esp(error) => Some(error),
            Self::Esp8266 => None,
        }
    }
}

/// Determines what a file is, and verifies it as far as possible: its hash, and its signature if
/// the map has a key.
///
/// An image that is unsigned, too long, unconfirmed or for another chip is not damaged.
///
/// # Errors
///
/// [`Damage`].
pub fn classify(bytes: &[u8], role: Role, map: Option<&OwnedMap>) -> Result<Content, Damage> {
    if bytes.starts_with(&IMAGE_MAGIC.to_le_bytes()) {
        return mcuboot(bytes, map).map_err(Damage::Mcuboot);
    }
    if bytes.first() == Some(&image::IMAGE_MAGIC) {
        return match (image::verify(bytes), role) {
            (Ok(info), Role::Bootloader) if carrier(bytes, &info).is_some() => {
                Ok(carrier(bytes, &info).map_or(Content::Opaque, Content::Carrier))
            }
            (Ok(info), _) => Ok(Content::EspImage {
                chip_id: info.header.chip_id,
                image_len_bytes: info.total_len_bytes,
                flash_len_bytes: info.header.flash_size().map(FlashSize::bytes),
            }),
            // Other data may begin with that byte, too.
            (Err(_), Role::Other) => Ok(Content::Opaque),
            (Err(_), _) if image::is_esp8266(bytes) => Err(Damage::Esp8266),
            (Err(error), Role::Application | Role::Bootloader) => Err(Damage::Esp(error)),
        };
    }
    Ok(Content::Opaque)
}

/// What a carrier says about itself; `None` if the image is not that of one. Whether its copies are
/// whole is for the engine's checks to say.
fn carrier(bytes: &[u8], app: &ImageInfo) -> Option<CarrierContent> {
    let (_, record) = find(bytes.get(..app.total_len_bytes as usize)?).ok()?;
    let [Some(first), _] = record.copies else { return None };
    let copy = EspImageHeader::parse(bytes.get(first as usize..)?).ok()?;
    let secure_version = app.app_desc?.secure_version;
    let settings = FlashSettings::of(&copy);
    CarrierContent::new(app.header.chip_id, secure_version, &record, settings)
}

fn mcuboot(bytes: &[u8], map: Option<&OwnedMap>) -> Result<Content, ValidateError> {
    let key =
        map.and_then(|map| map.key_der.as_deref()).and_then(|der| PublicKey::from_der(der).ok());
    let image = match validate(bytes, ANY_LENGTH, key.as_ref()) {
        // The planner has a reason for an unsigned image.
        Err(ValidateError::Unsigned) => validate(bytes, ANY_LENGTH, None)?,
        image => image?,
    };
    let header = ImageHeader::parse(bytes)?;
    let signed = Tlvs::parse(bytes, &header)?.iter().any(|tlv| SIGNATURES.contains(&tlv.tlv_type));
    let trailer = trailer(bytes, map);
    Ok(Content::Mcuboot {
        image_len_bytes: image.image_end_bytes,
        padded: trailer.is_some(),
        confirmed: trailer.is_some_and(|trailer| trailer.image_ok == Flag::Set),
        signed,
        version: header.version,
    })
}

/// The trailer at the end of a file that is a whole slot; `None` for any other file, or without a
/// good trailer.
fn trailer(bytes: &[u8], map: Option<&OwnedMap>) -> Option<TrailerState> {
    let len_bytes = u32::try_from(bytes.len()).ok()?;
    let config = match map {
        Some(map) if [map.primary, map.secondary].iter().any(|s| s.len_bytes() == len_bytes) => {
            map.lend().trailer_config()
        }
        Some(_) => return None,
        None => TrailerConfig::espressif(SwapKind::Scratch),
    };
    let layout = TrailerLayout::new(Region::clamped(FlashAddr::ZERO, len_bytes), config).ok()?;
    let state = TrailerState::parse(&layout, bytes).ok()?;
    (state.magic == Magic::Good).then_some(state)
}
