//! The keys that images are signed with.
//!
//! A bootloader holds public keys as DER: `SubjectPublicKeyInfo` for ECDSA and Ed25519, PKCS #1
//! `RSAPublicKey` for RSA. An image names the key that it was signed with by the SHA-256 of those
//! bytes, in its KEYHASH TLV (`bootutil_find_key`, boot/bootutil/src/bootutil_find_key.c).
//!
//! What is signed is the image's SHA-256. ECDSA and RSA take it as the digest of a message; Ed25519
//! takes it as the message.

mod ecdsa_sig;
#[cfg(feature = "alloc")]
mod private;
mod pss;
mod rsa_key;

#[cfg(feature = "alloc")]
pub use private::PrivateKey;

use core::fmt;

use p256::ecdsa::signature::Verifier;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use pkcs8::ObjectIdentifier;
use pkcs8::spki::SubjectPublicKeyInfoRef;
use sha2::{Digest, Sha256};

use crate::tlv::TlvType;
use rsa_key::RsaKey;
#[cfg(feature = "alloc")]
pub(crate) use rsa_key::{DER_2048, DER_3072, DER_EXPONENT};

/// `id-ecPublicKey`, RFC 5480 section 2.1.1.
const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `secp256r1`, RFC 5480 section 2.1.1.1.
const OID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// `id-Ed25519`, RFC 8410 section 3.
const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// `rsaEncryption`, RFC 8017 appendix A.1.
const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// DER of a P-256 `SubjectPublicKeyInfo` (RFC 5480 section 2) up to the uncompressed point.
pub(crate) const P256_SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// DER of an Ed25519 `SubjectPublicKeyInfo` (RFC 8410 section 4) up to the key's 32 bytes.
pub(crate) const ED25519_SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Largest DER in a PEM file, in bytes: an RSA-3072 `SubjectPublicKeyInfo` has 422.
const MAX_PUBLIC_DER_LEN_BYTES: usize = 512;

/// A kind of key, and with it of signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyKind {
    /// ECDSA over NIST P-256.
    EcdsaP256,
    /// Ed25519.
    Ed25519,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
}

