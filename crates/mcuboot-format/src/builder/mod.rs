//! Makes images, as `imgtool sign` does.
//!
//! ```text
//! payload --sign-->  | header | payload | TLVs |
//!         --pad-->   | header | payload | TLVs | erased | trailer |
//!         --confirm--> image ok is set in the trailer
//! ```
//!
//! The images are byte for byte those that imgtool 2.5 writes with the same options, except for
//! random signatures: `imgtool sign -v VERSION -H HEADER -S SLOT --align UNIT --max-align ALIGN -M
//! SECTORS [--pad-header] [--pad [--confirm]] [--overwrite-only] [-s COUNTER] [-d DEPENDENCIES] [-k
//! KEY] payload image`. The room for the trailer is computed as by the bootloader, not as by
//! imgtool, which treats every swap as one using scratch.

mod error;
mod pad;

pub use error::SignError;
pub use pad::{Padding, confirm, pad};

use alloc::vec;
use alloc::vec::Vec;

use flash_region::ERASED;
use sha2::{Digest, Sha256};

use crate::bytes::put;
use crate::key::PrivateKey;
use crate::tlv::{AreaHeader, Dependency, TlvHeader, TlvType};
use crate::trailer::TrailerConfig;
use crate::{ImageHeader, ImageVersion, SwapKind};

/// How to make an image.
#[derive(Clone, Debug)]
pub struct SignOptions<'a> {
    /// The image's version (`-v`).
    pub version: ImageVersion,
    /// Bytes before the payload, at least 32 (`-H`).
    pub header_len_bytes: u16,
    /// Whether to add these bytes (`--pad-header`). Otherwise the payload must start with that many
    /// zeros, which linker scripts for MCUboot put there.
    pub pad_header: bool,
    /// Bytes of the slot (`-S`).
    pub slot_len_bytes: u32,
    /// The bootloader's trailer (`--align`, `--max-align`, `-M`, `--overwrite-only`).
    pub trailer: TrailerConfig,
    /// What to put after the image (`--pad`, `--confirm`).
    pub padding: Padding,
    /// The security counter (`-s`).
    pub security_counter: Option<u32>,
    /// The other images that this one needs (`-d`).
    pub dependencies: &'a [Dependency],
    /// The key to sign with (`-k`); without one the image has a hash only.
    pub key: Option<&'a PrivateKey>,
}

impl SignOptions<'_> {
    /// An unsigned image of version 0 for a slot of Espressif's port, with a header of 32 bytes
    /// that is not part of the payload, and without a trailer.
    #[must_use]
    pub const fn espressif(slot_len_bytes: u32, swap: SwapKind) -> Self {
        Self {
            version: ImageVersion::new(0, 0, 0),
            header_len_bytes: ImageHeader::LEN_BYTES as u16,
            pad_header: true,
            slot_len_bytes,
            trailer: TrailerConfig::espressif(swap),
            padding: Padding::None,
            security_counter: None,
            dependencies: &[],
            key: None,
        }
    }
}

/// Makes an image of `payload`.
///
/// # Errors
/// [`SignError::HeaderLen`], [`SignError::PayloadTooShort`] and [`SignError::HeaderNotZero`] where
/// there is no room for the header, [`SignError::AreaTooLong`] for too many dependencies,
/// [`SignError::TooLong`], [`SignError::Trailer`] and [`SignError::Key`].
pub fn sign(payload: &[u8], options: &SignOptions<'_>) -> Result<Vec<u8>, SignError> {
    let protected = protected_area(options)?;
    let mut image = with_room_for_header(payload, options)?;
    let header = ImageHeader {
        load_addr: 0,
        hdr_size: options.header_len_bytes,
        protect_tlv_size: protected.len_bytes(),
        img_size: pad::checked_len(image.len())?
            .saturating_sub(u32::from(options.header_len_bytes)),
        flags: crate::ImageFlags::default(),
        version: options.version,
    };
    let short = SignError::PayloadTooShort { len_bytes: image.len() };
    put(&mut image, 0, &header.to_bytes()).ok_or(short)?;
    image.extend(protected.bytes);

    let sha256: [u8; 32] = Sha256::digest(&image).into();
    let mut unprotected = AreaBuilder::new(false);
    unprotected.add(TlvType::SHA256, &sha256)?;
    if let Some(key) = options.key {
        let signature = key.sign(&sha256).ok_or(SignError::Key)?;
        unprotected.add(TlvType::KEYHASH, &key.public_key().hash())?;
        unprotected.add(key.kind().signature_tlv(), &signature)?;
    }
    image.extend(unprotected.bytes);
    pad(&mut image, options.slot_len_bytes, options.trailer, options.padding)?;
    Ok(image)
}

fn with_room_for_header(payload: &[u8], options: &SignOptions<'_>) -> Result<Vec<u8>, SignError> {
    let header_len = usize::from(options.header_len_bytes);
    if header_len < ImageHeader::LEN_BYTES {
        return Err(SignError::HeaderLen { found: options.header_len_bytes });
    }
    let mut image = if options.pad_header { vec![ERASED; header_len] } else { Vec::new() };
    image.extend_from_slice(payload);
    if options.pad_header {
        return Ok(image);
    }
    let room =
        image.get(..header_len).ok_or(SignError::PayloadTooShort { len_bytes: payload.len() })?;
    match room.iter().enumerate().find(|(_, byte)| **byte != 0) {
        Some((offset, &found)) => Err(SignError::HeaderNotZero { offset, found }),
        None => Ok(image),
    }
}

/// The protected area, of no bytes if nothing is in it.
fn protected_area(options: &SignOptions<'_>) -> Result<AreaBuilder, SignError> {
    let mut area = AreaBuilder::new(true);
    if let Some(counter) = options.security_counter {
        area.add(TlvType::SEC_CNT, &counter.to_le_bytes())?;
    }
    for dependency in options.dependencies {
        area.add(TlvType::DEPENDENCY, &dependency.to_bytes())?;
    }
    Ok(area)
}

/// A TLV area that grows.
struct AreaBuilder {
    protected: bool,
    bytes: Vec<u8>,
}

impl AreaBuilder {
    const fn new(protected: bool) -> Self {
        Self { protected, bytes: Vec::new() }
    }

    /// Bytes of the area; never more than fit, see [`add`](Self::add).
    fn len_bytes(&self) -> u16 {
        u16::try_from(self.bytes.len()).unwrap_or(u16::MAX)
    }

    fn add(&mut self, tlv_type: TlvType, value: &[u8]) -> Result<(), SignError> {
        let header_len = AreaHeader::LEN_BYTES as usize;
        let len = self.bytes.len().max(header_len) + TlvHeader::LEN_BYTES as usize + value.len();
        let too_long = SignError::AreaTooLong { len_bytes: len };
        let len_bytes = u16::try_from(len).map_err(|_| too_long)?;
        let area = AreaHeader { protected: self.protected, len_bytes };
        self.bytes.resize(self.bytes.len().max(header_len), 0);
        put(&mut self.bytes, 0, &area.to_bytes()).ok_or(too_long)?;
        let tlv = TlvHeader { tlv_type, len_bytes: value.len() as u16 };
        self.bytes.extend(tlv.to_bytes());
        self.bytes.extend_from_slice(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
