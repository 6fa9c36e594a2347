//! What a file is and has in it, for people and for scripts.

use std::fmt;

use serde::Serialize;

use super::dump::DumpInfo;
use super::esp::EspInfo;
use super::kind::Kind;
use super::lines::Lines;
use super::mcuboot::McubootInfo;
use super::tables::{OtadataInfo, TableInfo};

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
    /// A whole flash.
    FlashDump(Box<DumpInfo>),
}

impl Description {
    /// Describes a file of that kind, as far as it is whole.
    #[must_use]
    pub fn of(file: &[u8], kind: Kind) -> Self {
        match kind {
            Kind::McubootImage => Self::McubootImage(Box::new(McubootInfo::of(file))),
            Kind::EspImage => Self::EspImage(Box::new(EspInfo::of(file))),
            Kind::PartitionTable => Self::PartitionTable(TableInfo::of(file)),
            Kind::Otadata => Self::Otadata(OtadataInfo::of(file, None)),
            Kind::FlashDump => Self::FlashDump(Box::new(DumpInfo::of(file))),
        }
    }

    pub(super) fn write(&self, lines: &mut Lines) {
        match self {
            Self::McubootImage(info) => info.write(lines),
            Self::EspImage(info) => info.write(lines),
            Self::PartitionTable(info) => info.write(lines),
            Self::Otadata(info) => info.write(lines),
            Self::FlashDump(info) => info.write(lines),
        }
    }

    pub(super) const fn kind_name(&self) -> &'static str {
        self.kind().name()
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::McubootImage(_) => Kind::McubootImage,
            Self::EspImage(_) => Kind::EspImage,
            Self::PartitionTable(_) => Kind::PartitionTable,
            Self::Otadata(_) => Kind::Otadata,
            Self::FlashDump(_) => Kind::FlashDump,
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
