//! Describes what a file is and contains, for people and for scripts. A dump contains all other
//! kinds of files.

use std::fmt;

use esp_idf_format::Chip;
use esp_idf_format::partition::{Partition, PartitionTable, TABLE_ADDR, TABLE_LEN_BYTES};
use flash_region::{FlashAddr, Region, SECTOR_BYTES, is_blank};
use mcuboot_format::validate;
use serde::Serialize;

use super::esp::EspInfo;
use super::kind::{FileKind, bootloader, bootloader_in, from_zero};
use super::lines::Lines;
use super::mcuboot::{ANY_SLOT, McubootInfo};
use super::tables::{OtadataInfo, PartitionInfo, TableInfo};
use crate::facts::{self, bytes};

/// What `--json` prints. Keys are never renamed; `null` where something does not apply.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Description {
    /// An MCUboot image.
    McubootImage(Box<McubootInfo>),
    /// An ESP image.
    EspImage(Box<EspInfo>),
    /// A partition table.
    PartitionTable(TableInfo),
    /// Otadata.
    Otadata(OtadataInfo),
    /// The first part of a flash.
    FactoryImage(Box<DumpInfo>),
    /// A whole flash.
    FlashDump(Box<DumpInfo>),
}

impl Description {
    /// Describes a file of that kind, as far as it is complete.
    #[must_use]
    pub fn of(file: &[u8], kind: FileKind) -> Self {
        match kind {
            FileKind::McubootImage => Self::McubootImage(Box::new(McubootInfo::of(file))),
            FileKind::EspImage => Self::EspImage(Box::new(EspInfo::of(file))),
            FileKind::PartitionTable => Self::PartitionTable(TableInfo::of(file)),
            FileKind::Otadata => Self::Otadata(OtadataInfo::of(file, None)),
            FileKind::FactoryImage => Self::FactoryImage(Box::new(DumpInfo::of(&from_zero(file)))),
            FileKind::FlashDump => Self::FlashDump(Box::new(DumpInfo::of(file))),
        }
    }

    fn write(&self, lines: &mut Lines) {
        match self {
            Self::McubootImage(info) => info.write(lines),
            Self::EspImage(info) => info.write(lines),
            Self::PartitionTable(info) => info.write(lines),
            Self::Otadata(info) => info.write(lines),
            Self::FactoryImage(info) | Self::FlashDump(info) => info.write(lines),
        }
    }

    const fn kind_name(&self) -> &'static str {
        self.kind().name()
    }

    const fn kind(&self) -> FileKind {
        match self {
            Self::McubootImage(_) => FileKind::McubootImage,
            Self::EspImage(_) => FileKind::EspImage,
            Self::PartitionTable(_) => FileKind::PartitionTable,
            Self::Otadata(_) => FileKind::Otadata,
            Self::FactoryImage(_) => FileKind::FactoryImage,
            Self::FlashDump(_) => FileKind::FlashDump,
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Lines::default();
        lines.line(self.kind());
        lines.inside(|lines| self.write(lines));
        lines.fmt(f)
    }
}

/// A whole flash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DumpInfo {
    /// Bytes of the flash.
    pub size: usize,
    /// Name of the chip that the bootloader is for.
    pub chip: Option<&'static str>,
    /// The bootloader; `null` if there is no complete one.
    pub bootloader: Option<FoundImage>,
    /// The partition table.
    pub partition_table: TableInfo,
    /// Its address: one that such a bootloader can use, else the usual one.
    pub partition_table_offset: u32,
    /// Label of the partition whose app an ESP-IDF bootloader would start.
    pub starts: Option<String>,
    /// What is in the partitions.
    pub partitions: Vec<PartitionContent>,
    /// MCUboot images at addresses where no partition begins.
    pub elsewhere: Vec<FoundImage>,
}

/// A partition and what is in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PartitionContent {
    /// The partition.
    pub partition: PartitionInfo,
    /// Whether it is completely erased.
    pub blank: bool,
    /// What is in it; `null` where that is not known.
    pub content: Option<Description>,
}

/// Something that was found in flash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FoundImage {
    /// Where it begins.
    pub offset: u32,
    /// What it is.
    pub content: Description,
}

