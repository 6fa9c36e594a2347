//! Where each field of a trailer is.

use flash_region::{FlashAddr, Region};

use super::TrailerError;
use crate::SwapKind;

/// Bytes of the magic at the very end of a slot (`BOOT_MAGIC_SZ`,
/// boot/bootutil/include/bootutil/bootutil_public.h).
pub const MAGIC_LEN_BYTES: u32 = 16;

/// What a flag's byte is when it is set (`BOOT_FLAG_SET`, same file).
pub const FLAG_SET: u8 = 0x01;

/// `boot_img_magic` for `BOOT_MAX_ALIGN == 8` (boot/bootutil/src/bootutil_public.c).
const MAGIC_ALIGN_8: [u8; 16] = [
    0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80,
];

/// What follows the alignment in `boot_img_magic` for any other `BOOT_MAX_ALIGN` (same file).
const MAGIC_TAIL: [u8; 14] =
    [0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b, 0x8d, 0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a];

/// The magic of a good trailer: a fixed one for a `max_align` of 8, otherwise one that begins with
/// the alignment, so that a bootloader refuses a trailer that was laid out for another.
#[must_use]
pub const fn magic_bytes(max_align: u32) -> [u8; 16] {
    if max_align == 8 {
        return MAGIC_ALIGN_8;
    }
    let [a0, a1, ..] = max_align.to_le_bytes();
    let [t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13] = MAGIC_TAIL;
    [a0, a1, t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13]
}

/// What was compiled into a bootloader and decides where its trailers are.
///
/// imgtool calls the numbers `--align`, `--max-align` and `--max-sectors`. `write_unit_bytes` and
/// `max_sectors` move only the start of the status area; the other fields stay where they are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TrailerConfig {
    /// Bytes that the bootloader programs at once (`flash_area_align`): 1, 2, 4, 8, 16 or 32.
    pub write_unit_bytes: u32,
    /// The distance of the fields in bytes (`MCUBOOT_BOOT_MAX_ALIGN`): 8, 16 or 32.
    pub max_align: u32,
    /// Sectors that the status area has room for (`MCUBOOT_MAX_IMG_SECTORS`).
    pub max_sectors: u32,
    /// How the bootloader upgrades.
    pub swap: SwapKind,
}

impl TrailerConfig {
    /// Espressif's port without flash encryption: 4 bytes at once, fields 8 bytes apart, 512
    /// sectors (boot/espressif/port/esp_mcuboot.c and
    /// boot/espressif/hal/include/mcuboot_config/mcuboot_config.h).
    #[must_use]
    pub const fn espressif(swap: SwapKind) -> Self {
        Self { write_unit_bytes: 4, max_align: 8, max_sectors: 512, swap }
    }

    /// Bytes of the fields after the status area (`boot_trailer_info_sz`,
    /// boot/bootutil/src/bootutil_area.c).
    const fn fields_len_bytes(&self) -> u32 {
        let fields = match self.swap {
            SwapKind::Scratch | SwapKind::Move => 4,
            SwapKind::Offset => 5,
            SwapKind::Overwrite => 3,
        };
        fields * self.max_align + MAGIC_LEN_BYTES.next_multiple_of(self.max_align)
    }

    fn check(&self) -> Result<(), TrailerError> {
        let Self { write_unit_bytes, max_align, max_sectors, .. } = *self;
        if !matches!(max_align, 8 | 16 | 32) {
            return Err(TrailerError::MaxAlign { found: max_align });
        }
        if !write_unit_bytes.is_power_of_two() || write_unit_bytes > max_align {
            return Err(TrailerError::WriteUnit { found: write_unit_bytes, max_align });
        }
        if max_sectors == 0 {
            return Err(TrailerError::NoSectors);
        }
        Ok(())
    }
}

/// The addresses of the fields in one slot's trailer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TrailerLayout {
    slot: Region,
    config: TrailerConfig,
    /// Both are inside the slot; the fields follow the status area and end with the slot.
    status: Region,
    fields: Region,
}

impl TrailerLayout {
    /// The trailer at the end of `slot`, primary or secondary.
    ///
    /// For 1 MiB and [`TrailerConfig::espressif`] it takes 0x1830 bytes:
    /// 512 sectors of 3 steps of 4 bytes, and 0x30 bytes of fields.
    ///
    /// # Errors
    /// Every variant of [`TrailerError`] but [`BufferTooShort`](TrailerError::BufferTooShort).
    pub fn new(slot: Region, config: TrailerConfig) -> Result<Self, TrailerError> {
        Self::with_sectors(slot, config, config.max_sectors)
    }

