//! What can be wrong with an image.

use core::fmt;

use flash_region::Hex;

use super::MAX_DEPENDENCIES;
use crate::HeaderError;
use crate::tlv::{TlvError, TlvType};

/// Why a bootloader would refuse an image. Offsets are from the start of the image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ValidateError {
    /// The header is missing, or is not that of an image that can be booted.
    Header(HeaderError),
    /// The TLVs are malformed.
    Tlv(TlvError),
    /// The image reaches into the trailer, or into what the swap needs.
    TooLong {
        /// Where the image ends, or, if only its header was seen, where it ends at the earliest.
        len_bytes: u32,
        /// Where it may end.
        max_len_bytes: u32,
    },
    /// The bytes end before the image does.
    Truncated {
        /// How many there were.
        len_bytes: u32,
        /// How many the image has at least.
        needed_bytes: u32,
    },
    /// A TLV is in the unprotected area, where its type is not allowed, or at the end of the
    /// protected area without a value, which MCUboot treats alike.
    NotAllowed {
        /// Where it starts.
        offset_bytes: u32,
        /// What it is.
        tlv_type: TlvType,
    },
    /// A hash is in the protected area. It covers that area, so it cannot be right.
    CoversItself {
        /// Where it starts.
        offset_bytes: u32,
        /// What it is.
        tlv_type: TlvType,
    },
    /// The value of a TLV has the wrong length.
    ValueLen {
        /// Where the TLV starts.
        offset_bytes: u32,
        /// What it is.
        tlv_type: TlvType,
        /// The length of its value, in bytes.
        found: u16,
        /// The length that it must have; for ECDSA_SIG and KEYHASH, at most.
        expected: u16,
    },
    /// There are more dependencies than [`MAX_DEPENDENCIES`].
    TooManyDependencies {
        /// Where the first one too many starts.
        offset_bytes: u32,
    },
    /// There is no SHA-256 of the image.
    HashMissing {
        /// A hash of another kind, if there is one. Espressif's MCUboot looks only at SHA-256.
        other: Option<TlvType>,
    },
    /// The signature is one of the image itself (pure Ed25519), which Espressif's MCUboot does not
    /// support.
    PureSignature {
        /// Where the TLV that says so starts.
        offset_bytes: u32,
    },
    /// The image's SHA-256 is not what the image says it is.
    HashMismatch {
        /// Where the TLV with it starts.
        offset_bytes: u32,
        /// The SHA-256 in the image.
        found: [u8; 32],
        /// The SHA-256 of the image.
        computed: [u8; 32],
    },
    /// There is no signature for the bootloader's key.
    Unsigned,
    /// There are signatures, but none of the bootloader's key.
    OtherKey {
        /// The hash of the key that the image says it was signed with.
        found: [u8; 32],
        /// The hash of the bootloader's key.
        expected: [u8; 32],
    },
    /// The signature for the bootloader's key does not verify.
    SignatureInvalid {
        /// Where the TLV starts.
        offset_bytes: u32,
        /// What it is.
        tlv_type: TlvType,
    },
}

impl From<HeaderError> for ValidateError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

impl From<TlvError> for ValidateError {
    fn from(error: TlvError) -> Self {
        Self::Tlv(error)
    }
}

impl fmt::Display for ValidateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(error) => error.fmt(f),
            Self::Tlv(error) => error.fmt(f),
            Self::TooLong { len_bytes, max_len_bytes } => write!(
                f,
                "image: {len_bytes:#x} bytes, the slot has room for {max_len_bytes:#x} before its \
                 trailer"
            ),
            Self::Truncated { len_bytes, needed_bytes } => {
                write!(f, "image: {len_bytes:#x} bytes, needs at least {needed_bytes:#x}")
            }
            Self::NotAllowed { offset_bytes, tlv_type } => {
                write!(f, "TLV {tlv_type} at offset {offset_bytes:#x}: must be protected")
            }
            Self::CoversItself { offset_bytes, tlv_type } => {
                write!(f, "TLV {tlv_type} at offset {offset_bytes:#x}: must not be protected")
            }
            Self::ValueLen { offset_bytes, tlv_type, found, expected } => write!(
                f,
                "TLV {tlv_type} at offset {offset_bytes:#x}: has {found} bytes, expected {expected}"
            ),
            Self::TooManyDependencies { offset_bytes } => write!(
                f,
                "TLV {} at offset {offset_bytes:#x}: more than {MAX_DEPENDENCIES} of them",
                TlvType::DEPENDENCY
            ),
            Self::HashMissing { other: None } => {
                write!(f, "image: no TLV {}", TlvType::SHA256)
            }
            Self::HashMissing { other: Some(other) } => write!(
                f,
                "image: its hash is {}, which is not supported: Espressif's MCUboot looks at \
                 SHA-256 alone; sign it with --sha 256",
                match *other {
                    TlvType::SHA384 => "SHA-384",
                    TlvType::SHA512 => "SHA-512",
                    _ => "another one",
                }
            ),
            Self::PureSignature { offset_bytes } => write!(
                f,
                "image: signed without its hash (pure Ed25519, TLV {} at offset \
                 {offset_bytes:#x}), which is not supported; sign it without --pure",
                TlvType::SIG_PURE
            ),
            Self::HashMismatch { offset_bytes, found, computed } => write!(
                f,
                "TLV {} at offset {offset_bytes:#x}: says {}, the image has {}",
                TlvType::SHA256,
                Hex(found),
                Hex(computed)
            ),
            Self::Unsigned => f.write_str(
                "image: no signature after the hash of its key, but the bootloader has a key",
            ),
            Self::OtherKey { found, expected } => write!(
                f,
                "image: signed with key {}, the bootloader has {}",
                Hex(found),
                Hex(expected)
            ),
            Self::SignatureInvalid { offset_bytes, tlv_type } => {
                write!(f, "TLV {tlv_type} at offset {offset_bytes:#x}: signature does not verify")
            }
        }
    }
}

impl core::error::Error for ValidateError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Header(error) => Some(error),
            Self::Tlv(error) => Some(error),
            _ => None,
        }
    }
}
