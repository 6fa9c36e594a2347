//! The DER of an ECDSA signature (`Ecdsa-Sig-Value`, RFC 3279 section 2.2.3).
//!
//! It is not read by p256, whose general DER parser makes the firmware for ESP32-C3 3,900 bytes
//! larger. The tests compare the two on damaged signatures.
//!
//! ```text
//!   30 len  02 len r  02 len s
//! ```

use p256::ecdsa::Signature;

/// `SEQUENCE`.
const SEQUENCE: u8 = 0x30;
/// `INTEGER`.
const INTEGER: u8 = 0x02;
/// The longest content whose length takes one byte.
const MAX_SHORT_LEN_BYTES: usize = 0x7f;

/// The signature, if `der` is its DER and nothing else.
pub(super) fn from_der(der: &[u8]) -> Option<Signature> {
    let (content, []) = element(der, SEQUENCE)? else { return None };
    let (r, rest) = element(content, INTEGER)?;
    let (s, []) = element(rest, INTEGER)? else { return None };
    Signature::from_scalars(scalar(r)?, scalar(s)?).ok()
}

/// The content of an element at the start, and what follows it. A signature is too short for
/// lengths of more than one byte.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, len_bytes], rest) = der.split_first_chunk()?;
    let len_bytes = usize::from(len_bytes);
    if found != tag || len_bytes > MAX_SHORT_LEN_BYTES {
        return None;
    }
    rest.split_at_checked(len_bytes)
}

/// The number in the content of an `INTEGER`, if it has at most 256 bits and is not negative. DER
/// allows one form: a leading zero is there only if the number would be negative without it.
fn scalar(content: &[u8]) -> Option<[u8; 32]> {
    let digits = match content {
        [0, digits @ ..] if matches!(digits, [0x80..=0xff, ..]) => digits,
        [0x80..=0xff, ..] | [0, _, ..] | [] => return None,
        digits => digits,
    };
    let mut scalar = [0; 32];
    let start = scalar.len().checked_sub(digits.len())?;
    scalar.get_mut(start..)?.copy_from_slice(digits);
    Some(scalar)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;

    use proptest::prelude::*;

    use super::*;

    const R: [u8; 4] = [0x02, 2, 0x12, 0x34];

    fn is_one(r: &[u8], s: &[u8], behind: &[u8]) -> bool {
        let len = u8::try_from(r.len() + s.len()).unwrap();
        let der = [&[SEQUENCE, len], r, s, behind].concat();
        let read = from_der(&der);
        assert_eq!(read, Signature::from_der(&der).ok(), "{der:02x?}");
        read.is_some()
    }

    #[test]
    fn numbers_are_written_in_one_way() {
        assert!(is_one(&R, &R, &[]));
        assert!(is_one(&R, &[2, 2, 0, 0x80], &[]));
        assert!(is_one(&R, &[2, 1, 0x7f], &[]));
        for s in [
            &[2, 0][..],
            &[2, 1, 0],
            &[2, 1, 0x80],
            &[2, 2, 0, 0x7f],
            &[2, 3, 0, 0, 0x80],
            &[2, 2, 1],
            &[2, 0x81, 1, 1],
            &[3, 1, 1],
            &[2, 1, 1, 0],
            &[],
        ] {
            assert!(!is_one(&R, s, &[]), "{s:02x?}");
        }
        assert!(!is_one(&R, &R, &[0]));
    }

    #[test]
    fn numbers_have_256_bits() {
        let number = |first: &[u8], digits: usize| {
            let content = [first, &vec![0x11; digits]].concat();
            [&[2, u8::try_from(content.len()).unwrap()][..], &content].concat()
        };
        assert!(is_one(&number(&[], 32), &number(&[0, 0x80], 31), &[]));
        assert!(!is_one(&number(&[], 33), &R, &[]));
        assert!(!is_one(&R, &number(&[0, 0x80], 32), &[]));
        assert!(!is_one(&R, &number(&[0, 0xff, 0xff, 0xff, 0xff, 0xff], 27), &[]));
    }

    proptest! {
        #[test]
        fn as_p256_reads_it(
            r: [u8; 32],
            s: [u8; 32],
            at: prop::sample::Index,
            by: u8,
            keep: prop::sample::Index,
        ) {
            let Ok(signature) = Signature::from_scalars(r, s) else { return Ok(()) };
            let mut der = signature.to_der().as_bytes().to_vec();
            prop_assert_eq!(from_der(&der), Some(signature));
            let at = at.index(der.len());
            der[at] ^= by;
            prop_assert_eq!(from_der(&der), Signature::from_der(&der).ok());
            der.truncate(keep.index(der.len() + 1));
            prop_assert_eq!(from_der(&der), Signature::from_der(&der).ok());
        }
    }
}
