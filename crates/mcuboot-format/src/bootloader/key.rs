//! The key that a bootloader checks signatures with.
//!
//! ```text
//! bootutil_keys   | address of the DER | address of its length |     boot/.../keys.c
//! ```

use alloc::vec::Vec;

use super::Found;
use super::memory::Memory;
use crate::key::{
    DER_2048, DER_3072, DER_EXPONENT, ED25519_SPKI_PREFIX, KeyKind, P256_SPKI_PREFIX,
};

/// How a key's DER begins, and its length in bytes. ECDSA's and Ed25519's are a
/// `SubjectPublicKeyInfo`, RSA's are PKCS #1 (`imgtool getpub`).
const HEADS: [(KeyKind, &[u8], usize); 4] = [
    (KeyKind::EcdsaP256, &P256_SPKI_PREFIX, 91),
    (KeyKind::Ed25519, &ED25519_SPKI_PREFIX, 44),
    (KeyKind::Rsa2048, &DER_2048, 270),
    (KeyKind::Rsa3072, &DER_3072, 398),
];

/// The generator of P-256 as TinyCrypt has it, and the first constant of SHA-512, which Ed25519
/// needs.
const CURVES: [(KeyKind, &[u8]); 2] = [
    (
        KeyKind::EcdsaP256,
        &[
            0x96, 0xc2, 0x98, 0xd8, 0x45, 0x39, 0xa1, 0xf4, 0xa0, 0x33, 0xeb, 0x2d, 0x81, 0x7d,
            0x03, 0x77, 0xf2, 0x40, 0xa4, 0x63, 0xe5, 0xe6, 0xbc, 0xf8, 0x47, 0x42, 0x2c, 0xe1,
            0xf2, 0xd1, 0x17, 0x6b,
        ],
    ),
    (KeyKind::Ed25519, &[0x22, 0xae, 0x28, 0xd7, 0x98, 0x2f, 0x8a, 0x42]),
];

/// A key that is compiled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompiledKey {
    /// What kind of key it is.
    pub kind: KeyKind,
    /// Its DER, as [`PublicKey::to_der`](crate::key::PublicKey::to_der) has it.
    pub der: Vec<u8>,
}

/// How a bootloader checks signatures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signature {
    /// Not at all: an image's hash is enough.
    None,
    /// With the key that is compiled in.
    Key(CompiledKey),
    /// With a key of that kind, which is not in the file.
    KeyElsewhere(KeyKind),
}

/// How the bootloader checks signatures; `None` if it has several keys.
pub(super) fn signature(memory: &Memory<'_>) -> Option<Found<Signature>> {
    let mut keys = HEADS.into_iter().flat_map(|(kind, head, len_bytes)| {
        memory.find_all(head).filter_map(move |addr| key(memory, kind, addr, len_bytes))
    });
    match (keys.next(), keys.next()) {
        (Some(key), None) => Some(key),
        (Some(_), Some(_)) => None,
        (None, _) => {
            let curve = CURVES
                .into_iter()
                .find_map(|(kind, constant)| Some((kind, memory.place(memory.find(constant)?)?)));
            Some(match curve {
                Some((kind, place)) => {
                    let evidence = "constants of its curve, but no key";
                    Found::likely(Signature::KeyElsewhere(kind), place, evidence)
                }
                None => Found::likely(Signature::None, None, "no key and no curve's constants"),
            })
        }
    }
}

fn key(
    memory: &Memory<'_>,
    kind: KeyKind,
    addr: u32,
    len_bytes: usize,
) -> Option<Found<Signature>> {
    let der = memory.get(addr, len_bytes)?;
    if matches!(kind, KeyKind::Rsa2048 | KeyKind::Rsa3072) && !der.ends_with(&DER_EXPONENT) {
        return None;
    }
    let len = u32::try_from(len_bytes).ok()?;
    let has_len = |pointer: u32| {
        let len_addr = memory.word(pointer.checked_add(4)?)?;
        memory.word(len_addr).filter(|found| *found == len)
    };
    memory.words(addr).find(|pointer| has_len(*pointer).is_some())?;
    let key = CompiledKey { kind, der: der.to_vec() };
    let evidence = "a key with a pointer to it and to its length";
    Some(Found::sure(Signature::Key(key), memory.place(addr), evidence))
}
