//! Images good and hostile, in pieces of every length.

extern crate std;

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// A header, one segment of 16 bytes, padding, checksum, and no more: everything by hand.
fn by_hand() -> Vec<u8> {
    let mut image = vec![
        0xe9, 1, 2, 0x20, 0x00, 0x00, 0x38, 0x40, // one segment, DIO, 4 MB, entry 0x40380000
        0xee, 0, 0, 0, 5, 0, 3, 0x2c, 1, 0xc7, 0, 0, 0, 0, 0, 0, // ESP32-C3, no SHA-256
        0x00, 0x00, 0x38, 0x40, 16, 0, 0, 0, // segment header
    ];
    image.extend(1..=16);
    image.resize(63, 0);
    image.push((1..=16).fold(0xef, |sum, byte| sum ^ byte));
    image
}

/// The same image with its SHA-256.
fn with_digest() -> Vec<u8> {
    let mut image = by_hand();
    image[23] = 1;
    image.extend([0; 32]);
    update_checksums(&mut image).unwrap();
    image
}

/// An image of so many segments, each of that length, that is not there.
fn claims(segment_count: u8, len_bytes: u32) -> Vec<u8> {
    let mut image = by_hand();
    image[1] = segment_count;
    image[28..32].copy_from_slice(&len_bytes.to_le_bytes());
    image
}

#[cfg(feature = "alloc")]
fn verify_in_pieces(
    image: &[u8],
    mut lens: impl Iterator<Item = usize>,
) -> Result<ImageInfo, ImageError> {
    let mut verifier = ImageVerifier::new();
    let mut rest = image;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(lens.next().unwrap().min(rest.len()));
        verifier.push(piece)?;
        rest = behind;
    }
    verifier.finish()
}

#[test]
fn a_header_has_its_fields_where_esp_idf_has_them() {
    let header = EspImageHeader::parse(&by_hand()).unwrap();
    assert_eq!(
        header,
        EspImageHeader {
            segment_count: 1,
            spi_mode: 2,
            spi_speed: 0,
            spi_size: 2,
            entry_addr: 0x4038_0000,
            wp_pin: 0xee,
            spi_pin_drv: [0; 3],
            chip_id: 5,
            min_chip_rev: 3,
            min_chip_rev_full: 300,
            max_chip_rev_full: 199,
            reserved: [0; 4],
            hash_appended: false,
        }
    );
    assert_eq!(header.to_bytes(), by_hand()[..24]);
    assert_eq!(header.chip(), Some(crate::Chip::Esp32c3));
    assert_eq!(header.flash_mode(), Some(FlashMode::Dio));
    assert_eq!(header.flash_freq(), Some(FlashFreq::Mhz40));
    assert_eq!(header.flash_size(), Some(FlashSize::Mb4));
}

#[test]
fn a_good_image_is_described() {
    let info = verify(&by_hand()).unwrap();
    assert_eq!((info.image_len_bytes, info.total_len_bytes), (64, 64));
    assert_eq!(info.checksum, 0xef ^ 16);
    assert_eq!((info.digest, info.app_desc, info.bootloader_desc), (None, None, None));

    let image = with_digest();
    let info = verify(&image).unwrap();
    assert_eq!((info.image_len_bytes, info.total_len_bytes), (64, 96));
    assert_eq!(info.digest.unwrap(), image[64..]);
}

#[test]
fn what_follows_an_image_is_ignored() {
    let mut image = with_digest();
    let alone = verify(&image);
    image.extend([0xa5; 5000]);
    assert_eq!(verify(&image), alone);
    assert_eq!(update_checksums(&mut image), alone);
}

#[test]
fn a_checksum_alone_in_its_sixteen_bytes_is_found() {
    // The segment ends at a multiple of 16, so that the padding is as long as it can be.
    let mut image = by_hand();
    image[28] = 24;
    image.truncate(32);
    image.extend([3; 24]);
    image.resize(80, 0);
    // 24 + 8 + 24 = 56, so the checksum is byte 63.
    image.truncate(64);
    let info = update_checksums(&mut image).unwrap();
    assert_eq!(info.image_len_bytes, 64);
    // 24 + 8 + 32 = 64, so the checksum is byte 79.
    image[28] = 32;
    image.resize(80, 0);
    assert_eq!(update_checksums(&mut image).unwrap().image_len_bytes, 80);
    assert_eq!(
        verify(&image[..79]),
        Err(ImageError::Truncated { found_bytes: 79, needed_bytes: 80 })
    );
}

#[test]
fn padding_may_have_any_contents() {
    let mut image = by_hand();
    image[48..63].fill(0xff);
    assert!(verify(&image).is_ok());
}

