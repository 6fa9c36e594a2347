//! What a trailer says.

use core::fmt;

use flash_region::{ERASED, FlashAddr, is_blank};

use super::{FLAG_SET, MAGIC_LEN_BYTES, TrailerError, TrailerLayout, magic_bytes};
use crate::bytes::{array, put, u32_at};

/// The fields of a trailer, decoded as bootutil decodes them (`boot_read_swap_state`,
/// boot/bootutil/src/bootutil_public.c).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrailerState {
    /// Whether the trailer means anything.
    pub magic: Magic,
    /// The kind of swap in progress.
    pub swap_info: SwapInfo,
    /// Whether the swap is finished.
    pub copy_done: Flag,
    /// Whether the image stays.
    pub image_ok: Flag,
    /// Bytes of the larger image of a swap in progress; `None` if erased, or not kept.
    pub swap_size_bytes: Option<u32>,
    /// Bytes of the unprotected TLVs in the low (primary) and high (secondary) half; `None` if
    /// erased, or not kept.
    pub unprotected_tlv_sizes: Option<u32>,
}

impl TrailerState {
    /// A trailer whose bytes are all erased.
    pub const UNSET: Self = Self {
        magic: Magic::Unset,
        swap_info: SwapInfo::UNSET,
        copy_done: Flag::Unset,
        image_ok: Flag::Unset,
        swap_size_bytes: None,
        unprotected_tlv_sizes: None,
    };

    /// What `imgtool sign --pad` leaves: the image is tried once, then reverted unless it confirms
    /// itself.
    pub const PENDING: Self = Self { magic: Magic::Good, ..Self::UNSET };

    /// What `imgtool sign --pad --confirm` leaves: the image stays.
    pub const CONFIRMED: Self = Self { image_ok: Flag::Set, ..Self::PENDING };

    /// Reads the fields from `tail`, the last bytes of the slot; at least as many as
    /// [`TrailerLayout::fields`] has, more do not matter.
    ///
    /// # Errors
    /// [`TrailerError::BufferTooShort`].
    pub fn parse(layout: &TrailerLayout, tail: &[u8]) -> Result<Self, TrailerError> {
        let fields = fields_of(layout, tail)?;
        let byte = |addr| fields.get(offset_in(layout, addr)).copied().unwrap_or(ERASED);
        let word = |addr| {
            u32_at(fields, offset_in(layout, addr))
                .filter(|word| *word != u32::from_le_bytes([ERASED; 4]))
        };
        let magic = array(fields, offset_in(layout, layout.magic())).unwrap_or([ERASED; 16]);
        Ok(Self {
            magic: Magic::decode(magic, layout.config().max_align),
            swap_info: SwapInfo(byte(layout.swap_info())),
            copy_done: Flag::decode(byte(layout.copy_done())),
            image_ok: Flag::decode(byte(layout.image_ok())),
            swap_size_bytes: layout.swap_size().and_then(word),
            unprotected_tlv_sizes: layout.unprotected_tlv_sizes().and_then(word),
        })
    }

    /// Writes the fields into `tail`, the last bytes of the slot, and makes every other byte of it
    /// erased, the status area among them where `tail` is long enough.
    ///
    /// A field that the layout does not have is not written. A magic or flag that is bad becomes
    /// zeros.
    ///
    /// # Errors
    /// [`TrailerError::BufferTooShort`], and then `tail` is unchanged.
    pub fn emit(&self, layout: &TrailerLayout, tail: &mut [u8]) -> Result<(), TrailerError> {
        fields_of(layout, tail)?;
        tail.fill(ERASED);
        let start = tail.len().saturating_sub(fields_len(layout));
        let mut set = |addr: FlashAddr, value: &[u8]| {
            // Never None: every field is inside the fields, whose length was just checked.
            let _ = put(tail, start + offset_in(layout, addr), value);
        };
        if let (Some(addr), Some(size_bytes)) = (layout.swap_size(), self.swap_size_bytes) {
            set(addr, &size_bytes.to_le_bytes());
        }
        if let (Some(addr), Some(sizes)) =
            (layout.unprotected_tlv_sizes(), self.unprotected_tlv_sizes)
        {
            set(addr, &sizes.to_le_bytes());
        }
        set(layout.swap_info(), &[self.swap_info.0]);
        set(layout.copy_done(), &[self.copy_done.encode()]);
        set(layout.image_ok(), &[self.image_ok.encode()]);
        set(layout.magic(), &self.magic.encode(layout.config().max_align));
        Ok(())
    }
}

/// Writes the trailer that `imgtool sign --pad --confirm` puts at the end of a slot into `out`, the
/// last bytes of the slot: erased but for image ok and magic.
///
/// # Errors
/// [`TrailerError::BufferTooShort`] where `out` is shorter than [`TrailerLayout::fields`].
pub fn confirmed_trailer(layout: &TrailerLayout, out: &mut [u8]) -> Result<(), TrailerError> {
    TrailerState::CONFIRMED.emit(layout, out)
}

