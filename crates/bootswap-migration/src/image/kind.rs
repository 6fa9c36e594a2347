//! What kind of file it is, by what is in it.

use std::fmt;

use esp_idf_format::Chip;
use esp_idf_format::image::{self, FlashSize, ImageInfo};
use esp_idf_format::otadata::{OtaData, OtaEntryError};
use esp_idf_format::partition::{OTADATA_LEN_BYTES, PartitionTable, TABLE_ADDR};
use flash_region::SECTOR_BYTES;
use mcuboot_format::IMAGE_MAGIC;

/// First bytes of a partition table.
const TABLE_MAGIC: [u8; 2] = [0xaa, 0x50];

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An MCUboot image, alone or as a whole slot.
    McubootImage,
    /// An ESP image: bootloader or app.
    EspImage,
    /// A partition table in its binary form.
    PartitionTable,
    /// Both sectors of otadata.
    Otadata,
    /// A whole flash.
    FlashDump,
}

impl Kind {
    /// What the bytes are, whole or damaged; `None` if they begin like nothing that is known.
    #[must_use]
    pub fn of(file: &[u8]) -> Option<Self> {
        if file.starts_with(&IMAGE_MAGIC.to_le_bytes()) {
            Some(Self::McubootImage)
        } else if file.starts_with(&TABLE_MAGIC) {
            Some(Self::PartitionTable)
        } else if is_dump(file) {
            Some(Self::FlashDump)
        } else if file.first() == Some(&image::IMAGE_MAGIC) {
            Some(Self::EspImage)
        } else if is_otadata(file) {
            Some(Self::Otadata)
        } else {
            None
        }
    }

    /// The kind of image that a partition begins with, whole or damaged; `None` for anything else.
    #[must_use]
    pub fn of_partition(held: &[u8]) -> Option<Self> {
        if held.starts_with(&IMAGE_MAGIC.to_le_bytes()) {
            Some(Self::McubootImage)
        } else {
            (held.first() == Some(&image::IMAGE_MAGIC)).then_some(Self::EspImage)
        }
    }

    /// The kind in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::McubootImage => "MCUboot image",
            Self::EspImage => "ESP image",
            Self::PartitionTable => "partition table",
            Self::Otadata => "otadata",
            Self::FlashDump => "flash dump",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A dump has the size of a flash, and a table or a bootloader where a flash has it.
fn is_dump(file: &[u8]) -> bool {
    let has_size = u32::try_from(file.len()).ok().and_then(FlashSize::from_bytes).is_some();
    let table = || file.get(TABLE_ADDR.get() as usize..).unwrap_or_default();
    has_size
        && (PartitionTable::parse_as_bootloader(table()).is_ok_and(|t| !t.is_empty())
            || bootloader(file).is_some())
}

/// The chip whose bootloader is where the chip's ROM looks for it.
///
/// An app that is short enough is told apart by what it says of itself.
pub(super) fn bootloader(file: &[u8]) -> Option<Chip> {
    Chip::ALL.into_iter().find(|chip| bootloader_in(file, *chip).is_some())
}

/// The bootloader of a flash of that chip, as its ROM sees it.
pub(super) fn bootloader_in(flash: &[u8], chip: Chip) -> Option<ImageInfo> {
    let held = flash.get(chip.bootloader_addr().get() as usize..)?;
    let (info, _) = image::verify_as_rom(held).ok()?;
    (info.header.chip_id == chip.image_chip_id() && info.app_desc.is_none()).then_some(info)
}

/// Otadata has two sectors, each with an entry or blank. A torn one does not count, so one good
/// entry is enough.
fn is_otadata(file: &[u8]) -> bool {
    if file.len() != OTADATA_LEN_BYTES as usize {
        return false;
    }
    let (first, second) = file.split_at(SECTOR_BYTES as usize);
    let entries = OtaData::parse(first, second).entries;
    entries.iter().any(Result::is_ok) || entries == [Err(OtaEntryError::Blank); 2]
}
