//! Images that no option of the builder makes: flags, TLVs of vendors, other hashes, more than one
//! of a kind, and what bootutil knows and Espressif's port does not.

use arbitrary::Result;
use mcuboot_format::builder::{SignOptions, pad};
use mcuboot_format::tlv::TlvType;
use mcuboot_format::{ImageFlags, ImageHeader};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::choose::Choices;

/// An area of TLVs while it is written.
struct Area(Vec<u8>);

impl Area {
    fn add(&mut self, tlv_type: TlvType, value: &[u8]) {
        self.0.extend(tlv_type.0.to_le_bytes());
        self.0.extend((value.len() as u16).to_le_bytes());
        self.0.extend(value);
    }

    /// The area with its header, whose length is wrong by `off_by`.
    fn whole(&self, magic: u16, off_by: i16) -> Vec<u8> {
        let len_bytes = (self.0.len() as u16 + 4).wrapping_add_signed(off_by);
        [&magic.to_le_bytes()[..], &len_bytes.to_le_bytes(), &self.0].concat()
    }
}

/// An image of that payload with something odd about it.
pub(super) fn oddity(
    u: &mut Choices<'_>,
    payload: &[u8],
    options: &SignOptions<'_>,
) -> Result<Option<Vec<u8>>> {
    let mut protected = Area(Vec::new());
    for _ in 0..u.below(4)? {
        let (tlv_type, len) = *u.one_of(&[
            (TlvType::SEC_CNT, 4),
            (TlvType::DEPENDENCY, 12),
            (TlvType::BOOT_RECORD, 60),
            (TlvType(0x00a0), 7),
            (TlvType(0x1234), 0),
            (TlvType::SEC_CNT, 3),
            (TlvType::UUID_VID, 16),
            (TlvType::DECOMP_SIZE, 4),
            (TlvType::SHA256, 32),
            (TlvType::SIG_PURE, 1),
        ])?;
        protected.add(tlv_type, &vec![1; len]);
    }
    let protected = if protected.0.is_empty() {
        Vec::new()
    } else {
        protected.whole(0x6908, *u.mostly_first(12, &[0, 1, -1])?)
    };
    let flags = *u.mostly_first(2, &[0, 0x1, 0x4, 0x8, 0x10, 0x20, 0x100, 0x200, 0x400, 0x800])?;
    let header = ImageHeader {
        load_addr: *u.mostly_first(4, &[0, 0x1_0000, 0x4038_0000])?,
        hdr_size: options.header_len_bytes,
        protect_tlv_size: protected.len() as u16,
        img_size: payload.len() as u32,
        flags: ImageFlags(flags),
        version: options.version,
    };
    let mut image = vec![0xff; usize::from(options.header_len_bytes)];
    image[..ImageHeader::LEN_BYTES].copy_from_slice(&header.to_bytes());
    // The header's unused word.
    if u.rarely(4)? {
        image[28..32].copy_from_slice(&[1, 2, 3, 4]);
    }
    image.extend(payload);
    image.extend(protected);
    let sha256: [u8; 32] = Sha256::digest(&image).into();
    let mut rest = Area(Vec::new());
    let hashes = u.below(8)?;
    match hashes {
        7 => rest.add(TlvType::SHA384, &Sha384::digest(&image)),
        6 => rest.add(TlvType::SHA512, &Sha512::digest(&image)),
        5 => {
            rest.add(TlvType::SHA512, &Sha512::digest(&image));
            rest.add(TlvType::SHA256, &sha256);
        }
        4 => {
            rest.add(TlvType::SHA256, &sha256);
            rest.add(TlvType::SHA256, &sha256);
        }
        _ => rest.add(TlvType::SHA256, &sha256),
    }
    if let Some(key) = options.key {
        let hash = key.public_key().hash();
        match u.below(6)? {
            5 => rest.add(TlvType::PUBKEY, &key.public_key().to_der()),
            4 => {
                // Another key before it.
                rest.add(TlvType::KEYHASH, &[7; 32]);
                rest.add(key.kind().signature_tlv(), &[7; 64]);
                rest.add(TlvType::KEYHASH, &hash);
            }
            _ => rest.add(TlvType::KEYHASH, &hash),
        }
        let signature = key.sign(&sha256).unwrap_or_default();
        rest.add(key.kind().signature_tlv(), &signature);
    }
    if u.rarely(3)? {
        let odd = [TlvType(0x00a1), TlvType::ENC_EC256, TlvType::SEC_CNT, TlvType::ENC_KW];
        rest.add(*u.one_of(&odd)?, &[3; 8]);
    }
    image.extend(rest.whole(0x6907, *u.mostly_first(12, &[0, 1, -2])?));
    let padded = pad(&mut image, options.slot_len_bytes, options.trailer, options.padding);
    Ok(padded.ok().map(|()| image))
}