impl DumpInfo {
    /// Describes a dump.
    #[must_use]
    pub fn of(flash: &[u8]) -> Self {
        let chip = bootloader(flash);
        let image = chip.and_then(|chip| bootloader_in(flash, chip));
        let len_bytes = image.as_ref().map_or(0, |image| image.total_len_bytes);
        let tables = chip.map(|chip| facts::find_table(chip, flash, len_bytes, None));
        let table_addr = tables.map_or(TABLE_ADDR, |tables| tables.addr);
        let table = bytes(flash, Region::clamped(table_addr, TABLE_LEN_BYTES));
        let partitions: Vec<Partition> =
            PartitionTable::parse_as_bootloader(table).into_iter().flatten().collect();
        let ota_count =
            partitions.iter().filter(|partition| partition.ota_index().is_some()).count();
        let ota_count = u8::try_from(ota_count).unwrap_or(u8::MAX);
        let starts = chip.and_then(|chip| facts::read_flash(chip, flash, None, None).ok());
        Self {
            size: flash.len(),
            chip: chip.map(Chip::name),
            bootloader: chip.map(|chip| FoundImage {
                offset: chip.bootloader_addr().get(),
                content: Description::EspImage(Box::new(EspInfo::of(bytes(
                    flash,
                    Region::clamped(chip.bootloader_addr(), len_bytes),
                )))),
            }),
            partition_table_offset: table_addr.get(),
            partition_table: TableInfo::of(table),
            starts: starts.map(|found| found.running.to_string()),
            partitions: partitions
                .iter()
                .map(|partition| PartitionContent::of(partition, flash, ota_count))
                .collect(),
            elsewhere: elsewhere(flash, &partitions),
        }
    }

    fn write(&self, lines: &mut Lines) {
        lines.field("size", format_args!("{:#x} bytes", self.size));
        lines.field("chip", self.chip.unwrap_or("not known, there is no complete bootloader"));
        if let Some(FoundImage { offset, content }) = &self.bootloader {
            lines.line(format_args!("bootloader at {offset:#x}"));
            lines.inside(|lines| content.write(lines));
        }
        lines.line(format_args!("partition table at {:#x}", self.partition_table_offset));
        lines.inside(|lines| {
            let TableInfo { error, .. } = &self.partition_table;
            lines.field("state", error.as_deref().unwrap_or("sound"));
        });
        lines.some("starts", &self.starts);
        for PartitionContent { partition, blank, content } in &self.partitions {
            lines.line(partition.line());
            lines.inside(|lines| match content {
                Some(content) => {
                    lines.line(content.kind_name());
                    lines.inside(|lines| content.write(lines));
                }
                None if *blank => lines.line("blank"),
                None => lines.line("data"),
            });
        }
        for FoundImage { offset, content } in &self.elsewhere {
            lines.line(format_args!(
                "{} at {offset:#x}, where no partition begins",
                content.kind_name()
            ));
            lines.inside(|lines| content.write(lines));
        }
    }
}

impl PartitionContent {
    fn of(partition: &Partition, flash: &[u8], ota_count: u8) -> Self {
        let held = bytes(flash, partition.region);
        let content = match FileKind::of_partition(held) {
            _ if partition.is_otadata() => {
                Some(Description::Otadata(OtadataInfo::of(held, Some(ota_count))))
            }
            // Other data may begin with the single byte that ESP images begin with.
            Some(FileKind::EspImage) if !partition.is_app() => None,
            kind => kind.map(|kind| Description::of(held, kind)),
        };
        Self { partition: PartitionInfo::of(partition), blank: is_blank(held), content }
    }
}

/// Complete MCUboot images at sectors where no partition begins: slots of a map that is not the
/// table's.
fn elsewhere(flash: &[u8], partitions: &[Partition]) -> Vec<FoundImage> {
    let sectors = (0u32..).step_by(SECTOR_BYTES as usize).zip(flash.chunks(SECTOR_BYTES as usize));
    let begins = sectors.filter(|(offset, sector)| {
        FileKind::of_partition(sector) == Some(FileKind::McubootImage)
            && !partitions.iter().any(|partition| partition.region.start() == FlashAddr(*offset))
    });
    let whole = begins.filter_map(|(offset, _)| {
        let rest = flash.get(offset as usize..)?;
        let image = validate(rest, ANY_SLOT, None).ok()?;
        let image = rest.get(..image.image_end_bytes as usize)?;
        Some(FoundImage { offset, content: Description::of(image, FileKind::McubootImage) })
    });
    whole.collect()
}