#[test]
fn any_flipped_bit_is_noticed() {
    let good = with_digest();
    for bit in 0..good.len() * 8 {
        let mut image = good.clone();
        image[bit / 8] ^= 1 << (bit % 8);
        match verify(&image) {
            // Without its one bit the header says that there is no SHA-256, and only the checksum
            // is left. Other bits there do not change what it says.
            Ok(info) if bit == 23 * 8 => assert_eq!(info.digest, None),
            Ok(info) => panic!("bit {bit} flipped: {info:?}"),
            Err(_) => {}
        }
    }
}

#[test]
fn the_first_byte_distinguishes_an_image_from_a_web_page() {
    let mut verifier = ImageVerifier::new();
    let refused = Err(ImageError::BadMagic { offset_bytes: 0, found: b'<' });
    assert_eq!(verifier.push(b"<"), refused);
    assert_eq!(verifier.push(&by_hand()), refused, "an error is not forgotten");
    assert!(!verifier.is_complete());
    assert_eq!(verifier.finish().map(|_| ()), refused);
    assert_eq!(EspImageHeader::parse(b"<html>").map(|_| ()), refused);
}

#[test]
fn an_image_that_ends_anywhere_is_truncated() {
    let image = with_digest();
    for found in 0..image.len() {
        let Err(ImageError::Truncated { found_bytes, needed_bytes }) = verify(&image[..found])
        else {
            panic!("{found} bytes verified");
        };
        assert_eq!(found_bytes as usize, found);
        assert!(needed_bytes as usize > found && needed_bytes as usize <= image.len());
        // Changed, so that mending would have something to do.
        let mut cut = image[..found].to_vec();
        if let Some(byte) = cut.get_mut(40) {
            *byte ^= 1;
        }
        let before = cut.clone();
        assert!(update_checksums(&mut cut).is_err());
        assert_eq!(cut, before, "{found}");
    }
    let exact = verify(&image[..40]);
    assert_eq!(exact, Err(ImageError::Truncated { found_bytes: 40, needed_bytes: 96 }));
}

#[test]
fn segment_counts_out_of_range_are_refused() {
    for count in [0, 17, 255] {
        let refused = Err(ImageError::SegmentCount { offset_bytes: 1, found: count });
        assert_eq!(verify(&claims(count, 16)), refused);
        assert_eq!(segments(&claims(count, 16)).map(|_| ()), refused.map(|_: ImageInfo| ()));
    }
}

#[test]
fn segment_lengths_that_overflow_are_refused() {
    for len in [u32::MAX, u32::MAX - 3, 0x8000_0000, MAX_SEGMENT_LEN_BYTES, 1, 2, 3, 15] {
        let refused = ImageError::SegmentLength { offset_bytes: 28, index: 0, found: len };
        assert_eq!(verify(&claims(1, len)), Err(refused));
        assert_eq!(update_checksums(&mut claims(1, len)), Err(refused));
    }
    assert_eq!(
        verify(&claims(1, MAX_SEGMENT_LEN_BYTES - 4)),
        Err(ImageError::Truncated { found_bytes: 64, needed_bytes: 0x100_0020 })
    );
}

#[test]
fn the_largest_image_there_can_be_does_not_overflow() {
    let mut verifier = ImageVerifier::new();
    let mut header = EspImageHeader::new(crate::Chip::Esp32, MAX_SEGMENTS, 0);
    header.hash_appended = false;
    verifier.push(&header.to_bytes()).unwrap();
    let data = vec![0; (MAX_SEGMENT_LEN_BYTES - 4) as usize];
    let segment = SegmentHeader { load_addr: 0, len_bytes: MAX_SEGMENT_LEN_BYTES - 4 };
    for _ in 0..MAX_SEGMENTS {
        assert_eq!(verifier.total_len_bytes(), None);
        verifier.push(&segment.to_bytes()).unwrap();
        verifier.push(&data).unwrap();
    }
    let total = 24 + 16 * (8 + MAX_SEGMENT_LEN_BYTES - 4) + 8;
    assert_eq!(verifier.total_len_bytes(), Some(total));
    // Zeros leave the checksum as it began.
    verifier.push(&[0, 0, 0, 0, 0, 0, 0, 0xef]).unwrap();
    assert_eq!(verifier.finish().unwrap().total_len_bytes, total);
}

#[test]
fn an_image_that_does_not_fit_is_refused_from_its_segment_header() {
    let image = with_digest();
    let too_long = Err(ImageError::TooLong { needed_bytes: 96, max_bytes: 95 });
    let mut verifier = ImageVerifier::with_max_len(95);
    assert_eq!(verifier.push(&image[..31]), Ok(()));
    assert_eq!(verifier.push(&image[31..32]), too_long);
    let mut verifier = ImageVerifier::with_max_len(96);
    assert_eq!(verifier.push(&image), Ok(()));
    assert!(verifier.is_complete());
}

