//! The header that an MCUboot image starts with.

use core::fmt;

use crate::ImageVersion;
use crate::bytes::{array, u16_at, u32_at};

/// First word of an image header (`IMAGE_MAGIC`, boot/bootutil/include/bootutil/image.h).
pub const IMAGE_MAGIC: u32 = 0x96f3_b83d;

/// The header of an image (`struct image_header`, boot/bootutil/include/bootutil/image.h).
///
/// ```text
/// 0x00  magic 0x96f3b83d   load_addr
/// 0x08  hdr_size           protect_tlv_size     img_size
/// 0x10  flags              version (8 bytes) ...
/// 0x1c  unused
/// ```
///
/// The payload begins `hdr_size` bytes from the start of the image, which may be more than the 32
/// that the header itself takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ImageHeader {
    /// Address in RAM to load to, or in ROM that the image was built for; see [`ImageFlags`].
    pub load_addr: u32,
    /// Bytes from the start of the image to the payload.
    pub hdr_size: u16,
    /// Bytes of the protected TLV area with its own header, 0 if there is none.
    pub protect_tlv_size: u16,
    /// Bytes of the payload.
    pub img_size: u32,
    /// What the image is and needs.
    pub flags: ImageFlags,
    /// The image's version.
    pub version: ImageVersion,
}

impl ImageHeader {
    /// Bytes that a header takes in flash (`IMAGE_HEADER_SIZE`), and the least that `hdr_size`
    /// says.
    pub const LEN_BYTES: usize = 32;

    /// Reads the header at the start of `image`; bytes after it are not looked at.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`] and [`HeaderError::Magic`]. Whether MCUboot would accept the
    /// header is a question of its own, see [`check`](Self::check).
    pub fn parse(image: &[u8]) -> Result<Self, HeaderError> {
        let header: [u8; Self::LEN_BYTES] =
            array(image, 0).ok_or(HeaderError::Truncated { len_bytes: image.len() })?;
        Self::from_bytes(&header)
    }

    /// Reads the header from the bytes that it takes.
    ///
    /// # Errors
    /// [`HeaderError::Magic`].
    pub fn from_bytes(header: &[u8; Self::LEN_BYTES]) -> Result<Self, HeaderError> {
        let truncated = || HeaderError::Truncated { len_bytes: header.len() };
        let word = |offset| u32_at(header, offset).ok_or_else(truncated);
        let half = |offset| u16_at(header, offset).ok_or_else(truncated);
        let magic = word(0)?;
        if magic != IMAGE_MAGIC {
            return Err(HeaderError::Magic { found: magic });
        }
        Ok(Self {
            load_addr: word(4)?,
            hdr_size: half(8)?,
            protect_tlv_size: half(10)?,
            img_size: word(12)?,
            flags: ImageFlags(word(16)?),
            version: ImageVersion::from_bytes(array(header, 20).ok_or_else(truncated)?),
        })
    }

    /// The bytes of the header, as imgtool writes them: the unused word is 0.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN_BYTES] {
        let [h0, h1] = self.hdr_size.to_le_bytes();
        let [p0, p1] = self.protect_tlv_size.to_le_bytes();
        let [v0, v1, v2, v3, v4, v5, v6, v7] = self.version.to_bytes();
        let words = [
            IMAGE_MAGIC.to_le_bytes(),
            self.load_addr.to_le_bytes(),
            [h0, h1, p0, p1],
            self.img_size.to_le_bytes(),
            self.flags.0.to_le_bytes(),
            [v0, v1, v2, v3],
            [v4, v5, v6, v7],
            [0; 4],
        ];
        let mut out = [0; Self::LEN_BYTES];
        out.copy_from_slice(words.as_flattened());
        out
    }

    /// Offset of the first TLV area, which is where the payload ends; `None` beyond 32 bits.
    #[must_use]
    pub const fn tlv_offset_bytes(&self) -> Option<u32> {
        self.img_size.checked_add(self.hdr_size as u32)
    }

    /// Bytes that hash and signature cover: header, payload and protected TLVs; `None` beyond 32
    /// bits.
    #[must_use]
    pub const fn hashed_len_bytes(&self) -> Option<u32> {
        match self.tlv_offset_bytes() {
            Some(offset) => offset.checked_add(self.protect_tlv_size as u32),
            None => None,
        }
    }

    /// Applies the rules that MCUboot has for a header, before it looks at the image
    /// (`boot_check_header_valid`, boot/bootutil/src/bootutil_loader.c, and `boot_validate_slot`,
    /// boot/bootutil/src/loader.c, as Espressif configures them: no decryption, no decompression).
    ///
    /// One rule is ours: `hdr_size` must cover the header. MCUboot takes less, but then the payload
    /// would begin inside the header, and imgtool writes no such image.
    ///
    /// # Errors
    /// Every variant of [`HeaderError`] except `Truncated` and `Magic`.
    pub fn check(&self, slot_len_bytes: u32) -> Result<(), HeaderError> {
        let Self { hdr_size, img_size, protect_tlv_size, flags, .. } = *self;
        if usize::from(hdr_size) < Self::LEN_BYTES {
            return Err(HeaderError::HeaderSize { found: hdr_size });
        }
        match self.hashed_len_bytes() {
            None => return Err(HeaderError::SizeOverflow { hdr_size, img_size, protect_tlv_size }),
            Some(len_bytes) if len_bytes >= slot_len_bytes => {
                return Err(HeaderError::LargerThanSlot { len_bytes, slot_len_bytes });
            }
            Some(_) => {}
        }
        if flags.is_encrypted() {
            return Err(HeaderError::Encrypted { flags });
        }
        if flags.is_compressed() {
            return Err(HeaderError::Compressed { flags });
        }
        if flags.is_non_bootable() {
            return Err(HeaderError::NonBootable { flags });
        }
        Ok(())
    }
}

