//! The encoding in an RSA signature: `EMSA-PSS` with SHA-256, RFC 8017 section 9.1.
//!
//! ```text
//!   | masked: 00 .. 00 01 | salt: 32 bytes | | H: 32 bytes | bc |
//!       ^--- MGF1(H) -----------------------'      '--- SHA-256(8 zeros, digest, salt)
//! ```
//!
//! Salt of another length is refused, as bootutil refuses it (boot/bootutil/src/image_rsa.c).

use sha2::{Digest, Sha256};

/// Bytes of a digest, and of the salt.
const LEN_BYTES: usize = 32;
/// The last byte (`bc`, RFC 8017 section 9.1.1).
const END: u8 = 0xbc;
/// Bits of the first byte that must be zero, masked and unmasked: the message has one bit less than
/// the modulus.
const UNUSED_BITS: u8 = 0x80;

/// Whether a message, as long as the modulus, is the encoding of that digest (`EMSA-PSS-VERIFY`).
pub(super) fn verifies(digest: &[u8; LEN_BYTES], message: &[u8]) -> bool {
    let Some((message, end)) = message.split_last_chunk::<1>() else { return false };
    let Some((masked, hash)) = message.split_last_chunk::<LEN_BYTES>() else { return false };
    let is_short = masked.first().is_some_and(|first| first & UNUSED_BITS == 0);
    if *end != [END] || !is_short {
        return false;
    }
    let mut salt = [0; LEN_BYTES];
    let Some(salt_at) = masked.len().checked_sub(LEN_BYTES) else { return false };
    let mut is_padded = true;
    for (block, masked) in (0u32..).zip(masked.chunks(LEN_BYTES)) {
        let mask = Sha256::new().chain_update(hash).chain_update(block.to_be_bytes()).finalize();
        for (i, (masked, mask)) in masked.iter().zip(mask).enumerate() {
            let at = block as usize * LEN_BYTES + i;
            let unused = if at == 0 { UNUSED_BITS } else { 0 };
            let byte = (masked ^ mask) & !unused;
            match at.checked_sub(salt_at) {
                None => is_padded &= byte == u8::from(at + 1 == salt_at),
                Some(at) => salt.iter_mut().skip(at).take(1).for_each(|to| *to = byte),
            }
        }
    }
    let found = Sha256::new().chain_update([0; 8]).chain_update(digest).chain_update(salt);
    is_padded && <[u8; LEN_BYTES]>::from(found.finalize()) == *hash
}
