extern crate std;

use std::string::ToString;

use proptest::prelude::*;

use super::*;
use crate::trailer::{Magic, TrailerError, TrailerLayout, TrailerState};
use crate::{SlotLimits, validate};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

const SLOT_LEN_BYTES: u32 = 0x2_0000;

fn espressif() -> SignOptions<'static> {
    SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch)
}

fn layout(config: TrailerConfig) -> TrailerLayout {
    TrailerLayout::new(Region::clamped(FlashAddr::ZERO, SLOT_LEN_BYTES), config).unwrap()
}

fn state(image: &[u8], config: TrailerConfig) -> TrailerState {
    TrailerState::parse(&layout(config), image).unwrap()
}

#[test]
fn room_for_the_header_is_added_or_part_of_the_payload() {
    let options = SignOptions { header_len_bytes: 64, ..espressif() };
    let made = sign(&[1, 2, 3], &options).unwrap();
    assert_eq!(made[32..64], [0xff; 32]);
    assert_eq!(made[64..67], [1, 2, 3]);

    let options = SignOptions { pad_header: false, ..options };
    let mut payload = [0u8; 67];
    payload[64..].copy_from_slice(&[1, 2, 3]);
    let brought = sign(&payload, &options).unwrap();
    assert_eq!(brought[32..64], [0; 32]);
    assert_eq!(brought[64..67], [1, 2, 3]);
    assert_eq!(ImageHeader::parse(&brought).unwrap().img_size, 3);

    payload[63] = 1;
    let taken = SignError::HeaderNotZero { offset: 63, found: 1 };
    assert_eq!(sign(&payload, &options), Err(taken));
    let short = SignError::PayloadTooShort { len_bytes: 63 };
    assert_eq!(sign(&payload[..63], &options), Err(short));
    let options = SignOptions { header_len_bytes: 31, ..options };
    assert_eq!(sign(&payload, &options), Err(SignError::HeaderLen { found: 31 }));
}

#[test]
fn padding_fills_the_slot_and_asks_for_a_swap() {
    let with = |padding| sign(&[0; 100], &SignOptions { padding, ..espressif() }).unwrap();
    let bare = with(Padding::None);
    for (padding, expected) in
        [(Padding::Pending, TrailerState::PENDING), (Padding::Confirmed, TrailerState::CONFIRMED)]
    {
        let padded = with(padding);
        assert_eq!(padded.len(), SLOT_LEN_BYTES as usize);
        assert_eq!(padded[..bare.len()], bare);
        assert_eq!(state(&padded, espressif().trailer), expected);
    }
}

#[test]
fn confirming_is_the_same_as_padding_confirmed() {
    let trailer = TrailerConfig { max_align: 32, ..espressif().trailer };
    let with = |padding| SignOptions { padding, trailer, ..espressif() };
    let mut image = sign(&[0; 100], &with(Padding::Pending)).unwrap();
    confirm(&mut image, trailer).unwrap();
    assert_eq!(image, sign(&[0; 100], &with(Padding::Confirmed)).unwrap());

    let other = SignError::NotPadded { magic: Magic::Bad };
    assert_eq!(confirm(&mut image, espressif().trailer), Err(other));
    assert!(other.to_string().contains("magic at the image's end is bad"));
    let mut blank = vec![0xff; SLOT_LEN_BYTES as usize];
    let unset = SignError::NotPadded { magic: Magic::Unset };
    assert_eq!(confirm(&mut blank, trailer), Err(unset));
    assert!(matches!(confirm(&mut [0; 16], trailer), Err(SignError::Trailer(_))));
}

#[test]
fn a_bootloader_that_overwrites_looks_at_the_magic_only() {
    let trailer = TrailerConfig::espressif(SwapKind::Overwrite);
    let options = SignOptions { trailer, padding: Padding::Confirmed, ..espressif() };
    let image = sign(&[0; 100], &options).unwrap();
    assert_eq!(state(&image, trailer), TrailerState::PENDING);
}

#[test]
fn an_image_ends_before_the_trailer() {
    let limits =
        SlotLimits::new(&layout(espressif().trailer), &layout(espressif().trailer), SECTOR_BYTES);
    let room = limits.max_image_len_bytes as usize - 32 - 4 - 36;
    let payload = vec![0; room + 1];
    let image = sign(&payload[..room], &espressif()).unwrap();
    assert!(validate(&image, limits, None).is_ok());
    let too_long = SignError::TooLong {
        len_bytes: limits.max_image_len_bytes as usize + 1,
        max_len_bytes: limits.max_image_len_bytes,
    };
    assert_eq!(sign(&payload, &espressif()), Err(too_long));
}

#[test]
fn impossible_options_are_refused() {
    let dependencies = vec![Dependency::default(); 4096];
    let options = SignOptions { dependencies: &dependencies, ..espressif() };
    assert!(matches!(sign(&[], &options), Err(SignError::AreaTooLong { .. })));
    let trailer = TrailerConfig { max_align: 5, ..espressif().trailer };
    let refused = SignError::Trailer(TrailerError::MaxAlign { found: 5 });
    assert_eq!(sign(&[], &SignOptions { trailer, ..espressif() }), Err(refused));
}

proptest! {
    #[test]
    fn what_is_made_is_valid(
        payload in prop::collection::vec(any::<u8>(), 0..300),
        version: [u8; 8],
        header_len_bytes in 32u16..200,
        security_counter: Option<u32>,
        dependency_count in 0usize..4,
        seed: Option<[u8; 32]>,
    ) {
        let key = seed.map(PrivateKey::ed25519);
        let public = key.as_ref().map(PrivateKey::public_key);
        let version = ImageVersion::from_bytes(version);
        let dependencies = vec![Dependency { image_id: 1, min_version: version }; dependency_count];
        let options = SignOptions {
            version,
            header_len_bytes,
            security_counter,
            dependencies: &dependencies,
            key: key.as_ref(),
            padding: Padding::Confirmed,
            ..espressif()
        };
        let image = sign(&payload, &options).unwrap();
        let layout = layout(options.trailer);
        let limits = SlotLimits::new(&layout, &layout, SECTOR_BYTES);
        let valid = validate(&image, limits, public.as_ref()).unwrap();
        prop_assert_eq!(valid.header.version, version);
        prop_assert_eq!(valid.header.img_size as usize, payload.len());
        prop_assert_eq!(valid.security_counter, security_counter);
        prop_assert_eq!(valid.dependencies.as_slice(), &dependencies[..]);
        prop_assert_eq!(valid.signed_by, public.map(|key| key.hash()));
    }
}
