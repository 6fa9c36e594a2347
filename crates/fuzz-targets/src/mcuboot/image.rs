//! Images: made, damaged, and validated in one piece and in many.

use arbitrary::{Result, Unstructured};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::key::{PrivateKey, PublicKey};
use mcuboot_format::tlv::{Dependency, TlvType, Tlvs};
use mcuboot_format::trailer::{TrailerConfig, TrailerLayout, TrailerState};
use mcuboot_format::{
    ImageHeader, ImageValidator, ImageVersion, MAX_DEPENDENCIES, SlotLimits, SwapKind, ValidImage,
    ValidateError, validate,
};
use sha2::{Digest, Sha256};

use super::tlvs::correct;
use crate::cut::{lens, pieces};

/// Signs a payload, changes bytes of the image and validates it with and without a key.
///
/// The input chooses what is signed, how, with which key, what is changed, and the key to check
/// with.
pub fn mcuboot_image(input: &[u8]) {
    let _ = run(&mut Unstructured::new(input));
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let keys = [
        PrivateKey::ed25519([7; 32]),
        PrivateKey::ecdsa_p256([7; 32]).expect("a key"),
        PrivateKey::ed25519([8; 32]),
    ];
    let made_with = u.choose_index(keys.len() + 1)?.checked_sub(1);
    let checked_with = u.choose_index(keys.len() + 1)?.checked_sub(1);
    let public = checked_with.map(|index| keys[index].public_key());

    let options = options(u)?;
    let options = SignOptions { key: made_with.map(|index| &keys[index]), ..options.lend() };
    let patches: Vec<(u16, u8)> = u.arbitrary()?;
    let is_corrected: bool = u.arbitrary()?;
    let payload: Vec<u8> = u.arbitrary()?;
    let made = match sign(&payload, &options) {
        Ok(image) => image,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Ok(());
        }
    };
    let limits = limits(&options);
    let valid = check(&made, limits, public.as_ref());
    let original = valid.as_ref().map(|valid| valid.sha256).ok();
    match (made_with, checked_with) {
        (_, None) => assert!(valid.is_ok(), "{valid:?}"),
        (made, checked) if made == checked => assert!(valid.is_ok(), "{valid:?}"),
        (None, _) => assert_eq!(valid, Err(ValidateError::Unsigned)),
        _ => assert!(matches!(valid, Err(ValidateError::OtherKey { .. })), "{valid:?}"),
    }
    check_trailer(&made, &options);

    let mut damaged = made;
    for (at, bits) in patches {
        let at = usize::from(at) % damaged.len();
        damaged[at] ^= bits;
    }
    if is_corrected {
        correct(&mut damaged);
    }
    let valid = check(&damaged, limits, public.as_ref());
    if let (Some(_), Ok(valid)) = (&public, valid) {
        // Flipping bits does not forge a signature.
        assert_eq!(Some(valid.sha256), original);
    }
    Ok(())
}

/// [`SignOptions`] with their own dependencies.
struct Options {
    version: ImageVersion,
    header_len_bytes: u16,
    pad_header: bool,
    slot_len_bytes: u32,
    trailer: TrailerConfig,
    padding: Padding,
    security_counter: Option<u32>,
    dependencies: Vec<Dependency>,
}

impl Options {
    fn lend(&self) -> SignOptions<'_> {
        SignOptions {
            version: self.version,
            header_len_bytes: self.header_len_bytes,
            pad_header: self.pad_header,
            slot_len_bytes: self.slot_len_bytes,
            trailer: self.trailer,
            padding: self.padding,
            security_counter: self.security_counter,
            dependencies: &self.dependencies,
            key: None,
        }
    }
}

fn options(u: &mut Unstructured<'_>) -> Result<Options> {
    let count = u.choose_index(MAX_DEPENDENCIES + 1)?;
    let dependency = |u: &mut Unstructured<'_>| {
        Ok(Dependency { image_id: u.arbitrary()?, min_version: version(u)? })
    };
    let dependencies: Vec<Dependency> = (0..count).map(|_| dependency(u)).collect::<Result<_>>()?;
    // Espressif's 512 sectors or few, so that slots can be small.
    let max_sectors = *u.choose(&[512, 16, 1])?;
    Ok(Options {
        version: version(u)?,
        header_len_bytes: u.int_in_range(30..=96)?,
        pad_header: u.ratio(7, 8)?,
        slot_len_bytes: u.int_in_range(1..=8)? * SECTOR_BYTES,
        trailer: TrailerConfig {
            write_unit_bytes: *u.choose(&[1, 4, 8])?,
            max_align: *u.choose(&[8, 16, 32])?,
            max_sectors,
            swap: *u.choose(&SwapKind::ALL)?,
        },
        padding: *u.choose(&[Padding::None, Padding::Pending, Padding::Confirmed])?,
        security_counter: u.arbitrary()?,
        dependencies,
    })
}

