//! The two areas of TLVs.

use core::fmt;

use super::TlvType;
use crate::ImageHeader;
use crate::bytes::array;

/// What the unprotected area starts with (`IMAGE_TLV_INFO_MAGIC`,
/// boot/bootutil/include/bootutil/image.h).
pub const AREA_MAGIC: u16 = 0x6907;

/// What the protected area starts with (`IMAGE_TLV_PROT_INFO_MAGIC`, same file).
pub const PROTECTED_AREA_MAGIC: u16 = 0x6908;

/// The first 4 bytes of an area: magic, and bytes of the area, these 4 included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AreaHeader {
    /// Whether it is the protected area.
    pub protected: bool,
    /// Bytes of the area with this header.
    pub len_bytes: u16,
}

impl AreaHeader {
    /// Bytes that it takes.
    pub const LEN_BYTES: u32 = 4;

    /// Reads the header of the protected or the unprotected area of an image.
    ///
    /// `offset_bytes`, from the start of the image, is for the error to name.
    ///
    /// # Errors
    /// [`TlvError::AreaMagic`], [`TlvError::AreaLen`] and, for the protected area,
    /// [`TlvError::ProtectedLen`] where it does not have the length that the image's header says.
    pub fn parse(
        bytes: [u8; Self::LEN_BYTES as usize],
        offset_bytes: u32,
        image: &ImageHeader,
        protected: bool,
    ) -> Result<Self, TlvError> {
        let [m0, m1, l0, l1] = bytes;
        let found = u16::from_le_bytes([m0, m1]);
        let expected = if protected { PROTECTED_AREA_MAGIC } else { AREA_MAGIC };
        if found != expected {
            return Err(TlvError::AreaMagic { offset_bytes, found, expected });
        }
        let len_bytes = u16::from_le_bytes([l0, l1]);
        if protected && len_bytes != image.protect_tlv_size {
            let in_header = image.protect_tlv_size;
            return Err(TlvError::ProtectedLen { offset_bytes, found: len_bytes, in_header });
        }
        if u32::from(len_bytes) < Self::LEN_BYTES {
            return Err(TlvError::AreaLen { offset_bytes, found: len_bytes });
        }
        Ok(Self { protected, len_bytes })
    }

    /// Its 4 bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::LEN_BYTES as usize] {
        let magic = if self.protected { PROTECTED_AREA_MAGIC } else { AREA_MAGIC };
        let ([m0, m1], [l0, l1]) = (magic.to_le_bytes(), self.len_bytes.to_le_bytes());
        [m0, m1, l0, l1]
    }
}

/// The first 4 bytes of a TLV.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TlvHeader {
    /// What the value is.
    pub tlv_type: TlvType,
    /// Bytes of the value.
    pub len_bytes: u16,
}

impl TlvHeader {
    /// Bytes that it takes.
    pub const LEN_BYTES: u32 = 4;

    /// Reads the header; every bit pattern is valid.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN_BYTES as usize]) -> Self {
        let [t0, t1, l0, l1] = bytes;
        let tlv_type = TlvType(u16::from_le_bytes([t0, t1]));
        Self { tlv_type, len_bytes: u16::from_le_bytes([l0, l1]) }
    }

    /// Its 4 bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::LEN_BYTES as usize] {
        let ([t0, t1], [l0, l1]) = (self.tlv_type.0.to_le_bytes(), self.len_bytes.to_le_bytes());
        [t0, t1, l0, l1]
    }

    /// Where a TLV that starts there ends, if that is inside an area that ends at `area_end_bytes`.
    ///
    /// # Errors
    /// [`TlvError::Overrun`]. bootutil is less strict in one case: it lets a protected TLV run into
    /// the unprotected area.
    pub fn end_bytes(self, offset_bytes: u32, area_end_bytes: u32) -> Result<u32, TlvError> {
        let Self { tlv_type, len_bytes } = self;
        offset_bytes
            .checked_add(Self::LEN_BYTES)
            .and_then(|start| start.checked_add(u32::from(len_bytes)))
            .filter(|end| *end <= area_end_bytes)
            .ok_or(TlvError::Overrun { offset_bytes, tlv_type, len_bytes, area_end_bytes })
    }
}

/// One TLV of an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tlv<'a> {
    /// What the value is.
    pub tlv_type: TlvType,
    /// Whether it is in the protected area.
    pub protected: bool,
    /// Where it starts, from the start of the image.
    pub offset_bytes: u32,
    /// The value.
    pub value: &'a [u8],
}

/// All TLVs of an image, checked once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tlvs<'a> {
    image: &'a [u8],
    /// Offsets of the two areas' ends; the first is also where the second area starts.
    protected_end: u32,
    end: u32,
    start: u32,
}

impl<'a> Tlvs<'a> {
    /// Finds the TLVs in `image`, which starts with `header` and may be followed by other bytes.
    ///
    /// Their values are not checked: [`ImageValidator`](crate::ImageValidator) does that.
    ///
    /// # Errors
    /// Every variant of [`TlvError`].
    pub fn parse(image: &'a [u8], header: &ImageHeader) -> Result<Self, TlvError> {
        let past = TlvError::Truncated { offset_bytes: u32::MAX, len_bytes: image.len() };
        let start = header.tlv_offset_bytes().ok_or(past)?;
        let protected_end = header.hashed_len_bytes().ok_or(past)?;
        let area = |offset_bytes, protected| {
            let bytes = bytes_at(image, offset_bytes)?;
            AreaHeader::parse(bytes, offset_bytes, header, protected)
        };
        if protected_end > start {
            area(start, true)?;
        }
        let len_bytes = u32::from(area(protected_end, false)?.len_bytes);
        let end = protected_end.checked_add(len_bytes).ok_or(past)?;
        let tlvs = Self { image, protected_end, end, start };
        let mut walk = Walk { tlvs, at: tlvs.first() };
        while walk.step()?.is_some() {}
        Ok(tlvs)
    }