impl KeyKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::EcdsaP256, Self::Ed25519, Self::Rsa2048, Self::Rsa3072];

    /// The name that imgtool gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::Ed25519 => "ed25519",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
        }
    }

    /// The type of the TLV that holds a signature of this kind.
    #[must_use]
    pub const fn signature_tlv(self) -> TlvType {
        match self {
            Self::EcdsaP256 => TlvType::ECDSA_SIG,
            Self::Ed25519 => TlvType::ED25519,
            Self::Rsa2048 => TlvType::RSA2048_PSS,
            Self::Rsa3072 => TlvType::RSA3072_PSS,
        }
    }

    /// Bytes that a signature of this kind has; for ECDSA, at most (`SIG_BUF_SIZE`,
    /// boot/bootutil/src/image_validate.c).
    #[must_use]
    pub const fn signature_len_bytes(self) -> u16 {
        match self {
            Self::EcdsaP256 => 128,
            Self::Ed25519 => 64,
            Self::Rsa2048 => 256,
            Self::Rsa3072 => 384,
        }
    }

    /// Whether a signature of this kind may have that length (`EXPECTED_SIG_LEN`, same file).
    #[must_use]
    pub const fn allows_signature_len(self, len_bytes: u16) -> bool {
        match self {
            Self::EcdsaP256 => len_bytes <= self.signature_len_bytes(),
            Self::Ed25519 | Self::Rsa2048 | Self::Rsa3072 => {
                len_bytes == self.signature_len_bytes()
            }
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A public key, as a bootloader holds it to check images.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey {
    material: Material,
    hash: [u8; 32],
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Material {
    EcdsaP256(p256::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
    Rsa(RsaKey),
}

impl PublicKey {
    /// Reads a key from PEM: `PUBLIC KEY`, or `RSA PUBLIC KEY`.
    ///
    /// # Errors
    /// [`KeyError::Pem`], [`KeyError::PemLabel`], and those of [`from_der`](Self::from_der).
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let mut der = [0; MAX_PUBLIC_DER_LEN_BYTES];
        match pem_rfc7468::decode(pem.as_bytes(), &mut der) {
            Ok(("PUBLIC KEY" | "RSA PUBLIC KEY", der)) => Self::from_der(der),
            Ok(_) => Err(KeyError::PemLabel),
            Err(_) => Err(KeyError::Pem),
        }
    }

    /// Reads a key from DER: `SubjectPublicKeyInfo`, or PKCS #1 `RSAPublicKey`, which is what
    /// MCUboot compiles in.
    ///
    /// # Errors
    /// [`KeyError::Der`], [`KeyError::Algorithm`], [`KeyError::Curve`], [`KeyError::Value`],
    /// [`KeyError::RsaSize`] and [`KeyError::RsaExponent`].
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let rsa = |key| Self::new(Material::Rsa(key));
        let info = match SubjectPublicKeyInfoRef::try_from(der) {
            Ok(info) => info,
            Err(error) => {
                return RsaKey::from_pkcs1_der(der).unwrap_or(Err(spki_error(&error))).map(rsa);
            }
        };
        let bits = info.subject_public_key.as_bytes().ok_or(KeyError::Value)?;
        match info.algorithm.oid {
            OID_EC => {
                let curve = info.algorithm.parameters_oid().map_err(|error| spki_error(&error))?;
                if curve != OID_P256 {
                    return Err(KeyError::Curve { oid: curve });
                }
                // A bootloader cannot use a compressed point, so no image can be signed for one.
                let uncompressed = bits.len() == 65;
                match p256::ecdsa::VerifyingKey::from_sec1_bytes(bits) {
                    Ok(key) if uncompressed => Ok(Self::new(Material::EcdsaP256(key))),
                    _ => Err(KeyError::Value),
                }
            }
            OID_ED25519 => ed25519_dalek::VerifyingKey::try_from(bits)
                .map(|key| Self::new(Material::Ed25519(key)))
                .map_err(|_| KeyError::Value),
            OID_RSA => RsaKey::from_pkcs1_der(bits).unwrap_or(Err(KeyError::Value)).map(rsa),
            oid => Err(KeyError::Algorithm { oid }),
        }
    }

    /// As [`from_der`](Self::from_der), without saying what is wrong.
    ///
    /// Each kind of key has only one DER, with which the bytes are compared. So firmware does not
    /// contain a general DER parser, which takes some KiB.
    #[must_use]
    #[inline(never)]
    pub fn from_known_der(der: &[u8]) -> Option<Self> {
        let material = if let Some(point) = der.strip_prefix(&P256_SPKI_PREFIX) {
            let uncompressed = point.len() == 65;
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok();
            Material::EcdsaP256(key.filter(|_| uncompressed)?)
        } else if let Some(bytes) = der.strip_prefix(&ED25519_SPKI_PREFIX) {
            Material::Ed25519(ed25519_dalek::VerifyingKey::try_from(bytes).ok()?)
        } else {
            Material::Rsa(RsaKey::from_known_der(der)?)
        };
        Some(Self::new(material))
    }

    fn new(material: Material) -> Self {
        let mut sha256 = Sha256::new();
        material.write_der(|der| sha256.update(der));
        Self { material, hash: sha256.finalize().into() }
    }

    /// What kind of key it is.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        match &self.material {
            Material::EcdsaP256(_) => KeyKind::EcdsaP256,
            Material::Ed25519(_) => KeyKind::Ed25519,
            Material::Rsa(key) => key.kind(),
        }
    }

    /// The SHA-256 of the key's DER, by which an image names it.
    #[must_use]
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The DER that MCUboot compiles in.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn to_der(&self) -> alloc::vec::Vec<u8> {
        let mut out = alloc::vec::Vec::new();
        self.material.write_der(|der| out.extend_from_slice(der));
        out
    }

    /// Whether that is this key's signature of an image with that SHA-256.
    #[must_use]
    #[inline(never)]
    pub fn verifies(&self, image_sha256: &[u8; 32], signature: &[u8]) -> bool {
        match &self.material {
            Material::EcdsaP256(key) => ecdsa_sig::from_der(without_padding(signature))
                .is_some_and(|signature| key.verify_prehash(image_sha256, &signature).is_ok()),
            Material::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(image_sha256, &signature).is_ok()),
            Material::Rsa(key) => key.verifies(image_sha256, signature),
        }
    }
}