#[test]
fn the_length_is_known_from_the_last_segment_header_on() {
    let image = with_digest();
    let mut verifier = ImageVerifier::new();
    for (taken, byte) in image.iter().enumerate() {
        assert_eq!(verifier.total_len_bytes(), (taken >= 32).then_some(96), "{taken} bytes");
        verifier.push(&[*byte]).unwrap();
    }
    assert_eq!(verifier.total_len_bytes(), Some(96));
}

#[test]
fn a_wrong_checksum_and_a_wrong_digest_are_different_errors() {
    let mut image = with_digest();
    image[40] ^= 0x80;
    assert_eq!(
        verify(&image),
        Err(ImageError::Checksum { offset_bytes: 63, stored: 0xff, computed: 0x7f })
    );
    let mut image = with_digest();
    image[4] ^= 1;
    assert!(matches!(verify(&image), Err(ImageError::Digest { offset_bytes: 64, .. })));
}

#[test]
fn a_changed_flash_size_gets_right_checksums() {
    let mut image = with_digest();
    image[3] = FlashSize::Mb16.raw() << 4;
    assert!(verify(&image).is_err());
    let info = update_checksums(&mut image).unwrap();
    assert_eq!(info.header.flash_size(), Some(FlashSize::Mb16));
    assert_eq!(verify(&image), Ok(info));
}

#[test]
fn the_verifier_stays_small() {
    assert!(size_of::<ImageVerifier>() <= 640, "{} bytes", size_of::<ImageVerifier>());
}

fn headers() -> impl Strategy<Value = EspImageHeader> {
    let flash = (any::<u8>(), 0u8..16, 0u8..16);
    let revisions = (any::<u8>(), any::<u16>(), any::<u16>());
    let pins = (any::<u8>(), any::<[u8; 3]>());
    (
        1..=MAX_SEGMENTS,
        flash,
        any::<u32>(),
        pins,
        any::<u16>(),
        revisions,
        any::<[u8; 4]>(),
        any::<bool>(),
    )
        .prop_map(
            |(segment_count, flash, entry_addr, pins, chip_id, revisions, reserved, hash)| {
                EspImageHeader {
                    segment_count,
                    spi_mode: flash.0,
                    spi_speed: flash.1,
                    spi_size: flash.2,
                    entry_addr,
                    wp_pin: pins.0,
                    spi_pin_drv: pins.1,
                    chip_id,
                    min_chip_rev: revisions.0,
                    min_chip_rev_full: revisions.1,
                    max_chip_rev_full: revisions.2,
                    reserved,
                    hash_appended: hash,
                }
            },
        )
}

proptest! {
    #[test]
    fn header_parses_what_it_emits(header in headers()) {
        prop_assert_eq!(EspImageHeader::parse(&header.to_bytes()), Ok(header));
    }

    #[test]
    fn never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..200), hostile_len: u32) {
        if let Some(first) = bytes.first_mut() {
            *first = IMAGE_MAGIC;
        }
        if bytes.len() > 32 {
            bytes[1] %= 20;
            bytes[28..32].copy_from_slice(&(hostile_len % 128).to_le_bytes());
        }
        let _ = verify(&bytes);
        if let Ok(walk) = segments(&bytes) {
            prop_assert!(walk.count() <= usize::from(MAX_SEGMENTS));
        }
        if let Ok(info) = update_checksums(&mut bytes) {
            prop_assert_eq!(verify(&bytes), Ok(info));
        }
    }
}

#[cfg(feature = "alloc")]
mod built {
    use super::*;
    use crate::app_desc::AppDescription;
    use crate::bootloader_desc::BootloaderDescription;
    use crate::{Chip, FixedText};

    fn images() -> impl Strategy<Value = (Vec<(u32, Vec<u8>)>, bool)> {
        let data = prop::collection::vec(any::<u8>(), 0..600);
        (prop::collection::vec((any::<u32>(), data), 1..=16), any::<bool>())
    }

    fn build(segments: &[(u32, Vec<u8>)], hash_appended: bool) -> Vec<u8> {
        segments
            .iter()
            .fold(ImageBuilder::new(Chip::Esp32s3), |builder, (load_addr, data)| {
                builder.segment(*load_addr, data)
            })
            .hash_appended(hash_appended)
            .build()
            .unwrap()
    }

