// The builder makes the images.
#![cfg(feature = "alloc")]

extern crate std;

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::builder::{SignOptions, sign};
use crate::key::PrivateKey;
use crate::tlv::{Dependency, TlvType, Tlvs};
use crate::{HeaderError, ImageFlags, ImageVersion, SwapKind};

const SLOT_LEN_BYTES: u32 = 0x10_0000;
const LIMITS: SlotLimits =
    SlotLimits { slot_len_bytes: SLOT_LEN_BYTES, max_image_len_bytes: 0xf_e7d0 };

fn private_key() -> PrivateKey {
    PrivateKey::ed25519([1; 32])
}

fn image(options: &SignOptions<'_>) -> Vec<u8> {
    let payload: Vec<u8> = (0..700u32).map(|at| (at * 7) as u8).collect();
    sign(&payload, options).unwrap()
}

fn unsigned() -> Vec<u8> {
    let espressif = SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch);
    image(&SignOptions { security_counter: Some(7), ..espressif })
}

fn signed(key: &PrivateKey) -> Vec<u8> {
    let espressif = SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch);
    image(&SignOptions { key: Some(key), security_counter: Some(7), ..espressif })
}

fn offset_of(image: &[u8], tlv_type: TlvType) -> u32 {
    let header = ImageHeader::parse(image).unwrap();
    Tlvs::parse(image, &header).unwrap().find(tlv_type).unwrap().offset_bytes
}

/// Header, payload and protected area of an image, with another unprotected area.
fn with_unprotected(image: &[u8], tlvs: &[(TlvType, Vec<u8>)]) -> Vec<u8> {
    let hashed = ImageHeader::parse(image).unwrap().hashed_len_bytes().unwrap();
    let mut out = image[..hashed as usize].to_vec();
    let len = 4 + tlvs.iter().map(|(_, value)| 4 + value.len()).sum::<usize>();
    out.extend(AreaHeader { protected: false, len_bytes: len as u16 }.to_bytes());
    for (tlv_type, value) in tlvs {
        let header = TlvHeader { tlv_type: *tlv_type, len_bytes: value.len() as u16 };
        out.extend(header.to_bytes());
        out.extend(value);
    }
    out
}

fn sha256(image: &[u8]) -> [u8; 32] {
    let hashed = ImageHeader::parse(image).unwrap().hashed_len_bytes().unwrap();
    Sha256::digest(&image[..hashed as usize]).into()
}

#[test]
fn an_unsigned_image_is_valid_without_a_key_only() {
    let image = unsigned();
    let valid = validate(&image, LIMITS, None).unwrap();
    assert_eq!(valid.image_end_bytes as usize, image.len());
    assert_eq!(valid.sha256, sha256(&image));
    assert_eq!((valid.key_hash, valid.signed_by), (None, None));
    assert_eq!(valid.security_counter, Some(7));
    let public = private_key().public_key();
    assert_eq!(validate(&image, LIMITS, Some(&public)), Err(ValidateError::Unsigned));
}

#[test]
fn a_signature_must_be_that_of_the_bootloaders_key() {
    let keys = [private_key(), PrivateKey::ecdsa_p256([3; 32]).unwrap()];
    for key in &keys {
        let image = signed(key);
        let public = key.public_key();
        let valid = validate(&image, LIMITS, Some(&public)).unwrap();
        assert_eq!(valid.signed_by, Some(public.hash()));
        assert_eq!(valid.key_hash, Some(public.hash()));
        assert_eq!(validate(&image, LIMITS, None).unwrap().signed_by, None);
    }
    for (signer, held) in [(0, 1), (1, 0)] {
        let held = keys[held].public_key();
        let expected = held.hash();
        let found = keys[signer].public_key().hash();
        let error = validate(&signed(&keys[signer]), LIMITS, Some(&held));
        assert_eq!(error, Err(ValidateError::OtherKey { found, expected }));
    }
}

