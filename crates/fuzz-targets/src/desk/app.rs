//! Applications for MCUboot, and the keys that they are signed with.

use arbitrary::Result;
use device_sim::{McubootConfig, synthetic};
use esp_idf_format::Chip;
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::key::{PrivateKey, PublicKey};
use mcuboot_format::trailer::TrailerConfig;
use mcuboot_format::{ImageVersion, SwapKind};

use super::choose::Choices;
use super::oddity::oddity;

/// The names of the keys; the empty name stands for no key.
pub(super) const KEYS: [&str; 5] = ["", "ed25519", "p256", "other", "rsa"];

const RSA_2048: &str = include_str!("../../../mcuboot-format/testdata/rsa-2048.pem");

fn private_key(name: &str) -> Option<PrivateKey> {
    match name {
        "ed25519" => Some(PrivateKey::ed25519([3; 32])),
        "p256" => PrivateKey::ecdsa_p256([5; 32]).ok(),
        "rsa" => PrivateKey::from_pem(RSA_2048).ok(),
        "other" => Some(PrivateKey::ed25519([7; 32])),
        _ => None,
    }
}

/// The public part of a key.
pub(super) fn public_key(name: &str) -> Option<PublicKey> {
    private_key(name).map(|key| key.public_key())
}

/// The file of its public part.
pub(super) fn key_file(name: &str) -> String {
    let der = public_key(name).map(|key| key.to_der()).unwrap_or_default();
    pem_rfc7468::encode_string("PUBLIC KEY", pem_rfc7468::LineEnding::LF, &der)
        .expect("a short key")
}

/// An application for the bootloader that was built as `truth` says; `None` if it cannot be signed
/// as wanted.
pub(super) fn application(
    u: &mut Choices<'_>,
    chip: Chip,
    truth: &McubootConfig,
) -> Result<Option<Vec<u8>>> {
    let slot_len_bytes = truth.primary.len_bytes().min(truth.secondary.len_bytes());
    let trailer = TrailerConfig {
        max_align: truth.max_align,
        max_sectors: truth.max_sectors,
        ..TrailerConfig::espressif(truth.swap)
    };
    let most = slot_len_bytes.saturating_sub(0x6000);
    let len_bytes = match u.below(4)? {
        2 => most,
        3 => u.within(0x40, most)?,
        _ => most.min(0x9000),
    };
    let payload = match u.below(24)? {
        23 => synthetic::target_payload(
            *u.one_of(&[Chip::Esp32, Chip::Esp32c3, Chip::Esp32s3])?,
            len_bytes,
            31,
        ),
        22 => crate::noise(32, len_bytes),
        21 => {
            let app = synthetic::app(chip, "app", "1.0", len_bytes, 33);
            app.expect("a length that an app can have")
        }
        _ => synthetic::target_payload(chip, len_bytes, 34),
    };
    let names: Vec<&str> = KEYS.into_iter().filter(|n| public_key(n) == truth.key).collect();
    let name = names.first().copied().unwrap_or_default();
    let key = private_key(u.mostly_first(12, &[name, "", "other", "rsa"])?);
    let options = SignOptions {
        version: match u.below(4)? {
            2 => ImageVersion::new(0, 0, 0),
            3 => ImageVersion::new(0, 0, 255),
            _ => ImageVersion::new(1, 2, 3),
        },
        header_len_bytes: *u.mostly_first(16, &[0x20, 0x200, 0x1000, 0x24, 0x8000])?,
        padding: *u.mostly_first(3, &[Padding::Confirmed, Padding::None, Padding::Pending])?,
        security_counter: *u.mostly_first(3, &[None, Some(0), Some(7)])?,
        trailer: TrailerConfig {
            max_align: *u.mostly_first(24, &[trailer.max_align, 16, 32])?,
            max_sectors: *u.mostly_first(24, &[trailer.max_sectors, 128])?,
            ..trailer
        },
        key: key.as_ref(),
        ..SignOptions::espressif(
            *u.mostly_first(16, &[slot_len_bytes, slot_len_bytes.saturating_sub(0x1000)])?,
            *u.mostly_first(24, &[truth.swap, SwapKind::Scratch])?,
        )
    };
    if u.rarely(8)? {
        return oddity(u, &payload, &options);
    }
    Ok(sign(&payload, &options).ok())
}