    #[test]
    fn fields_of_the_builder_end_up_in_the_header() {
        let image = ImageBuilder::new(Chip::Esp32h2)
            .entry_addr(0x1234)
            .flash_mode(FlashMode::Qio)
            .flash_freq(FlashFreq::Mhz48)
            .flash_size(FlashSize::Mb2)
            .segment(0x4080_0000, b"abc")
            .build()
            .unwrap();
        let header = verify(&image).unwrap().header;
        assert_eq!(header.entry_addr, 0x1234);
        assert_eq!(header.chip(), Some(Chip::Esp32h2));
        assert_eq!(header.flash_mode(), Some(FlashMode::Qio));
        assert_eq!(header.flash_freq(), Some(FlashFreq::Mhz48));
        assert_eq!(header.flash_size(), Some(FlashSize::Mb2));
        let segment = segments(&image).unwrap().next().unwrap().unwrap();
        assert_eq!((segment.data, segment.data_offset_bytes), (b"abc\0".as_slice(), 32));
    }

    #[test]
    fn parts_that_make_no_image_are_refused() {
        let empty = ImageBuilder::new(Chip::Esp32);
        assert_eq!(empty.clone().build(), Err(BuildError::SegmentCount { found: 0 }));
        let full = (0..17).fold(empty.clone(), |builder, _| builder.segment(0, &[]));
        assert_eq!(full.build(), Err(BuildError::SegmentCount { found: 17 }));
        assert_eq!(
            empty.clone().segment(0, &[]).flash_freq(FlashFreq::Mhz48).build(),
            Err(BuildError::FlashFreq { chip: Chip::Esp32, freq: FlashFreq::Mhz48 })
        );
        let data = vec![0; MAX_SEGMENT_LEN_BYTES as usize];
        assert_eq!(
            empty.segment(0, &[]).segment(0, &data).build(),
            Err(BuildError::SegmentLength { index: 1, found_bytes: 0x100_0000 })
        );
    }

    #[test]
    fn descriptions_are_found() {
        let app =
            AppDescription::new(FixedText::new("hello").unwrap(), FixedText::new("v1.0").unwrap());
        let image = ImageBuilder::new(Chip::Esp32c6)
            .app_segment(0x4200_0020, &app, b"code")
            .build()
            .unwrap();
        let in_pieces = verify_in_pieces(&image, std::iter::repeat(7)).unwrap();
        assert_eq!(in_pieces.app_desc, Some(app));
        assert_eq!(in_pieces.bootloader_desc, None);

        let bootloader = BootloaderDescription {
            secure_version: 0,
            version: 1,
            idf_ver: FixedText::new("v5.4").unwrap(),
            date_time: FixedText::EMPTY,
        };
        let image = ImageBuilder::new(Chip::Esp32c6)
            .bootloader_segment(0x4087_5730, &bootloader, &[])
            .segment(0x4087_0000, b"code")
            .build()
            .unwrap();
        assert_eq!(verify(&image).unwrap().bootloader_desc, Some(bootloader));
        assert_eq!(verify(&image).unwrap().app_desc, None);
    }

    #[test]
    fn a_description_does_not_reach_into_the_second_segment() {
        let bytes = AppDescription::new(FixedText::EMPTY, FixedText::EMPTY).to_bytes();
        let image = ImageBuilder::new(Chip::Esp32)
            .segment(0, &bytes[..128])
            .segment(0, &bytes[128..])
            .build()
            .unwrap();
        assert_eq!(verify(&image).unwrap().app_desc, None);
    }

    proptest! {
        #[test]
        fn verifies_what_it_builds((parts, hash_appended) in images()) {
            let image = build(&parts, hash_appended);
            let info = verify(&image).unwrap();
            prop_assert_eq!(info.total_len_bytes as usize, image.len());
            prop_assert_eq!(info.digest.is_some(), hash_appended);
            let found: Vec<_> = segments(&image).unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(found.len(), parts.len());
            for (segment, (load_addr, data)) in found.iter().zip(&parts) {
                prop_assert_eq!(segment.header.load_addr, *load_addr);
                prop_assert_eq!(&segment.data[..data.len()], data.as_slice());
                prop_assert!(segment.data.len() - data.len() < 4);
            }
        }

        #[test]
        fn pieces_of_any_length_give_the_same_result(
            (parts, hash_appended) in images(),
            lens in prop::collection::vec(1usize..200, 1..20),
            broken in prop::option::of((any::<prop::sample::Index>(), 1u8..)),
        ) {
            let mut image = build(&parts, hash_appended);
            if let Some((at, mask)) = broken {
                let at = at.index(image.len());
                image[at] ^= mask;
            }
            let whole = verify(&image);
            prop_assert_eq!(verify_in_pieces(&image, lens.into_iter().cycle()), whole);
        }
    }
}