/// The flags of an image (`IMAGE_F_*`, boot/bootutil/include/bootutil/image.h).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ImageFlags(pub u32);

impl ImageFlags {
    /// Position independent. MCUboot ignores it.
    pub const PIC: Self = Self(0x0000_0001);
    /// The payload is encrypted with AES-128.
    pub const ENCRYPTED_AES128: Self = Self(0x0000_0004);
    /// The payload is encrypted with AES-256.
    pub const ENCRYPTED_AES256: Self = Self(0x0000_0008);
    /// Not to be booted: the second half of a split image.
    pub const NON_BOOTABLE: Self = Self(0x0000_0010);
    /// To be copied to `load_addr` in RAM and run there.
    pub const RAM_LOAD: Self = Self(0x0000_0020);
    /// Built for the flash address in `load_addr`.
    pub const ROM_FIXED: Self = Self(0x0000_0100);
    /// The payload is compressed with LZMA1.
    pub const COMPRESSED_LZMA1: Self = Self(0x0000_0200);
    /// The payload is compressed with LZMA2.
    pub const COMPRESSED_LZMA2: Self = Self(0x0000_0400);
    /// The payload went through the ARM Thumb filter before it was compressed.
    pub const COMPRESSED_ARM_THUMB: Self = Self(0x0000_0800);

    /// Whether any of the flags of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the payload is encrypted (`IS_ENCRYPTED`).
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        self.intersects(Self::ENCRYPTED_AES128.union(Self::ENCRYPTED_AES256))
    }

    /// Whether the payload is compressed (`IS_COMPRESSED`).
    #[must_use]
    pub const fn is_compressed(self) -> bool {
        self.intersects(
            Self::COMPRESSED_LZMA1.union(Self::COMPRESSED_LZMA2).union(Self::COMPRESSED_ARM_THUMB),
        )
    }

    /// How the payload is compressed, in words.
    const fn compression(self) -> &'static str {
        if self.intersects(Self::COMPRESSED_LZMA2) {
            " with LZMA2"
        } else if self.intersects(Self::COMPRESSED_LZMA1) {
            " with LZMA1"
        } else {
            ""
        }
    }

    /// Whether the image is not to be booted.
    #[must_use]
    pub const fn is_non_bootable(self) -> bool {
        self.intersects(Self::NON_BOOTABLE)
    }
}

impl fmt::Display for ImageFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for ImageFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why bytes are not an image header, or not one that MCUboot boots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HeaderError {
    /// There are fewer bytes than a header takes.
    Truncated {
        /// How many there are.
        len_bytes: usize,
    },
    /// The first word is not [`IMAGE_MAGIC`].
    Magic {
        /// What it is.
        found: u32,
    },
    /// `hdr_size` (offset 8) does not cover the header.
    HeaderSize {
        /// What it says, in bytes.
        found: u16,
    },
    /// The sizes add up beyond 32 bits.
    SizeOverflow {
        /// Offset 8, in bytes.
        hdr_size: u16,
        /// Offset 12, in bytes.
        img_size: u32,
        /// Offset 10, in bytes.
        protect_tlv_size: u16,
    },
    /// Header, payload and protected TLVs take the whole slot or more.
    LargerThanSlot {
        /// What they take together.
        len_bytes: u32,
        /// What the slot has.
        slot_len_bytes: u32,
    },
    /// The payload is encrypted, which Espressif's MCUboot does not support.
    Encrypted {
        /// All flags, offset 16.
        flags: ImageFlags,
    },
    /// The payload is compressed, which Espressif's MCUboot does not support.
    Compressed {
        /// All flags, offset 16.
        flags: ImageFlags,
    },
    /// The image says that it is not to be booted.
    NonBootable {
        /// All flags, offset 16.
        flags: ImageFlags,
    },
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needed = ImageHeader::LEN_BYTES;
        match self {
            Self::Truncated { len_bytes } => {
                write!(f, "image header: {len_bytes} bytes, needs {needed}")
            }
            Self::Magic { found } => {
                write!(
                    f,
                    "image header: magic at offset 0 is {found:#010x}, not {IMAGE_MAGIC:#010x}"
                )
            }
            Self::HeaderSize { found } => {
                write!(f, "image header: hdr_size at offset 8 is {found}, less than {needed}")
            }
            Self::SizeOverflow { hdr_size, img_size, protect_tlv_size } => write!(
                f,
                "image header: hdr_size {hdr_size:#x}, img_size {img_size:#x} and \
                 protect_tlv_size {protect_tlv_size:#x} at offset 8 exceed 32 bits"
            ),
            Self::LargerThanSlot { len_bytes, slot_len_bytes } => write!(
                f,
                "image header: sizes at offset 8 make {len_bytes:#x} bytes, the slot has \
                 {slot_len_bytes:#x}"
            ),
            Self::Encrypted { flags } => write!(
                f,
                "image: encrypted, which is not supported (flags at offset 16 are {flags}); sign \
                 it without --encrypt"
            ),
            Self::Compressed { flags } => write!(
                f,
                "image: compressed{}, which is not supported (flags at offset 16 are {flags}); \
                 sign it without --compression",
                flags.compression()
            ),
            Self::NonBootable { flags } => write!(
                f,
                "image: marked as not bootable, which is not supported (flags at offset 16 are \
                 {flags}); sign it without --non-bootable"
            ),
        }
    }
}