fn fields_len(layout: &TrailerLayout) -> usize {
    usize::try_from(layout.fields().len_bytes()).unwrap_or(usize::MAX)
}

/// The offset of that address in the fields.
fn offset_in(layout: &TrailerLayout, addr: FlashAddr) -> usize {
    usize::try_from(addr.bytes_since(layout.fields().start())).unwrap_or(usize::MAX)
}

fn fields_of<'a>(layout: &TrailerLayout, tail: &'a [u8]) -> Result<&'a [u8], TrailerError> {
    let start = tail.len().checked_sub(fields_len(layout));
    start.and_then(|start| tail.get(start..)).ok_or(TrailerError::BufferTooShort {
        len_bytes: tail.len(),
        needed_bytes: layout.fields().len_bytes(),
    })
}

/// What the magic says (`BOOT_MAGIC_*`, boot/bootutil/include/bootutil/bootutil_public.h).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Magic {
    /// It is the one for the layout's `max_align`.
    Good,
    /// It is anything else, that for another `max_align` included.
    Bad,
    /// It is erased.
    Unset,
}

impl Magic {
    /// What those 16 bytes say to a bootloader with that `max_align`.
    #[must_use]
    pub fn decode(bytes: [u8; MAGIC_LEN_BYTES as usize], max_align: u32) -> Self {
        if bytes == magic_bytes(max_align) {
            Self::Good
        } else if is_blank(&bytes) {
            Self::Unset
        } else {
            Self::Bad
        }
    }

    const fn encode(self, max_align: u32) -> [u8; MAGIC_LEN_BYTES as usize] {
        match self {
            Self::Good => magic_bytes(max_align),
            Self::Bad => [0; MAGIC_LEN_BYTES as usize],
            Self::Unset => [ERASED; MAGIC_LEN_BYTES as usize],
        }
    }
}

impl fmt::Display for Magic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unset => "unset",
        })
    }
}

/// What a flag says (`BOOT_FLAG_*`, boot/bootutil/include/bootutil/bootutil_public.h).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Flag {
    /// Its byte is 0x01.
    Set,
    /// Its byte is neither 0x01 nor erased.
    Bad,
    /// Its byte is erased.
    Unset,
}

impl Flag {
    /// What that byte says.
    #[must_use]
    pub const fn decode(byte: u8) -> Self {
        match byte {
            FLAG_SET => Self::Set,
            ERASED => Self::Unset,
            _ => Self::Bad,
        }
    }

    const fn encode(self) -> u8 {
        match self {
            Self::Set => FLAG_SET,
            Self::Bad => 0,
            Self::Unset => ERASED,
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set => "set",
            Self::Bad => "bad",
            Self::Unset => "unset",
        })
    }
}

/// The byte that names the swap in progress: its type in the low, the image's number in the high
/// half (`BOOT_GET_SWAP_TYPE`, `BOOT_GET_IMAGE_NUM`,
/// boot/bootutil/include/bootutil/bootutil_public.h).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SwapInfo(pub u8);

impl SwapInfo {
    /// The erased byte.
    pub const UNSET: Self = Self(ERASED);

    /// The byte for that type of swap of the first image.
    #[must_use]
    pub const fn new(swap_type: SwapType) -> Self {
        Self(swap_type as u8)
    }

    /// The type of swap; [`SwapType::None`] where the byte is erased or names no type.
    #[must_use]
    pub const fn swap_type(self) -> SwapType {
        match self.0 & 0x0f {
            2 => SwapType::Test,
            3 => SwapType::Permanent,
            4 => SwapType::Revert,
            _ => SwapType::None,
        }
    }

    /// The number of the image that is swapped; 0 where no swap is named.
    #[must_use]
    pub const fn image_num(self) -> u8 {
        match self.swap_type() {
            SwapType::None => 0,
            SwapType::Test | SwapType::Permanent | SwapType::Revert => self.0 >> 4,
        }
    }
}

impl fmt::Debug for SwapInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SwapInfo({:#04x})", self.0)
    }
}

/// What MCUboot does at a boot (`BOOT_SWAP_TYPE_*`,
/// boot/bootutil/include/bootutil/bootutil_public.h).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum SwapType {
    /// Boots the primary.
    None = 1,
    /// Swaps, and reverts at the next boot unless the image confirms itself.
    Test = 2,
    /// Swaps for good.
    Permanent = 3,
    /// Swaps back.
    Revert = 4,
}

impl fmt::Display for SwapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Test => "test",
            Self::Permanent => "perm",
            Self::Revert => "revert",
        })
    }
}
