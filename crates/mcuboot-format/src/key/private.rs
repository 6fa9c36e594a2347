//! Private keys, for signing.

#[cfg(feature = "rsa")]
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::Signer;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use pkcs8::PrivateKeyInfo;

#[cfg(feature = "rsa")]
use super::rsa_key::RsaKey;
use super::{KeyError, KeyKind, Material, OID_EC, OID_ED25519, OID_P256, OID_RSA, PublicKey};
use super::{der_error, spki_error};

/// A private key, to sign images with.
///
/// Signatures are the same each time: ECDSA takes its nonce from RFC 6979, and RSA its salt from
/// the key and the image.
#[derive(Clone)]
pub struct PrivateKey(Secret);

#[derive(Clone)]
enum Secret {
    EcdsaP256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
    #[cfg(feature = "rsa")]
    Rsa(Box<(rsa::RsaPrivateKey, RsaKey)>),
}

impl PrivateKey {
    /// Reads a key from PEM: `PRIVATE KEY` (PKCS #8, what `imgtool keygen` writes), `EC PRIVATE
    /// KEY` or `RSA PRIVATE KEY`.
    ///
    /// # Errors
    /// Any [`KeyError`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let (label, der) = pem_rfc7468::decode_vec(pem.as_bytes()).map_err(|_| KeyError::Pem)?;
        match label {
            "PRIVATE KEY" => Self::from_pkcs8_der(&der),
            "EC PRIVATE KEY" => Self::from_sec1_der(&der),
            "RSA PRIVATE KEY" => Self::from_pkcs1_der(&der),
            "ENCRYPTED PRIVATE KEY" => Err(KeyError::Encrypted),
            _ => Err(KeyError::PemLabel),
        }
    }

    /// Reads a key from PKCS #8 DER.
    ///
    /// # Errors
    /// As [`PublicKey::from_der`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfo::try_from(der).map_err(|error| match error {
            pkcs8::Error::Asn1(error) => der_error(&error),
            _ => KeyError::Der { offset: None },
        })?;
        match info.algorithm.oid {
            OID_EC => {
                let curve = info.algorithm.parameters_oid().map_err(|error| spki_error(&error))?;
                if curve != OID_P256 {
                    return Err(KeyError::Curve { oid: curve });
                }
                Self::from_sec1_der(info.private_key)
            }
            // RFC 8410 section 7: an OCTET STRING of 32 bytes inside the OCTET STRING.
            OID_ED25519 => match info.private_key {
                [0x04, 0x20, seed @ ..] => {
                    seed.try_into().map(Self::ed25519).map_err(|_| KeyError::Value)
                }
                _ => Err(KeyError::Value),
            },
            OID_RSA => Self::from_pkcs1_der(info.private_key),
            oid => Err(KeyError::Algorithm { oid }),
        }
    }

    /// The Ed25519 key of that seed.
    #[must_use]
    pub fn ed25519(seed: [u8; 32]) -> Self {
        Self(Secret::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// The ECDSA P-256 key of that number, big endian.
    ///
    /// # Errors
    /// [`KeyError::Value`] if it is 0 or not below the order of the curve.
    pub fn ecdsa_p256(scalar: [u8; 32]) -> Result<Self, KeyError> {
        p256::ecdsa::SigningKey::from_bytes(&scalar.into())
            .map(|key| Self(Secret::EcdsaP256(key)))
            .map_err(|_| KeyError::Value)
    }

    fn from_sec1_der(der: &[u8]) -> Result<Self, KeyError> {
        p256::SecretKey::from_sec1_der(der)
            .map(|key| Self(Secret::EcdsaP256(key.into())))
            .map_err(|_| KeyError::Value)
    }

    #[cfg(feature = "rsa")]
    fn from_pkcs1_der(der: &[u8]) -> Result<Self, KeyError> {
        use rsa::pkcs1::DecodeRsaPrivateKey;
        let key = rsa::RsaPrivateKey::from_pkcs1_der(der).map_err(|_| KeyError::Value)?;
        let public = public_rsa(&key)?;
        Ok(Self(Secret::Rsa(Box::new((key, public)))))
    }

    #[cfg(not(feature = "rsa"))]
    fn from_pkcs1_der(_der: &[u8]) -> Result<Self, KeyError> {
        Err(KeyError::RsaNotBuiltIn)
    }

    /// The public key that belongs to it.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::new(match &self.0 {
            Secret::EcdsaP256(key) => Material::EcdsaP256(*key.verifying_key()),
            Secret::Ed25519(key) => Material::Ed25519(key.verifying_key()),
            #[cfg(feature = "rsa")]
            Secret::Rsa(key) => Material::Rsa(key.1.clone()),
        })
    }

    /// What kind of key it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match &self.0 {
            Secret::EcdsaP256(_) => KeyKind::EcdsaP256,
            Secret::Ed25519(_) => KeyKind::Ed25519,
            #[cfg(feature = "rsa")]
            Secret::Rsa(key) => key.1.kind(),
        }
    }

    /// The value of the signature's TLV for an image with that SHA-256; `None` if the key cannot
    /// sign, which happens only with a malformed RSA key.
    #[must_use]
    pub fn sign(&self, image_sha256: &[u8; 32]) -> Option<Vec<u8>> {
        match &self.0 {
            Secret::EcdsaP256(key) => {
                let signature: p256::ecdsa::Signature = key.sign_prehash(image_sha256).ok()?;
                Some(signature.to_der().as_bytes().to_vec())
            }
            Secret::Ed25519(key) => Some(key.sign(image_sha256).to_bytes().to_vec()),
            #[cfg(feature = "rsa")]
            Secret::Rsa(key) => {
                let (key, _) = &**key;
                let mut salt = salt::SecretStream::new(key, image_sha256)?;
                key.sign_with_rng(&mut salt, pss(), image_sha256).ok()
            }
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, secret)", self.kind())
    }
}

