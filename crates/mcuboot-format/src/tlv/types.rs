//! What a TLV can be.

use core::fmt;

use crate::ImageVersion;
use crate::bytes::array;

/// The type of a TLV (`IMAGE_TLV_*`, boot/bootutil/include/bootutil/image.h).
///
/// It prints as its name and number, `SHA256 (0x10)`, or as the number alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlvType(pub u16);

impl TlvType {
    /// SHA-256 of the public key that the next signature is to be checked with.
    pub const KEYHASH: Self = Self(0x01);
    /// That public key itself, for bootloaders that keep only its hash.
    pub const PUBKEY: Self = Self(0x02);
    /// SHA-256 of header, payload and protected TLVs.
    pub const SHA256: Self = Self(0x10);
    /// SHA-384 of the same.
    pub const SHA384: Self = Self(0x11);
    /// SHA-512 of the same.
    pub const SHA512: Self = Self(0x12);
    /// RSA-2048 signature, PSS padding.
    pub const RSA2048_PSS: Self = Self(0x20);
    /// ECDSA P-224 signature, no longer supported by MCUboot.
    pub const ECDSA224: Self = Self(0x21);
    /// ECDSA signature, as ASN.1.
    pub const ECDSA_SIG: Self = Self(0x22);
    /// RSA-3072 signature, PSS padding.
    pub const RSA3072_PSS: Self = Self(0x23);
    /// Ed25519 signature.
    pub const ED25519: Self = Self(0x24);
    /// Says that the signature is one of the image itself, not of its hash.
    pub const SIG_PURE: Self = Self(0x25);
    /// Key of the payload, encrypted with RSA-OAEP-2048.
    pub const ENC_RSA2048: Self = Self(0x30);
    /// Key of the payload, encrypted with AES-KW.
    pub const ENC_KW: Self = Self(0x31);
    /// Key of the payload, encrypted with ECIES over P-256.
    pub const ENC_EC256: Self = Self(0x32);
    /// Key of the payload, encrypted with ECIES over X25519.
    pub const ENC_X25519: Self = Self(0x33);
    /// Key of the payload, encrypted with ECIES over X25519 with SHA-512.
    pub const ENC_X25519_SHA512: Self = Self(0x34);
    /// Another image that must be there, and its least version; see [`Dependency`].
    pub const DEPENDENCY: Self = Self(0x40);
    /// Security counter, 4 bytes.
    pub const SEC_CNT: Self = Self(0x50);
    /// Record for measured boot, CBOR.
    pub const BOOT_RECORD: Self = Self(0x60);
    /// Bytes of the payload after decompression.
    pub const DECOMP_SIZE: Self = Self(0x70);
    /// Hash of the image after decompression.
    pub const DECOMP_SHA: Self = Self(0x71);
    /// Signature of the image after decompression.
    pub const DECOMP_SIGNATURE: Self = Self(0x72);
    /// Bytes of the compressed payload after decryption.
    pub const COMP_DEC_SIZE: Self = Self(0x73);
    /// UUID of the vendor.
    pub const UUID_VID: Self = Self(0x74);
    /// UUID of the device class.
    pub const UUID_CID: Self = Self(0x75);

