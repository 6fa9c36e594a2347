//! App and bootloader images, and the descriptions in them.

use esp_idf_format::app_desc::{AppDescription, DescriptionError};
use esp_idf_format::bootloader_desc::BootloaderDescription;
use esp_idf_format::image::{
    EspImageHeader, HEADER_LEN_BYTES, ImageError, ImageInfo, ImageVerifier, segments,
    update_checksums, verify,
};
use sha2::{Digest, Sha256};

use crate::cut::{lens, pieces};

/// Verifies an image in one piece and in many, unchanged and with corrected checksums.
///
/// The input is an image.
pub fn esp_image(input: &[u8]) {
    descriptions(input);
    let whole = check(input);
    let mut corrected = input.to_vec();
    match update_checksums(&mut corrected) {
        Ok(info) => {
            assert_eq!(check(&corrected), Ok(info));
            check_corrected(input, &corrected, &info);
            assert!(whole.is_err() || corrected == input, "corrected a good image");
        }
        Err(error) => {
            assert!(whole.is_err(), "cannot be corrected: {error}");
            assert_eq!(corrected, input, "changed although it failed");
        }
    }
}

fn check(image: &[u8]) -> Result<ImageInfo, ImageError> {
    let whole = verify(image);
    let mut verifier = ImageVerifier::new();
    let mut pushed = Ok(());
    for piece in pieces(image, lens(image)) {
        let was = pushed;
        pushed = verifier.push(piece);
        assert!(was.is_ok() || was == pushed, "an error disappears");
    }
    let (complete, total) = (verifier.is_complete(), verifier.total_len_bytes());
    assert_eq!(verifier.finish(), whole, "in pieces");
    assert_eq!(complete, whole.is_ok());
    match &whole {
        Ok(info) => {
            assert_eq!(total, Some(info.total_len_bytes));
            check_good(image, info);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    for max_bytes in [image.len() as u32 / 2, image.len() as u32] {
        check_max_len(image, max_bytes, &whole);
    }
    whole
}

/// A limit refuses what is longer, and nothing else.
fn check_max_len(image: &[u8], max_bytes: u32, unlimited: &Result<ImageInfo, ImageError>) {
    let mut verifier = ImageVerifier::with_max_len(max_bytes);
    let limited = verifier.push(image).and_then(|()| verifier.finish());
    match unlimited {
        Ok(info) if info.total_len_bytes > max_bytes => {
            let needed_bytes = |error| match error {
                ImageError::TooLong { needed_bytes, .. } => Some(needed_bytes),
                _ => None,
            };
            assert!(limited.err().and_then(needed_bytes).is_some_and(|len| len > max_bytes));
        }
        Ok(_) => assert_eq!(&limited, unlimited),
        Err(_) => assert!(limited.is_err()),
    }
}

/// Checks what the verifier returns for a good image, without it.
fn check_good(image: &[u8], info: &ImageInfo) {
    let ImageInfo { header, image_len_bytes, total_len_bytes, .. } = *info;
    let (hashed, behind) = image.split_at(image_len_bytes as usize);
    assert_eq!(image_len_bytes % 16, 0);
    assert_eq!(total_len_bytes, image_len_bytes + if header.hash_appended { 32 } else { 0 });
    let digest = header.hash_appended.then(|| <[u8; 32]>::from(Sha256::digest(hashed)));
    assert_eq!(info.digest, digest);
    assert_eq!(digest.map(|digest| behind.starts_with(&digest)), digest.map(|_| true));

    let (mut checksum, mut at, mut count) = (0xef, HEADER_LEN_BYTES, 0);
    for segment in segments(image).expect("a header") {
        let segment = segment.expect("a segment");
        assert_eq!(segment.data_offset_bytes, at + 8);
        assert_eq!(segment.header.len_bytes as usize, segment.data.len());
        checksum = segment.data.iter().fold(checksum, |sum, byte| sum ^ byte);
        at += 8 + segment.header.len_bytes;
        count += 1;
    }
    assert_eq!((checksum, Some(&checksum)), (info.checksum, hashed.last()));
    assert_eq!(count, header.segment_count);
    assert!(at < image_len_bytes && image_len_bytes - at <= 16);

    let parsed = EspImageHeader::parse(&header.to_bytes());
    assert_eq!(parsed, Ok(header));
    // Without its last byte, the error says how long it should be.
    let short = verify(&image[..total_len_bytes as usize - 1]);
    let found_bytes = total_len_bytes - 1;
    assert_eq!(short, Err(ImageError::Truncated { found_bytes, needed_bytes: total_len_bytes }));
}

/// A correction changes checksum and digest only.
fn check_corrected(before: &[u8], after: &[u8], info: &ImageInfo) {
    assert_eq!(before.len(), after.len());
    let checksum_at = info.image_len_bytes as usize - 1;
    let changed = checksum_at..info.total_len_bytes as usize;
    for (at, (before, after)) in before.iter().zip(after).enumerate() {
        assert!(before == after || changed.contains(&at), "byte {at} changed");
    }
}

fn descriptions(bytes: &[u8]) {
    let app = AppDescription::parse(bytes);
    if let Ok(app) = &app {
        assert_eq!(AppDescription::parse(&app.to_bytes()), Ok(*app));
        assert!(!format!("{} {}", app.project_name, app.version).contains(char::is_control));
    }
    let bootloader = BootloaderDescription::parse(bytes);
    if let Ok(bootloader) = &bootloader {
        assert_eq!(BootloaderDescription::parse(&bootloader.to_bytes()), Ok(*bootloader));
        assert!(!bootloader.idf_ver.to_string().contains(char::is_control));
    }
    for error in [app.err(), bootloader.err()].into_iter().flatten() {
        let short = matches!(error, DescriptionError::TooShort { .. });
        assert!(short || bytes.len() >= 80, "{error}");
    }
}