#[test]
fn a_changed_payload_is_found_by_the_hash() {
    let mut image = unsigned();
    image[100] ^= 1;
    let computed = sha256(&image);
    let offset_bytes = offset_of(&image, TlvType::SHA256);
    match validate(&image, LIMITS, None) {
        Err(ValidateError::HashMismatch { offset_bytes: at, found, computed: by }) => {
            assert_eq!((at, by), (offset_bytes, computed));
            assert_ne!(found, computed);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_hash_does_not_replace_the_signature() {
    let key = private_key();
    let public = key.public_key();
    let mut image = signed(&key);
    image[100] ^= 1;
    let hash_at = offset_of(&image, TlvType::SHA256) as usize + 4;
    let computed = sha256(&image);
    image[hash_at..hash_at + 32].copy_from_slice(&computed);
    let offset_bytes = offset_of(&image, TlvType::ED25519);
    let tlv_type = TlvType::ED25519;
    let invalid = ValidateError::SignatureInvalid { offset_bytes, tlv_type };
    assert_eq!(validate(&image, LIMITS, Some(&public)), Err(invalid));
    assert!(validate(&image, LIMITS, None).is_ok());
}

#[test]
fn the_hash_must_be_sha_256() {
    let image = unsigned();
    let none = with_unprotected(&image, &[]);
    let missing = |other| Err(ValidateError::HashMissing { other });
    assert_eq!(validate(&none, LIMITS, None), missing(None));
    let sha512 = with_unprotected(&image, &[(TlvType::SHA512, vec![0; 64])]);
    assert_eq!(validate(&sha512, LIMITS, None), missing(Some(TlvType::SHA512)));
    let short = with_unprotected(&image, &[(TlvType::SHA256, vec![0; 31])]);
    let error = validate(&short, LIMITS, None).unwrap_err();
    assert!(matches!(error, ValidateError::ValueLen { found: 31, expected: 32, .. }), "{error}");
}

#[test]
fn among_several_signatures_the_last_of_our_key_counts() {
    let (key, public) = (private_key(), private_key().public_key());
    let other = PrivateKey::ed25519([2; 32]);
    let image = unsigned();
    let hash = sha256(&image);
    let by = |key: &PrivateKey, named: &PrivateKey| {
        let named = named.public_key().hash().to_vec();
        [(TlvType::KEYHASH, named), (TlvType::ED25519, key.sign(&hash).unwrap())]
    };
    let check = |signatures: &[[(TlvType, Vec<u8>); 2]]| {
        let tlvs = [vec![(TlvType::SHA256, hash.to_vec())], signatures.concat()].concat();
        validate(&with_unprotected(&image, &tlvs), LIMITS, Some(&public))
    };
    assert!(check(&[by(&other, &other), by(&key, &key)]).is_ok());
    assert!(check(&[by(&key, &key), by(&other, &other)]).is_ok());
    assert!(check(&[by(&other, &key), by(&key, &key)]).is_ok());
    let invalid = check(&[by(&key, &key), by(&other, &key)]).unwrap_err();
    assert!(matches!(invalid, ValidateError::SignatureInvalid { .. }), "{invalid}");
    let other_key = check(&[by(&key, &other)]).unwrap_err();
    assert!(matches!(other_key, ValidateError::OtherKey { .. }), "{other_key}");
}

#[test]
fn a_signature_of_the_wrong_length_is_refused() {
    let (image, public) = (unsigned(), private_key().public_key());
    let keyhash = (TlvType::KEYHASH, public.hash().to_vec());
    let signature = (TlvType::ED25519, vec![0; 63]);
    let hash = (TlvType::SHA256, sha256(&image).to_vec());
    let image = with_unprotected(&image, &[hash, keyhash, signature]);
    let error = validate(&image, LIMITS, Some(&public)).unwrap_err();
    assert!(matches!(error, ValidateError::ValueLen { found: 63, expected: 64, .. }), "{error}");
    assert!(validate(&image, LIMITS, None).is_ok());
}

#[test]
fn tlvs_that_are_not_needed_to_verify_must_be_protected() {
    let image = unsigned();
    let hash = (TlvType::SHA256, sha256(&image).to_vec());
    for tlv_type in [TlvType::SEC_CNT, TlvType(0xa0)] {
        let image = with_unprotected(&image, &[hash.clone(), (tlv_type, vec![0; 4])]);
        let offset_bytes = image.len() as u32 - 8;
        let error = ValidateError::NotAllowed { offset_bytes, tlv_type };
        assert_eq!(validate(&image, LIMITS, None), Err(error));
    }
    let image = with_unprotected(&image, &[hash, (TlvType::SIG_PURE, vec![1])]);
    let error = ValidateError::PureSignature { offset_bytes: image.len() as u32 - 5 };
    assert_eq!(validate(&image, LIMITS, None), Err(error));
}

/// An image whose only protected TLV is that one.
fn with_protected(tlv_type: TlvType, value: &[u8]) -> Vec<u8> {
    let area_len = 8 + value.len() as u16;
    let header = ImageHeader { hdr_size: 32, protect_tlv_size: area_len, ..Default::default() };
    let mut image = header.to_bytes().to_vec();
    image.extend(AreaHeader { protected: true, len_bytes: area_len }.to_bytes());
    image.extend(TlvHeader { tlv_type, len_bytes: value.len() as u16 }.to_bytes());
    image.extend(value);
    let hash = (TlvType::SHA256, sha256(&image).to_vec());
    with_unprotected(&image, &[hash])
}

#[test]
fn any_type_may_be_protected_but_a_hash() {
    for tlv_type in [TlvType(0xa0), TlvType::BOOT_RECORD, TlvType::SIG_PURE, TlvType::KEYHASH] {
        assert!(validate(&with_protected(tlv_type, &[0; 9]), LIMITS, None).is_ok(), "{tlv_type}");
    }
    let tlv_type = TlvType::SHA256;
    let covers = ValidateError::CoversItself { offset_bytes: 36, tlv_type };
    assert_eq!(validate(&with_protected(tlv_type, &[0; 32]), LIMITS, None), Err(covers));
    for (tlv_type, expected) in [(TlvType::SEC_CNT, 4), (TlvType::DEPENDENCY, 12)] {
        let len = ValidateError::ValueLen { offset_bytes: 36, tlv_type, found: 9, expected };
        assert_eq!(validate(&with_protected(tlv_type, &[0; 9]), LIMITS, None), Err(len));
    }
}

#[test]
fn an_empty_value_that_ends_the_protected_area_counts_as_unprotected() {
    let tlv_type = TlvType(0xa0);
    let error = ValidateError::NotAllowed { offset_bytes: 36, tlv_type };
    assert_eq!(validate(&with_protected(tlv_type, &[]), LIMITS, None), Err(error));
    assert!(validate(&with_protected(TlvType::KEYHASH, &[]), LIMITS, None).is_ok());
}

#[test]
fn a_shortened_key_hash_names_every_key_that_starts_like_it() {
    let (key, image) = (private_key(), unsigned());
    let public = key.public_key();
    let hash = sha256(&image);
    let check = |named: &[u8]| {
        let tlvs = [
            (TlvType::SHA256, hash.to_vec()),
            (TlvType::KEYHASH, named.to_vec()),
            (TlvType::ED25519, key.sign(&hash).unwrap()),
        ];
        validate(&with_unprotected(&image, &tlvs), LIMITS, Some(&public))
    };
    for len in [0, 1, 31, 32] {
        let valid = check(&public.hash()[..len]).unwrap();
        assert_eq!(valid.key_hash, (len == 32).then_some(public.hash()));
    }
    assert_eq!(check(&[!public.hash()[0]]), Err(ValidateError::Unsigned));
    let error = check(&[0; 33]).unwrap_err();
    assert!(matches!(error, ValidateError::ValueLen { found: 33, expected: 32, .. }), "{error}");
}

#[test]
fn a_signature_in_the_protected_area_is_never_good() {
    let public = private_key().public_key();
    let mut area = TlvHeader { tlv_type: TlvType::KEYHASH, len_bytes: 32 }.to_bytes().to_vec();
    area.extend(public.hash());
    area.extend(TlvHeader { tlv_type: TlvType::ED25519, len_bytes: 64 }.to_bytes());
    // What was the value of one TLV becomes TLVs of their own once that one has none.
    let mut image = with_protected(TlvType(0xa0), &[area.clone(), vec![0; 64]].concat());
    image.splice(36..40, TlvHeader { tlv_type: TlvType(0xa0), len_bytes: 0 }.to_bytes());
    let hash = (TlvType::SHA256, sha256(&image).to_vec());
    let image = with_unprotected(&image, &[hash]);
    let tlv_type = TlvType::ED25519;
    let invalid = ValidateError::SignatureInvalid { offset_bytes: 76, tlv_type };
    assert_eq!(validate(&image, LIMITS, Some(&public)), Err(invalid));
}

#[test]
fn the_validator_is_small() {
    assert!(size_of::<ImageValidator<'_>>() < 1024, "{}", size_of::<ImageValidator<'_>>());
}

#[test]
fn dependencies_are_kept_up_to_a_limit() {
    let all: Vec<Dependency> = (1..=9)
        .map(|image_id| Dependency { image_id, min_version: ImageVersion::new(image_id, 0, 0) })
        .collect();
    let with = |dependencies| {
        let espressif = SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch);
        validate(&image(&SignOptions { dependencies, ..espressif }), LIMITS, None)
    };
    assert_eq!(with(&all[..8]).unwrap().dependencies.as_slice(), &all[..8]);
    assert!(matches!(with(&all), Err(ValidateError::TooManyDependencies { .. })));
}

#[test]
fn an_image_ends_before_the_trailer() {
    let image = unsigned();
    let end = image.len() as u32;
    let limits = SlotLimits { max_image_len_bytes: end, ..LIMITS };
    assert!(validate(&image, limits, None).is_ok());
    let limits = SlotLimits { max_image_len_bytes: end - 1, ..LIMITS };
    let too_long = ValidateError::TooLong { len_bytes: end, max_len_bytes: end - 1 };
    assert_eq!(validate(&image, limits, None), Err(too_long));
}

#[test]
fn an_image_that_is_too_long_is_refused_at_its_header() {
    let header = ImageHeader { hdr_size: 32, img_size: 0xf_e7d0, ..Default::default() };
    let mut validator = ImageValidator::new(LIMITS, None);
    assert_eq!(validator.push(&header.to_bytes()[..31]), Ok(()));
    let too_long = ValidateError::TooLong { len_bytes: 0xf_e7f4, max_len_bytes: 0xf_e7d0 };
    assert_eq!(validator.push(&header.to_bytes()[31..]), Err(too_long));
    assert_eq!(validator.push(&[0]), Err(too_long));
    assert_eq!(validator.finish(), Err(too_long));
}

#[test]
fn other_bytes_are_refused_at_the_header() {
    let refused = |change: fn(&mut ImageHeader)| {
        let mut header = ImageHeader::parse(&unsigned()).unwrap();
        change(&mut header);
        match validate(&header.to_bytes(), LIMITS, None) {
            Err(ValidateError::Header(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(
        refused(|header| header.flags = ImageFlags::ENCRYPTED_AES128),
        HeaderError::Encrypted { .. }
    ));
    assert!(matches!(
        refused(|header| header.img_size = SLOT_LEN_BYTES),
        HeaderError::LargerThanSlot { .. }
    ));
    let magic = HeaderError::Magic { found: u32::MAX };
    assert_eq!(validate(&[0xff; 64], LIMITS, None), Err(ValidateError::Header(magic)));
}

#[test]
fn an_image_cut_short_says_how_much_is_missing() {
    let image = unsigned();
    let error = |len: usize| validate(&image[..len], LIMITS, None).unwrap_err();
    let truncated = |len_bytes, needed_bytes| ValidateError::Truncated { len_bytes, needed_bytes };
    assert_eq!(error(0), truncated(0, 32));
    let hashed = 32 + 700 + 12;
    assert_eq!(error(40), truncated(40, hashed + 4));
    let end = image.len() as u32;
    assert_eq!(error(image.len() - 1), truncated(end - 1, end));
}

#[test]
fn every_error_says_what_was_found_and_where() {
    let public = private_key().public_key();
    let mut image = unsigned();
    let says = |image: &[u8], key| validate(image, LIMITS, key).unwrap_err().to_string();
    assert_eq!(
        says(&image, Some(&public)),
        "image: no signature after the hash of its key, but the bootloader has a key"
    );
    image[32 + 700] = 0x07;
    assert_eq!(says(&image, None), "TLV area at offset 0x2dc: magic is 0x6907, not 0x6908");
}

/// The two outcomes an image can have, in one piece and in others.
fn in_pieces(image: &[u8], cuts: &[prop::sample::Index], key: Option<&PublicKey>) {
    let whole = validate(image, LIMITS, key);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(image.len() + 1)).collect();
    cuts.push(image.len());
    cuts.sort_unstable();
    let mut validator = ImageValidator::new(LIMITS, key);
    let mut at = 0;
    let mut pushed = Ok(());
    for cut in cuts {
        pushed = validator.push(&image[at..cut]);
        at = cut;
    }
    let end = validator.image_end_bytes();
    let pieces = validator.finish();
    assert_eq!(pieces, whole);
    if let Ok(valid) = &whole {
        assert_eq!(end, Some(valid.image_end_bytes));
    }
    if pushed.is_err() {
        assert!(whole.is_err());
    }
}

proptest! {
    #[test]
    fn pieces_of_any_length_give_the_same_verdict(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        behind in 0usize..50,
    ) {
        let (key, public) = (private_key(), private_key().public_key());
        let mut image = signed(&key);
        image.resize(image.len() + behind, 0xff);
        in_pieces(&image, &cuts, Some(&public));
        in_pieces(&image, &cuts, None);
    }

    #[test]
    fn a_changed_byte_is_always_found(at: prop::sample::Index, by in 1u8..) {
        let (key, public) = (private_key(), private_key().public_key());
        let mut image = signed(&key);
        let at = at.index(image.len());
        image[at] ^= by;
        prop_assert!(validate(&image, LIMITS, Some(&public)).is_err(), "offset {at:#x}");
    }

    #[test]
    fn no_bytes_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        tail in prop::collection::vec(any::<u8>(), 0..80),
        keep: prop::sample::Index,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let public = private_key().public_key();
        let mut image = signed(&private_key());
        // What follows the payload is where the decisions are.
        let tlvs = 32 + 700;
        for (at, to) in changes {
            let at = tlvs + at.index(image.len() - tlvs);
            image[at] = to;
        }
        image.truncate(tlvs + keep.index(image.len() - tlvs + 1));
        image.extend(tail);
        in_pieces(&image, &cuts, Some(&public));
    }
}
