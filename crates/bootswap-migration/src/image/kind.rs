//! Detects the kind of a file by its contents.

use std::borrow::Cow;
use std::fmt;

use esp_idf_format::Chip;
use esp_idf_format::image::{self, FlashSize, ImageInfo, is_esp8266};
use esp_idf_format::otadata::{OtaData, OtaEntryError};
use esp_idf_format::partition::{ENTRY_MAGIC, OTADATA_LEN_BYTES, PartitionTable, TABLE_ADDR};
use flash_region::{ERASED, FlashAddr, SECTOR_BYTES, is_blank};
use mcuboot_format::IMAGE_MAGIC;

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// An MCUboot image, alone or as a whole slot.
    McubootImage,
    /// An ESP image: bootloader or app.
    EspImage,
    /// A partition table in its binary form.
    PartitionTable,
    /// Both sectors of otadata.
    Otadata,
    /// The first part of a flash: bootloader, partition table, apps, as a factory writes them.
    FactoryImage,
    /// A whole flash.
    FlashDump,
}

impl FileKind {
    /// The kind of these bytes, complete or damaged; `None` if they begin like nothing that is
    /// known.
    #[must_use]
    pub fn of(file: &[u8]) -> Option<Self> {
        if file.starts_with(&IMAGE_MAGIC.to_le_bytes()) {
            Some(Self::McubootImage)
        } else if file.starts_with(&ENTRY_MAGIC) {
            Some(Self::PartitionTable)
        } else if is_dump(file) {
            Some(Self::FlashDump)
        } else if is_esp8266(file) {
            None
        } else if is_factory_image(file) {
            Some(Self::FactoryImage)
        } else if file.first() == Some(&image::IMAGE_MAGIC) {
            Some(Self::EspImage)
        } else if is_otadata(file) {
            Some(Self::Otadata)
        } else {
            None
        }
    }

    /// The kind of image that a partition begins with, complete or damaged; `None` for anything
    /// else.
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
            Self::FactoryImage => "factory image",
            Self::FlashDump => "flash dump",
        }
    }

    /// The same with its article.
    #[must_use]
    pub const fn with_article(self) -> &'static str {
        match self {
            Self::McubootImage => "an MCUboot image",
            Self::EspImage => "an ESP image",
            Self::PartitionTable => "a partition table",
            Self::Otadata => "otadata",
            Self::FactoryImage => "a factory image",
            Self::FlashDump => "a flash dump",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A dump has the size of a flash chip, and a table or a bootloader where a flash has it.
fn is_dump(file: &[u8]) -> bool {
    let has_size = u32::try_from(file.len()).ok().and_then(FlashSize::from_bytes).is_some();
    let table = || file.get(TABLE_ADDR.get() as usize..).unwrap_or_default();
    has_size
        && (PartitionTable::parse_as_bootloader(table()).is_ok_and(|t| !t.is_empty())
            || bootloader(file).is_some())
}

/// A factory image begins at address 0 or at the chip's bootloader address, and continues after the
/// bootloader; or it has a partition table where a flash has it.
fn is_factory_image(file: &[u8]) -> bool {
    let flash = from_zero(file);
    let begins = matches!(file.first(), Some(&image::IMAGE_MAGIC | &ERASED));
    let table = flash.get(TABLE_ADDR.get() as usize..).unwrap_or_default();
    let has_table =
        || begins && PartitionTable::parse_as_bootloader(table).is_ok_and(|t| !t.is_empty());
    let goes_on = || {
        let chip = bootloader(&flash)?;
        let end = chip.bootloader_addr().get() + bootloader_in(&flash, chip)?.total_len_bytes;
        let (image, behind) = flash.split_at_checked(end as usize)?;
        // What follows a first stage belongs to it.
        if carrier_format::find(image).is_ok() {
            return None;
        }
        // The signature of a bootloader that is alone in its file begins with the next sector.
        let sector = end.next_multiple_of(SECTOR_BYTES) as usize;
        let signed = flash.get(sector..).is_some_and(|rest| rest.starts_with(&SIGNATURE_MAGIC));
        Some(!is_padding(behind) && !signed)
    };
    has_table() || goes_on() == Some(true)
}

/// First bytes of a signature block (`ETS_SECURE_BOOT_V2_SIGNATURE_MAGIC`, and its version).
const SIGNATURE_MAGIC: [u8; 2] = [0xe7, 0x02];

/// Whether all bytes have one value that is used as filling: 0xff as in erased flash, or 0.
fn is_padding(bytes: &[u8]) -> bool {
    is_blank(bytes) || bytes.iter().all(|byte| *byte == 0)
}

/// A factory image as flash from address 0 on: some are made to be written at the chip's bootloader
/// address.
pub(super) fn from_zero(file: &[u8]) -> Cow<'_, [u8]> {
    let chip = image::verify_as_rom(file).ok().filter(|(info, _)| info.app_desc.is_none());
    match chip.and_then(|(info, _)| info.header.chip()).map(Chip::bootloader_addr) {
        Some(start) if start > FlashAddr::ZERO => {
            let mut flash = vec![ERASED; start.get() as usize];
            flash.extend(file);
            Cow::Owned(flash)
        }
        _ => Cow::Borrowed(file),
    }
}

/// The chip whose bootloader is where the chip's ROM looks for it.
///
/// A short app is distinguished by its app description.
pub(super) fn bootloader(file: &[u8]) -> Option<Chip> {
    Chip::ALL.into_iter().find(|chip| bootloader_in(file, *chip).is_some())
}

/// The bootloader in a flash of that chip, as its ROM sees it.
pub(super) fn bootloader_in(flash: &[u8], chip: Chip) -> Option<ImageInfo> {
    let held = flash.get(chip.bootloader_addr().get() as usize..)?;
    let (info, _) = image::verify_as_rom(held).ok()?;
    (info.header.chip_id == chip.image_chip_id() && info.app_desc.is_none()).then_some(info)
}

/// Otadata has two sectors, each with an entry or blank. A torn entry is ignored, so one good entry
/// is enough.
fn is_otadata(file: &[u8]) -> bool {
    if file.len() != OTADATA_LEN_BYTES as usize {
        return false;
    }
    let (first, second) = file.split_at(SECTOR_BYTES as usize);
    let entries = OtaData::parse(first, second).entries;
    entries.iter().any(Result::is_ok) || entries == [Err(OtaEntryError::Blank); 2]
}
