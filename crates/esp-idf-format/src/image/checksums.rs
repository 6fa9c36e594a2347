//! Corrects checksum and SHA-256 after a change.

use sha2::{Digest, Sha256};

use super::{
    CHECKSUM_SEED, DIGEST_LEN_BYTES, EspImageHeader, ImageError, ImageInfo, add_to_checksum,
    checksum_len_bytes, segments, verify,
};

/// Writes the right checksum, and the right SHA-256 if the header says that there is one, into an
/// image whose header or segments were changed. Bytes after the image are left alone.
///
/// # Errors
///
/// [`ImageError`] if the image is not all there or its header or segments are not valid. It is
/// unchanged then.
pub fn update_checksums(image: &mut [u8]) -> Result<ImageInfo, ImageError> {
    let header = EspImageHeader::parse(image)?;
    let mut checksum = CHECKSUM_SEED;
    let mut walk = segments(image)?;
    for segment in walk.by_ref() {
        checksum = add_to_checksum(checksum, segment?.data);
    }
    let segments_end_bytes = walk.offset_bytes();
    let image_len_bytes = segments_end_bytes.saturating_add(checksum_len_bytes(segments_end_bytes));
    let digest_len_bytes = if header.hash_appended { DIGEST_LEN_BYTES } else { 0 };
    let truncated = ImageError::Truncated {
        found_bytes: u32::try_from(image.len()).unwrap_or(u32::MAX),
        needed_bytes: image_len_bytes.saturating_add(digest_len_bytes),
    };

    let (content, behind) =
        image.split_at_mut_checked(image_len_bytes as usize).ok_or(truncated)?;
    let digest = behind.get_mut(..digest_len_bytes as usize).ok_or(truncated)?;
    if let Some(last) = content.last_mut() {
        *last = checksum;
    }
    if let Some(digest) = digest.first_chunk_mut::<{ DIGEST_LEN_BYTES as usize }>() {
        *digest = Sha256::digest(content).into();
    }
    verify(image)
}