fn version(u: &mut Unstructured<'_>) -> Result<ImageVersion> {
    Ok(ImageVersion::from_bytes(u.arbitrary()?))
}

fn layout(options: &SignOptions<'_>) -> TrailerLayout {
    let slot = Region::clamped(FlashAddr::ZERO, options.slot_len_bytes);
    TrailerLayout::new(slot, options.trailer).expect("the image was made for it")
}

fn limits(options: &SignOptions<'_>) -> SlotLimits {
    let layout = layout(options);
    SlotLimits::new(&layout, &layout, SECTOR_BYTES)
}

/// A padded image fills its slot and ends in the trailer that was asked for.
fn check_trailer(image: &[u8], options: &SignOptions<'_>) {
    let state = match (options.padding, options.trailer.swap) {
        (Padding::None, _) => return assert!(image.len() < options.slot_len_bytes as usize),
        (Padding::Confirmed, swap) if swap != SwapKind::Overwrite => TrailerState::CONFIRMED,
        _ => TrailerState::PENDING,
    };
    assert_eq!(image.len(), options.slot_len_bytes as usize);
    assert_eq!(TrailerState::parse(&layout(options), image), Ok(state));
}

fn check(
    image: &[u8],
    limits: SlotLimits,
    key: Option<&PublicKey>,
) -> Result<ValidImage, ValidateError> {
    let verdict = validate(image, limits, key);
    assert_eq!(in_pieces(image, limits, key), verdict, "in pieces");
    match &verdict {
        Ok(valid) => check_valid(image, limits, key, valid),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    verdict
}

/// The verdict on an image that comes in pieces.
pub(super) fn in_pieces(
    image: &[u8],
    limits: SlotLimits,
    key: Option<&PublicKey>,
) -> Result<ValidImage, ValidateError> {
    let mut validator = ImageValidator::new(limits, key);
    let mut needed_bytes = validator.needed_bytes();
    let mut pushed = Ok(());
    for piece in pieces(image, lens(image)) {
        let was = pushed;
        pushed = validator.push(piece);
        assert!(was.is_ok() || was == pushed, "an error disappears");
        assert!(validator.needed_bytes() >= needed_bytes, "an image becomes shorter");
        needed_bytes = validator.needed_bytes();
    }
    let end_bytes = validator.image_end_bytes();
    let verdict = validator.finish();
    if let Ok(valid) = &verdict {
        assert_eq!(end_bytes, Some(valid.image_end_bytes));
        assert_eq!(needed_bytes, valid.image_end_bytes);
    }
    verdict
}

/// Checks what the validator returns for a valid image, without it.
pub(super) fn check_valid(
    image: &[u8],
    limits: SlotLimits,
    key: Option<&PublicKey>,
    valid: &ValidImage,
) {
    let header = ImageHeader::parse(image).expect("a valid image has a header");
    let tlvs = Tlvs::parse(image, &header).expect("a valid image has TLVs");
    assert_eq!((valid.header, valid.image_end_bytes), (header, tlvs.end_bytes()));
    assert!(valid.image_end_bytes <= limits.max_image_len_bytes);
    let hashed = header.hashed_len_bytes().expect("a valid image has a length") as usize;
    assert_eq!(valid.sha256, <[u8; 32]>::from(Sha256::digest(&image[..hashed])));
    let hash = tlvs.find(TlvType::SHA256).expect("a valid image has a hash");
    assert_eq!((hash.value, hash.protected), (&valid.sha256[..], false));
    assert_eq!(valid.signed_by, key.map(PublicKey::hash));
    if let Some(key) = key {
        let signature = key.kind().signature_tlv();
        let mut signatures = tlvs.iter().filter(|tlv| tlv.tlv_type == signature);
        assert!(signatures.any(|tlv| key.verifies(&valid.sha256, tlv.value)));
    }
    let dependencies = tlvs.iter().filter(|tlv| tlv.tlv_type == TlvType::DEPENDENCY).count();
    assert_eq!(valid.dependencies.as_slice().len(), dependencies);
    // Without its last byte it is not complete.
    let short = validate(&image[..valid.image_end_bytes as usize - 1], limits, key);
    assert!(matches!(short, Err(ValidateError::Truncated { .. })), "{short:?}");
}
