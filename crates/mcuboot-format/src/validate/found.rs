//! Collects what an image's TLVs say, one at a time.

use super::{Dependencies, ValidateError};
use crate::ImageHeader;
use crate::key::PublicKey;
use crate::tlv::{Dependency, TlvHeader, TlvType};

/// An image that a bootloader would accept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValidImage {
    /// Its header.
    pub header: ImageHeader,
    /// Where it ends, TLVs included.
    pub image_end_bytes: u32,
    /// The SHA-256 of header, payload and protected TLVs.
    pub sha256: [u8; 32],
    /// The hash of the key that the image says it was signed with, the last if it names several.
    /// It is not checked.
    pub key_hash: Option<[u8; 32]>,
    /// The hash of the key whose signature is good; `None` where there was no key to check
    /// with.
    pub signed_by: Option<[u8; 32]>,
    /// The security counter.
    pub security_counter: Option<u32>,
    /// The other images that it needs.
    pub dependencies: Dependencies,
}

/// What was found so far.
#[derive(Clone, Default, Debug)]
pub(super) struct Found {
    /// The SHA-256 of the image, set before the first unprotected TLV is looked at.
    pub(super) sha256: [u8; 32],
    hash_matches: bool,
    other_hash: Option<TlvType>,
    key_hash: Option<[u8; 32]>,
    /// Whether the last KEYHASH named the bootloader's key and no signature followed yet.
    key_selected: bool,
    signature: Signature,
    security_counter: Option<u32>,
    dependencies: Dependencies,
}

/// The result of the last signature for the bootloader's key. The last one counts, as in bootutil.
#[derive(Clone, Copy, Default, Debug)]
enum Signature {
    #[default]
    None,
    Invalid {
        offset_bytes: u32,
        tlv_type: TlvType,
    },
    Valid,
}

impl Found {
    /// Whether the value of that TLV is to be handed to [`take`](Self::take). Such a value is never
    /// longer than a signature of the key, or 32 bytes.
    ///
    /// `protected_end` is where the protected area ends, 0 if the TLV is after it.
    pub(super) fn wants(
        &mut self,
        tlv: TlvHeader,
        offset_bytes: u32,
        protected_end: u32,
        key: Option<&PublicKey>,
    ) -> Result<bool, ValidateError> {
        let TlvHeader { tlv_type, len_bytes: found } = tlv;
        let len = |expected: u16| {
            let error = ValidateError::ValueLen { offset_bytes, tlv_type, found, expected };
            if found == expected { Ok(true) } else { Err(error) }
        };
        // bootutil asks this of the value's offset, so that an empty value at the end of the
        // protected area counts as unprotected (`bootutil_tlv_iter_is_prot`,
        // boot/bootutil/src/tlv.c).
        let value_protected = offset_bytes.saturating_add(TlvHeader::LEN_BYTES) < protected_end;
        if !value_protected && tlv_type == TlvType::SIG_PURE {
            return Err(ValidateError::PureSignature { offset_bytes });
        }
        if !value_protected && !tlv_type.is_allowed_unprotected() {
            return Err(ValidateError::NotAllowed { offset_bytes, tlv_type });
        }
        let protected = offset_bytes < protected_end;
        if let Some(kind) = key.map(PublicKey::kind).filter(|kind| kind.signature_tlv() == tlv_type)
        {
            // A signature that does not follow the hash of our key is for another key.
            if !self.key_selected {
                return Ok(false);
            }
            if !kind.allows_signature_len(found) {
                return len(kind.signature_len_bytes());
            }
            if protected {
                // It covers itself, so it cannot be right.
                self.key_selected = false;
                self.signature = Signature::Invalid { offset_bytes, tlv_type };
            }
            return Ok(!protected);
        }
        match tlv_type {
            TlvType::SHA256 if protected => {
                Err(ValidateError::CoversItself { offset_bytes, tlv_type })
            }
            TlvType::SHA256 => len(32),
            TlvType::SHA384 | TlvType::SHA512 => {
                self.other_hash = Some(tlv_type);
                Ok(false)
            }
            TlvType::KEYHASH if found <= 32 => Ok(true),
            // imgtool hashes the key as it hashes the image.
            TlvType::KEYHASH if self.other_hash.is_some() && !self.hash_matches => {
                Err(ValidateError::HashMissing { other: self.other_hash })
            }
            TlvType::KEYHASH if key.is_some() => len(32),
            TlvType::SEC_CNT => len(4),
            TlvType::DEPENDENCY => len(Dependency::LEN_BYTES as u16),
            _ => Ok(false),
        }
    }

    /// Takes the value of a TLV that is wanted.
    pub(super) fn take(
        &mut self,
        tlv_type: TlvType,
        offset_bytes: u32,
        value: &[u8],
        key: Option<&PublicKey>,
    ) -> Result<(), ValidateError> {
        let number = |value: &[u8]| value.try_into().map(u32::from_le_bytes).ok();
        let digest = || <[u8; 32]>::try_from(value).unwrap_or_default();
        match (tlv_type, key) {
            (TlvType::SHA256, _) => {
                let (found, computed) = (digest(), self.sha256);
                if found != computed {
                    return Err(ValidateError::HashMismatch { offset_bytes, found, computed });
                }
                self.hash_matches = true;
            }
            (TlvType::KEYHASH, key) => {
                self.key_hash = value.try_into().ok().or(self.key_hash);
                // bootutil compares as many bytes as there are (`bootutil_find_key`).
                self.key_selected = key.is_some_and(|key| key.hash().starts_with(value));
            }
            // The first one counts (`bootutil_get_img_security_cnt`).
            (TlvType::SEC_CNT, _) => {
                self.security_counter = self.security_counter.or_else(|| number(value));
            }
            (TlvType::DEPENDENCY, _) => {
                let dependency = Dependency::parse(value).unwrap_or_default();
                let added = self.dependencies.add(dependency);
                added.ok_or(ValidateError::TooManyDependencies { offset_bytes })?;
            }
            (_, Some(key)) => {
                self.key_selected = false;
                self.signature = if key.verifies(&self.sha256, value) {
                    Signature::Valid
                } else {
                    Signature::Invalid { offset_bytes, tlv_type }
                };
            }
            (_, None) => {}
        }
        Ok(())
    }

    /// The verdict, when every TLV was seen.
    pub(super) fn conclude(
        self,
        header: ImageHeader,
        image_end_bytes: u32,
        key: Option<&PublicKey>,
    ) -> Result<ValidImage, ValidateError> {
        if !self.hash_matches {
            return Err(ValidateError::HashMissing { other: self.other_hash });
        }
        let signed_by = match (key.map(|key| key.hash()), self.signature, self.key_hash) {
            (None, ..) => None,
            (Some(hash), Signature::Valid, _) => Some(hash),
            (Some(_), Signature::Invalid { offset_bytes, tlv_type }, _) => {
                return Err(ValidateError::SignatureInvalid { offset_bytes, tlv_type });
            }
            (Some(expected), Signature::None, Some(found)) if found != expected => {
                return Err(ValidateError::OtherKey { found, expected });
            }
            (Some(_), Signature::None, _) => return Err(ValidateError::Unsigned),
        };
        Ok(ValidImage {
            header,
            image_end_bytes,
            sha256: self.sha256,
            key_hash: self.key_hash,
            signed_by,
            security_counter: self.security_counter,
            dependencies: self.dependencies,
        })
    }
}