/// The public half of a key, if a bootloader can have it.
#[cfg(feature = "rsa")]
fn public_rsa(key: &rsa::RsaPrivateKey) -> Result<RsaKey, KeyError> {
    use rsa::pkcs1::EncodeRsaPublicKey;
    let der = key.to_public_key().to_pkcs1_der().map_err(|_| KeyError::Value)?;
    RsaKey::from_pkcs1_der(der.as_bytes()).unwrap_or(Err(KeyError::Value))
}

/// The padding that bootutil expects: SHA-256, 32 bytes of salt (boot/bootutil/src/image_rsa.c).
#[cfg(feature = "rsa")]
fn pss() -> rsa::Pss {
    rsa::Pss::new_with_salt::<sha2::Sha256>(32)
}

#[cfg(feature = "rsa")]
mod salt {
    use rsa::pkcs1::EncodeRsaPrivateKey;
    use rsa::rand_core::{CryptoRng, Error, RngCore, impls};
    use sha2::{Digest, Sha256};

    /// Bytes that nobody without the private key can predict, and that are the same for the same
    /// image: SHA-256 over key, image and a counter. They are used as salt and for blinding, so
    /// that no random source is needed and an image can be reproduced bit for bit.
    pub(super) struct SecretStream {
        seeded: Sha256,
        block: u64,
    }

    impl SecretStream {
        pub(super) fn new(key: &rsa::RsaPrivateKey, image_sha256: &[u8; 32]) -> Option<Self> {
            let der = key.to_pkcs1_der().ok()?;
            let seeded = Sha256::new()
                .chain_update(b"bootswap RSA-PSS salt")
                .chain_update(image_sha256)
                .chain_update(der.as_bytes());
            Some(Self { seeded, block: 0 })
        }
    }

    impl RngCore for SecretStream {
        fn next_u32(&mut self) -> u32 {
            impls::next_u32_via_fill(self)
        }

        fn next_u64(&mut self) -> u64 {
            impls::next_u64_via_fill(self)
        }

        fn fill_bytes(&mut self, out: &mut [u8]) {
            for piece in out.chunks_mut(32) {
                self.block += 1;
                let block = self.seeded.clone().chain_update(self.block.to_le_bytes()).finalize();
                for (to, from) in piece.iter_mut().zip(block) {
                    *to = from;
                }
            }
        }

        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
            self.fill_bytes(out);
            Ok(())
        }
    }

    impl CryptoRng for SecretStream {}
}