    /// The type's name without its `IMAGE_TLV_`; `None` for one that MCUboot does not define, for
    /// example those of vendors.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::KEYHASH => "KEYHASH",
            Self::PUBKEY => "PUBKEY",
            Self::SHA256 => "SHA256",
            Self::SHA384 => "SHA384",
            Self::SHA512 => "SHA512",
            Self::RSA2048_PSS => "RSA2048_PSS",
            Self::ECDSA224 => "ECDSA224",
            Self::ECDSA_SIG => "ECDSA_SIG",
            Self::RSA3072_PSS => "RSA3072_PSS",
            Self::ED25519 => "ED25519",
            Self::SIG_PURE => "SIG_PURE",
            Self::ENC_RSA2048 => "ENC_RSA2048",
            Self::ENC_KW => "ENC_KW",
            Self::ENC_EC256 => "ENC_EC256",
            Self::ENC_X25519 => "ENC_X25519",
            Self::ENC_X25519_SHA512 => "ENC_X25519_SHA512",
            Self::DEPENDENCY => "DEPENDENCY",
            Self::SEC_CNT => "SEC_CNT",
            Self::BOOT_RECORD => "BOOT_RECORD",
            Self::DECOMP_SIZE => "DECOMP_SIZE",
            Self::DECOMP_SHA => "DECOMP_SHA",
            Self::DECOMP_SIGNATURE => "DECOMP_SIGNATURE",
            Self::COMP_DEC_SIZE => "COMP_DEC_SIZE",
            Self::UUID_VID => "UUID_VID",
            Self::UUID_CID => "UUID_CID",
            _ => return None,
        })
    }

    /// Whether the type may be in the unprotected area: what is needed to check the signature or to
    /// decrypt, and nothing else (`allowed_unprot_tlvs`, boot/bootutil/src/image_validate.c,
    /// without `MCUBOOT_SIGN_PURE` and `MCUBOOT_HMAC_SHA512`; `MCUBOOT_USE_TLV_ALLOW_LIST` is what
    /// makes Espressif's port ask for it). Anything may be in the protected area.
    #[must_use]
    pub const fn is_allowed_unprotected(self) -> bool {
        matches!(
            self,
            Self::KEYHASH
                | Self::PUBKEY
                | Self::SHA256
                | Self::SHA384
                | Self::SHA512
                | Self::RSA2048_PSS
                | Self::ECDSA224
                | Self::ECDSA_SIG
                | Self::RSA3072_PSS
                | Self::ED25519
                | Self::ENC_RSA2048
                | Self::ENC_KW
                | Self::ENC_EC256
                | Self::ENC_X25519
        )
    }
}

impl fmt::Display for TlvType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({:#04x})", self.0),
            None => write!(f, "{:#04x}", self.0),
        }
    }
}

impl fmt::Debug for TlvType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An image that another one needs (`struct image_dependency`,
/// boot/bootutil/include/bootutil/image.h).
///
/// ```text
/// 0          1        4                                               12
/// | image_id | unused |                  min_version                  |
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Dependency {
    /// Number of the image that is needed, from 0.
    pub image_id: u8,
    /// Its least version, compared as [`ImageVersion::cmp_as_bootutil`] does.
    pub min_version: ImageVersion,
}

impl Dependency {
    /// Bytes that a dependency takes as the value of a TLV.
    pub const LEN_BYTES: usize = 12;

    /// The dependency in the value of a TLV; `None` where it has another length.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.len() != Self::LEN_BYTES {
            return None;
        }
        let image_id = *value.first()?;
        let min_version = ImageVersion::from_bytes(array(value, 4)?);
        Some(Self { image_id, min_version })
    }

    /// The value of its TLV.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::LEN_BYTES] {
        let [v0, v1, v2, v3, v4, v5, v6, v7] = self.min_version.to_bytes();
        [self.image_id, 0, 0, 0, v0, v1, v2, v3, v4, v5, v6, v7]
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn a_type_prints_its_name_and_number() {
        assert_eq!(TlvType::SHA256.to_string(), "SHA256 (0x10)");
        assert_eq!(TlvType(0xa0).to_string(), "0xa0");
    }

    #[test]
    fn only_what_a_signature_needs_may_be_unprotected() {
        assert!(TlvType::KEYHASH.is_allowed_unprotected());
        assert!(TlvType::ENC_X25519.is_allowed_unprotected());
        for protected in [TlvType::SIG_PURE, TlvType::SEC_CNT, TlvType::DEPENDENCY, TlvType(0xa0)] {
            assert!(!protected.is_allowed_unprotected(), "{protected}");
        }
    }

    proptest! {
        #[test]
        fn a_dependency_keeps_its_bytes(image_id: u8, version: [u8; 8]) {
            let min_version = ImageVersion::from_bytes(version);
            let dependency = Dependency { image_id, min_version };
            prop_assert_eq!(Dependency::parse(&dependency.to_bytes()), Some(dependency));
            prop_assert_eq!(Dependency::parse(&dependency.to_bytes()[1..]), None);
        }
    }
}
