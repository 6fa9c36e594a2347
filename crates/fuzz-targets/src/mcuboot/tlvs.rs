//! The TLVs behind a payload, as a list and as the validator reads them.

use mcuboot_format::tlv::{TlvType, Tlvs};
use mcuboot_format::{ImageHeader, SlotLimits, validate};
use sha2::{Digest, Sha256};

use super::image::{check_valid, in_pieces};

/// Reads the TLVs of an image and validates it, unchanged and with a corrected hash.
///
/// The input is an image; its first word is made the magic.
pub fn mcuboot_tlvs(input: &[u8]) {
    let mut image = input.to_vec();
    if let Some(magic) = image.first_chunk_mut() {
        *magic = mcuboot_format::IMAGE_MAGIC.to_le_bytes();
    }
    check(&image);
    if correct(&mut image) {
        check(&image);
    }
}

/// Corrects the hash in every TLV that holds one; returns whether that changed anything.
pub(super) fn correct(image: &mut [u8]) -> bool {
    let Ok(header) = ImageHeader::parse(image) else { return false };
    let Ok(tlvs) = Tlvs::parse(image, &header) else { return false };
    let hashed = header.hashed_len_bytes().expect("an image in memory") as usize;
    let sha256: [u8; 32] = Sha256::digest(&image[..hashed]).into();
    let hashes = tlvs.iter().filter(|tlv| {
        tlv.tlv_type == TlvType::SHA256 && !tlv.protected && tlv.value.len() == sha256.len()
    });
    let places: Vec<usize> = hashes.map(|tlv| tlv.offset_bytes as usize + 4).collect();
    let mut changed = false;
    for at in places {
        changed |= image[at..at + sha256.len()] != sha256;
        image[at..at + sha256.len()].copy_from_slice(&sha256);
    }
    changed
}

fn check(image: &[u8]) {
    let len_bytes = image.len() as u32;
    let limits = SlotLimits { slot_len_bytes: len_bytes, max_image_len_bytes: len_bytes };
    let verdict = validate(image, limits, None);
    assert_eq!(in_pieces(image, limits, None), verdict);
    let listed = ImageHeader::parse(image).map(|header| (header, Tlvs::parse(image, &header)));
    match &verdict {
        Ok(valid) => check_valid(image, limits, None, valid),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok((_, Err(error))) = &listed {
        assert!(!error.to_string().is_empty());
    }
    if let Ok((header, Ok(tlvs))) = listed {
        check_list(image, &header, &tlvs);
    }
}

/// Checks that each TLV follows the one before it, in its area, up to the image's end.
fn check_list(image: &[u8], header: &ImageHeader, tlvs: &Tlvs<'_>) {
    let start = header.tlv_offset_bytes().expect("checked when the TLVs were read");
    let protected_end = start + u32::from(header.protect_tlv_size);
    let mut at = start + 4;
    for tlv in tlvs.iter() {
        if header.protect_tlv_size > 0 && at == protected_end {
            at += 4;
        }
        assert_eq!(tlv.offset_bytes, at);
        assert_eq!(tlv.protected, at < protected_end);
        at += 4 + tlv.value.len() as u32;
        assert!(!tlv.protected || at <= protected_end);
        assert_eq!(tlv.value, &image[at as usize - tlv.value.len()..at as usize]);
    }
    // An empty second area is after the last protected TLV, and none of it is in the list.
    let empty_area = header.protect_tlv_size > 0 && at == protected_end;
    assert_eq!(tlvs.end_bytes(), if empty_area { at + 4 } else { at });
    assert!(tlvs.end_bytes() as usize <= image.len());
}