impl Material {
    /// Hands the key's DER on, in pieces.
    fn write_der(&self, mut write: impl FnMut(&[u8])) {
        match self {
            Self::EcdsaP256(key) => {
                write(&P256_SPKI_PREFIX);
                write(key.to_encoded_point(false).as_bytes());
            }
            Self::Ed25519(key) => {
                write(&ED25519_SPKI_PREFIX);
                write(key.as_bytes());
            }
            Self::Rsa(key) => key.write_der(write),
        }
    }
}

/// An ECDSA signature without the zeros that imgtool's `--pad-sig` puts after it, and that bootutil
/// ignores (boot/bootutil/include/bootutil/crypto/ecdsa.h).
fn without_padding(signature: &[u8]) -> &[u8] {
    let len = signature.get(1).map_or(0, |&len| usize::from(len).saturating_add(2));
    match signature.split_at_checked(len) {
        Some((der, padding)) if padding.iter().all(|&byte| byte == 0) => der,
        _ => signature,
    }
}

fn der_error(error: &pkcs8::der::Error) -> KeyError {
    KeyError::Der { offset: error.position().map(u32::from) }
}

fn spki_error(error: &pkcs8::spki::Error) -> KeyError {
    match error {
        pkcs8::spki::Error::Asn1(error) => der_error(error),
        _ => KeyError::Der { offset: None },
    }
}

/// Why a text or bytes do not hold a usable key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not PEM, or longer than any key.
    Pem,
    /// The PEM holds something other than the kind of key asked for.
    PemLabel,
    /// The private key is protected by a passphrase.
    Encrypted,
    /// The DER is malformed.
    Der {
        /// Where, from its start, if that is known.
        offset: Option<u32>,
    },
    /// The key is of a kind that MCUboot cannot use.
    Algorithm {
        /// Which.
        oid: ObjectIdentifier,
    },
    /// The ECDSA key is not on P-256.
    Curve {
        /// The curve.
        oid: ObjectIdentifier,
    },
    /// The key's own bytes are not a key of its kind, or are a compressed point.
    Value,
    /// The RSA key has neither 2048 nor 3072 bits.
    RsaSize {
        /// How many it has.
        bits: usize,
    },
    /// The RSA key has another public exponent than 65537, which no tool of MCUboot makes.
    RsaExponent,
    /// The key is a private RSA key, which this program was built without support for.
    RsaNotBuiltIn,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem => f.write_str("key: not PEM"),
            Self::PemLabel => f.write_str("key: the PEM's label is not that of the key wanted"),
            Self::Encrypted => f.write_str("key: protected by a passphrase"),
            Self::Der { offset: Some(offset) } => {
                write!(f, "key: malformed DER at offset {offset}")
            }
            Self::Der { offset: None } => f.write_str("key: malformed DER"),
            Self::Algorithm { oid } => {
                write!(f, "key: algorithm is {oid}, expected ECDSA P-256, Ed25519 or RSA")
            }
            Self::Curve { oid } => write!(f, "key: curve is {oid}, expected P-256 ({OID_P256})"),
            Self::Value => f.write_str("key: value is not a key of its algorithm"),
            Self::RsaSize { bits } => write!(f, "key: RSA with {bits} bits, expected 2048 or 3072"),
            Self::RsaExponent => f.write_str("key: RSA with another exponent than 65537"),
            Self::RsaNotBuiltIn => {
                f.write_str("key: a private RSA key, which this program does not support")
            }
        }
    }
}

impl core::error::Error for KeyError {}

#[cfg(test)]
mod rsa_tests;
#[cfg(test)]
mod tests;