    /// The trailer at the end of the scratch area, with the status of one sector only
    /// (`boot_scratch_trailer_sz`, boot/bootutil/src/bootutil_area.c). MCUboot keeps it there while
    /// the primary's own trailer is being swapped.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn scratch(area: Region, config: TrailerConfig) -> Result<Self, TrailerError> {
        Self::with_sectors(area, config, 1)
    }

    fn with_sectors(
        slot: Region,
        config: TrailerConfig,
        sectors: u32,
    ) -> Result<Self, TrailerError> {
        config.check()?;
        if !slot.len_bytes().is_multiple_of(config.max_align) {
            return Err(TrailerError::SlotMisaligned { slot, max_align: config.max_align });
        }
        let steps = u64::from(sectors) * u64::from(config.swap.steps_per_sector());
        let status_len_bytes = steps * u64::from(config.write_unit_bytes);
        let fields_len_bytes = config.fields_len_bytes();
        let trailer_len_bytes = status_len_bytes + u64::from(fields_len_bytes);
        let too_small = TrailerError::SlotTooSmall { slot, trailer_len_bytes };
        match u32::try_from(trailer_len_bytes) {
            Ok(trailer_len_bytes) if trailer_len_bytes < slot.len_bytes() => {
                let fields = slot.suffix(fields_len_bytes);
                let trailer = slot.suffix(trailer_len_bytes);
                let status = Region::new(trailer.start(), fields.start()).ok_or(too_small)?;
                Ok(Self { slot, config, status, fields })
            }
            _ => Err(too_small),
        }
    }

    /// The slot, or the scratch area, at whose end the trailer is.
    #[must_use]
    pub const fn slot(&self) -> Region {
        self.slot
    }

    /// What the layout was made from.
    #[must_use]
    pub const fn config(&self) -> TrailerConfig {
        self.config
    }

    /// The whole trailer, from the start of the status area to the end of the slot.
    #[must_use]
    pub const fn trailer(&self) -> Region {
        self.slot.from(self.status.start())
    }

    /// Bytes of the slot before the trailer.
    #[must_use]
    pub const fn offset_bytes(&self) -> u32 {
        self.status.start().bytes_since(self.slot.start())
    }

    /// The status area; empty for [`SwapKind::Overwrite`].
    #[must_use]
    pub const fn status(&self) -> Region {
        self.status
    }

    /// Steps that the status area has room for.
    #[must_use]
    pub const fn status_steps(&self) -> u32 {
        self.status.len_bytes() / self.config.write_unit_bytes
    }

    /// The write unit of step `index`, counted from 0; `None` after the last one.
    #[must_use]
    pub const fn status_step(&self, index: u32) -> Option<FlashAddr> {
        if index < self.status_steps() {
            self.status.start().checked_add(index * self.config.write_unit_bytes)
        } else {
            None
        }
    }

    /// Everything after the status area, up to the end of the slot.
    #[must_use]
    pub const fn fields(&self) -> Region {
        self.fields
    }

    /// The size of a swap in progress, 4 bytes; [`SwapKind::Overwrite`] has none.
    #[must_use]
    pub const fn swap_size(&self) -> Option<FlashAddr> {
        match self.config.swap {
            SwapKind::Scratch | SwapKind::Move | SwapKind::Offset => Some(self.fields.start()),
            SwapKind::Overwrite => None,
        }
    }

    /// The sizes of both images' unprotected TLVs, 4 bytes, which only [`SwapKind::Offset`] keeps.
    #[must_use]
    pub const fn unprotected_tlv_sizes(&self) -> Option<FlashAddr> {
        match self.config.swap {
            SwapKind::Offset => Some(self.field(4)),
            SwapKind::Scratch | SwapKind::Move | SwapKind::Overwrite => None,
        }
    }

    /// The kind of swap in progress, 1 byte.
    #[must_use]
    pub const fn swap_info(&self) -> FlashAddr {
        self.field(3)
    }

    /// The flag that the swap is finished, 1 byte.
    #[must_use]
    pub const fn copy_done(&self) -> FlashAddr {
        self.field(2)
    }

    /// The flag that the image stays, 1 byte.
    #[must_use]
    pub const fn image_ok(&self) -> FlashAddr {
        self.field(1)
    }

    /// The magic, [`MAGIC_LEN_BYTES`] bytes up to the end of the slot.
    #[must_use]
    pub const fn magic(&self) -> FlashAddr {
        self.slot.suffix(MAGIC_LEN_BYTES).start()
    }

    /// The magic with the padding before it, whole units of `max_align`: what MCUboot programs at
    /// once (`boot_write_magic`, boot/bootutil/src/bootutil_public.c).
    #[must_use]
    pub const fn padded_magic(&self) -> Region {
        self.slot.suffix(self.padded_magic_len_bytes())
    }

    /// The field that starts `nth` times `max_align` before the padded magic.
    const fn field(&self, nth: u32) -> FlashAddr {
        self.slot.suffix(self.padded_magic_len_bytes() + nth * self.config.max_align).start()
    }

    const fn padded_magic_len_bytes(&self) -> u32 {
        MAGIC_LEN_BYTES.next_multiple_of(self.config.max_align)
    }
}