    /// Where the image ends: header, payload and both areas.
    #[must_use]
    pub const fn end_bytes(&self) -> u32 {
        self.end
    }

    /// The TLVs in their order in the image.
    pub fn iter(&self) -> impl Iterator<Item = Tlv<'a>> + use<'a> {
        let mut walk = Walk { tlvs: *self, at: self.first() };
        core::iter::from_fn(move || walk.step().ok().flatten())
    }

    /// The first of that type.
    #[must_use]
    pub fn find(&self, tlv_type: TlvType) -> Option<Tlv<'a>> {
        self.iter().find(|tlv| tlv.tlv_type == tlv_type)
    }

    /// Where the first TLV starts, or the second area's header if the first is empty.
    const fn first(&self) -> u32 {
        // In range: `parse` read an area header there.
        self.start.saturating_add(AreaHeader::LEN_BYTES)
    }
}

/// A position among the TLVs.
struct Walk<'a> {
    tlvs: Tlvs<'a>,
    at: u32,
}

impl<'a> Walk<'a> {
    fn step(&mut self) -> Result<Option<Tlv<'a>>, TlvError> {
        let Tlvs { image, protected_end, end, start } = self.tlvs;
        if protected_end > start && self.at == protected_end {
            self.at = protected_end.saturating_add(AreaHeader::LEN_BYTES);
        }
        if self.at == end {
            return Ok(None);
        }
        let (offset_bytes, protected) = (self.at, self.at < protected_end);
        let area_end_bytes = if protected { protected_end } else { end };
        if area_end_bytes - offset_bytes < TlvHeader::LEN_BYTES {
            return Err(TlvError::HalfHeader { offset_bytes, area_end_bytes });
        }
        let header = TlvHeader::from_bytes(bytes_at(image, offset_bytes)?);
        let tlv_end = header.end_bytes(offset_bytes, area_end_bytes)?;
        let len_bytes = image.len();
        let value = usize_of(offset_bytes.saturating_add(TlvHeader::LEN_BYTES))
            .zip(usize_of(tlv_end))
            .and_then(|(from, to)| image.get(from..to))
            .ok_or(TlvError::Truncated { offset_bytes: tlv_end, len_bytes })?;
        self.at = tlv_end;
        Ok(Some(Tlv { tlv_type: header.tlv_type, protected, offset_bytes, value }))
    }
}

fn usize_of(offset_bytes: u32) -> Option<usize> {
    usize::try_from(offset_bytes).ok()
}

fn bytes_at(image: &[u8], offset_bytes: u32) -> Result<[u8; 4], TlvError> {
    usize_of(offset_bytes)
        .and_then(|offset| array(image, offset))
        .ok_or(TlvError::Truncated { offset_bytes, len_bytes: image.len() })
}

/// Why bytes are not the TLVs of an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TlvError {
    /// An area does not start with its magic.
    AreaMagic {
        /// Where it should, from the start of the image.
        offset_bytes: u32,
        /// What is there.
        found: u16,
        /// The magic.
        expected: u16,
    },
    /// An area is shorter than its own header.
    AreaLen {
        /// Where it starts, from the start of the image.
        offset_bytes: u32,
        /// The length that it says it has, in bytes.
        found: u16,
    },
    /// The protected area and the image's header do not agree on its length.
    ProtectedLen {
        /// Where the area starts, from the start of the image.
        offset_bytes: u32,
        /// The length that it says it has, in bytes.
        found: u16,
        /// The length that the header says it has, in bytes.
        in_header: u16,
    },
    /// An area ends within the first 4 bytes of a TLV.
    HalfHeader {
        /// Where the TLV starts, from the start of the image.
        offset_bytes: u32,
        /// Where the area ends.
        area_end_bytes: u32,
    },
    /// A TLV ends past its area.
    Overrun {
        /// Where it starts, from the start of the image.
        offset_bytes: u32,
        /// What it is.
        tlv_type: TlvType,
        /// Bytes of its value.
        len_bytes: u16,
        /// Where the area ends.
        area_end_bytes: u32,
    },
    /// The bytes given end before the TLVs do.
    Truncated {
        /// What is not there, from the start of the image.
        offset_bytes: u32,
        /// How many bytes there are.
        len_bytes: usize,
    },
}

impl fmt::Display for TlvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AreaMagic { offset_bytes, found, expected } => write!(
                f,
                "TLV area at offset {offset_bytes:#x}: magic is {found:#06x}, not {expected:#06x}"
            ),
            Self::AreaLen { offset_bytes, found } => {
                write!(
                    f,
                    "TLV area at offset {offset_bytes:#x}: its length is {found}, less than 4"
                )
            }
            Self::ProtectedLen { offset_bytes, found, in_header } => write!(
                f,
                "protected TLV area at offset {offset_bytes:#x}: its length is {found:#x}, in the \
                 image header {in_header:#x}"
            ),
            Self::HalfHeader { offset_bytes, area_end_bytes } => write!(
                f,
                "TLV at offset {offset_bytes:#x}: the area's end {area_end_bytes:#x} cuts its \
                 header"
            ),
            Self::Overrun { offset_bytes, tlv_type, len_bytes, area_end_bytes } => write!(
                f,
                "TLV {tlv_type} at offset {offset_bytes:#x}: {len_bytes} bytes end past the area's \
                 end {area_end_bytes:#x}"
            ),
            Self::Truncated { offset_bytes, len_bytes } => {
                write!(f, "TLVs: offset {offset_bytes:#x} is past the {len_bytes:#x} bytes given")
            }
        }
    }
}

impl core::error::Error for TlvError {}
