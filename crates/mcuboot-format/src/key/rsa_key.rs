//! RSA keys, as a bootloader uses them: to check signatures, without an allocator.
//!
//! ```text
//!   30 82 LL LL                          SEQUENCE: RSAPublicKey, RFC 8017 appendix A.1.1
//!      02 82 LL LL 00 | 256, 384 bytes   INTEGER: modulus of 2048 or 3072 bits
//!      02 03 01 00 01                    INTEGER: exponent 65537
//! ```
//!
//! The arithmetic is that of crypto-bigint, which is linked for P-256 already. It has 3072 bits for
//! both sizes, so that its code is there once. Nothing here is secret.

use p256::elliptic_curve::bigint::modular::runtime_mod::{DynResidue, DynResidueParams};
use p256::elliptic_curve::bigint::{Encoding, U3072};
use pkcs8::der::asn1::UintRef;
use pkcs8::der::{Decode, Reader, SliceReader};

use super::{KeyError, KeyKind, pss};

/// Bytes of the largest modulus.
const MAX_LEN_BYTES: usize = 384;
/// The exponent of every key that imgtool makes: 65537, which is a power of two and one.
const EXPONENT: [u8; 3] = [1, 0, 1];
/// How often a number is squared for that power of two.
const SQUARINGS: u32 = 16;

/// How a `RSAPublicKey` (RFC 8017, appendix A.1.1) of each size begins, and how it ends: with that
/// exponent.
pub(crate) const DER_2048: [u8; 9] = [0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
pub(crate) const DER_3072: [u8; 9] = [0x30, 0x82, 0x01, 0x8a, 0x02, 0x82, 0x01, 0x81, 0x00];
pub(crate) const DER_EXPONENT: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

/// `SubjectPublicKeyInfo` (RFC 5280 section 4.1) up to such a `RSAPublicKey`.
const SPKI_2048: [u8; 24] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
];
const SPKI_3072: [u8; 24] = [
    0x30, 0x82, 0x01, 0xa2, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x8f, 0x00,
];

/// An RSA key of one of the two sizes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RsaKey {
    kind: KeyKind,
    /// The modulus, big endian; a modulus of 2048 bits has leading zeros.
    modulus: [u8; MAX_LEN_BYTES],
}

impl RsaKey {
    /// The key in a `RSAPublicKey`, or what is wrong with it; `None` if the DER is something else.
    pub(super) fn from_pkcs1_der(der: &[u8]) -> Option<Result<Self, KeyError>> {
        let mut reader = SliceReader::new(der).ok()?;
        let numbers = reader.sequence(|inner| {
            let modulus = UintRef::decode(inner)?;
            Ok((modulus, UintRef::decode(inner)?))
        });
        let (modulus, exponent) = numbers.ok()?;
        reader.finish(()).ok()?;
        Some(Self::new(modulus.as_bytes(), exponent.as_bytes()))
    }

    fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let unused = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
        let kind = match modulus.len() * 8 - unused {
            2048 => KeyKind::Rsa2048,
            3072 => KeyKind::Rsa3072,
            bits => return Err(KeyError::RsaSize { bits }),
        };
        if exponent != EXPONENT {
            return Err(KeyError::RsaExponent);
        }
        Self::of(kind, modulus).ok_or(KeyError::Value)
    }

    /// The key in the one DER that a key of these sizes has, or in the `SubjectPublicKeyInfo`
    /// around that.
    pub(super) fn from_known_der(der: &[u8]) -> Option<Self> {
        let inner = der.strip_prefix(&SPKI_2048).or_else(|| der.strip_prefix(&SPKI_3072));
        let der = inner.unwrap_or(der);
        let (kind, rest) = match der.strip_prefix(&DER_2048) {
            Some(rest) => (KeyKind::Rsa2048, rest),
            None => (KeyKind::Rsa3072, der.strip_prefix(&DER_3072)?),
        };
        Self::of(kind, rest.strip_suffix(&DER_EXPONENT)?)
    }

    /// The key with a modulus of all of its bits, which is odd.
    fn of(kind: KeyKind, bytes: &[u8]) -> Option<Self> {
        let has_all_bits = bytes.first().is_some_and(|first| *first >= 0x80);
        let is_odd = bytes.last().is_some_and(|last| last & 1 == 1);
        let is_whole = bytes.len() == usize::from(kind.signature_len_bytes());
        (has_all_bits && is_odd && is_whole).then(|| Self { kind, modulus: padded(bytes) })
    }

    pub(super) const fn kind(&self) -> KeyKind {
        self.kind
    }

    fn modulus(&self) -> &[u8] {
        tail(&self.modulus, self.kind)
    }

    /// Hands the `RSAPublicKey` on, in pieces.
    pub(super) fn write_der(&self, mut write: impl FnMut(&[u8])) {
        write(if self.kind == KeyKind::Rsa2048 { &DER_2048 } else { &DER_3072 });
        write(self.modulus());
        write(&DER_EXPONENT);
    }

    /// Whether that is this key's signature of that digest (`RSASSA-PSS-VERIFY`, RFC 8017 section
    /// 8.1.2).
    // Not inlined among the other kinds: numbers of 3072 bits make its stack frame too large for
    // the short forms of RISC-V's loads and stores.
    #[inline(never)]
    pub(super) fn verifies(&self, digest: &[u8; 32], signature: &[u8]) -> bool {
        if signature.len() != self.modulus().len() {
            return false;
        }
        let modulus = U3072::from_be_bytes(self.modulus);
        let signature = U3072::from_be_bytes(padded(signature));
        // `RSAVP1`: a number that is not below the modulus is none.
        if signature >= modulus {
            return false;
        }
        let base = DynResidue::new(&signature, DynResidueParams::new(&modulus));
        let power = (0..SQUARINGS).fold(base, |power, _| power.square());
        let message = power.mul(&base).retrieve().to_be_bytes();
        // With a modulus of whole bytes the message has as many, and its first bit is 0.
        pss::verifies(digest, tail(&message, self.kind))
    }
}

/// The bytes with leading zeros; only zeros if there are too many bytes.
fn padded(bytes: &[u8]) -> [u8; MAX_LEN_BYTES] {
    let mut out = [0; MAX_LEN_BYTES];
    if let Some((_, to)) =
        MAX_LEN_BYTES.checked_sub(bytes.len()).and_then(|at| out.split_at_mut_checked(at))
    {
        to.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    }
    out
}

/// The last bytes, as many as a modulus of that kind has.
fn tail(bytes: &[u8; MAX_LEN_BYTES], kind: KeyKind) -> &[u8] {
    let skip = MAX_LEN_BYTES.saturating_sub(usize::from(kind.signature_len_bytes()));
    bytes.get(skip..).unwrap_or_default()
}