impl core::error::Error for HeaderError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bootable() -> ImageHeader {
        ImageHeader { hdr_size: 32, img_size: 0x1000, ..ImageHeader::default() }
    }

    #[test]
    fn fields_are_where_bootutil_reads_them() {
        let header = ImageHeader {
            load_addr: 0x0403_0201,
            hdr_size: 0x0605,
            protect_tlv_size: 0x0807,
            img_size: 0x0c0b_0a09,
            flags: ImageFlags(0x100f_0e0d),
            version: ImageVersion {
                major: 0x11,
                minor: 0x12,
                revision: 0x1413,
                build_num: 0x1817_1615,
            },
        };
        let mut expected = [0; 32];
        expected[..4].copy_from_slice(&[0x3d, 0xb8, 0xf3, 0x96]);
        for (byte, value) in expected[4..28].iter_mut().zip(1..) {
            *byte = value;
        }
        assert_eq!(header.to_bytes(), expected);
    }

    #[test]
    fn another_magic_is_refused() {
        let mut bytes = bootable().to_bytes();
        bytes[0] = 0x3c;
        assert_eq!(ImageHeader::parse(&bytes), Err(HeaderError::Magic { found: 0x96f3_b83c }));
        assert_eq!(ImageHeader::parse(&bytes[..31]), Err(HeaderError::Truncated { len_bytes: 31 }));
    }

    #[test]
    fn an_image_must_be_smaller_than_its_slot() {
        let header = ImageHeader { protect_tlv_size: 12, ..bootable() };
        assert_eq!(header.check(0x102d), Ok(()));
        let too_large = HeaderError::LargerThanSlot { len_bytes: 0x102c, slot_len_bytes: 0x102c };
        assert_eq!(header.check(0x102c), Err(too_large));
        let endless = ImageHeader { img_size: u32::MAX, ..bootable() };
        assert!(matches!(endless.check(u32::MAX), Err(HeaderError::SizeOverflow { .. })));
    }

    #[test]
    fn what_the_bootloader_cannot_run_is_refused() {
        let with = |flags| ImageHeader { flags, ..bootable() }.check(0x10_0000);
        for flags in [ImageFlags::ENCRYPTED_AES128, ImageFlags::ENCRYPTED_AES256] {
            assert_eq!(with(flags), Err(HeaderError::Encrypted { flags }));
        }
        for flags in [ImageFlags::COMPRESSED_LZMA2, ImageFlags::COMPRESSED_ARM_THUMB] {
            assert_eq!(with(flags), Err(HeaderError::Compressed { flags }));
        }
        let flags = ImageFlags::NON_BOOTABLE;
        assert_eq!(with(flags), Err(HeaderError::NonBootable { flags }));
        assert_eq!(with(ImageFlags::ROM_FIXED.union(ImageFlags::PIC)), Ok(()));
        let short = ImageHeader { hdr_size: 31, ..bootable() };
        assert_eq!(short.check(0x10_0000), Err(HeaderError::HeaderSize { found: 31 }));
    }

    proptest! {
        #[test]
        fn parse_undoes_emit(load_addr: u32, hdr_size: u16, protect_tlv_size: u16, img_size: u32,
                             flags: u32, version: [u8; 8]) {
            let flags = ImageFlags(flags);
            let version = ImageVersion::from_bytes(version);
            let header =
                ImageHeader { load_addr, hdr_size, protect_tlv_size, img_size, flags, version };
            prop_assert_eq!(ImageHeader::parse(&header.to_bytes()), Ok(header));
        }

        #[test]
        fn no_bytes_panic(bytes: [u8; 40], len in 0usize..40, slot_len_bytes: u32) {
            let mut bytes = bytes;
            bytes[..4].copy_from_slice(&IMAGE_MAGIC.to_le_bytes());
            if let Ok(header) = ImageHeader::parse(&bytes[..len]) {
                let fits = header.check(slot_len_bytes).is_ok();
                prop_assert!(!fits || header.hashed_len_bytes() < Some(slot_len_bytes));
            }
        }
    }
}
