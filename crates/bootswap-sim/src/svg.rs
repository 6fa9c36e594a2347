//! A picture of the flash: before, at the commit, and after.
//!
//! ```text
//!            bootloader table nvs  factory          ota_0            ota_1
//!   before   |##########|##|##|##|############    |################|################|
//!   commit   |##########|##|##|##|############    |%%%%           %|  &             |
//!   after    |&&&&&&&&  |##|##|##|%%%%            |############    |  &             |
//! ```
//!
//! Larger regions are drawn wider, but not in proportion: a bootloader of 32 KiB would be too thin
//! to see beside a slot of 1 MiB. Within a region everything is to scale.

use std::collections::HashMap;

use flash_region::{FlashAddr, Region, SECTOR_BYTES, is_blank};
use nor_sim::NorMemory;
use svg::Document;
use svg::node::element::{Group, Line, Rectangle, Text, Title};

/// The contents of a sector.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum SectorContent {
    /// Erased.
    Blank,
    /// The old bootloader.
    OldBootloader,
    /// Partition table, NVS and other data of the owner.
    Kept,
    /// Old data.
    OldData,
    /// The migrator.
    Migrator,
    /// The target application.
    Target,
    /// The target bootloader, in place or staged.
    TargetBootloader,
    /// Anything else that was written: checkpoints, trailers.
    Written,
}

impl SectorContent {
    const ALL: [Self; 8] = [
        Self::OldBootloader,
        Self::Kept,
        Self::Migrator,
        Self::OldData,
        Self::Target,
        Self::TargetBootloader,
        Self::Written,
        Self::Blank,
    ];

    const fn colour(self) -> &'static str {
        match self {
            Self::Blank => "#ffffff",
            Self::OldBootloader => "#c44e52",
            Self::Kept => "#8c8c8c",
            Self::OldData => "#d9d2c5",
            Self::Migrator => "#dd8452",
            Self::Target => "#4c72b0",
            Self::TargetBootloader => "#55a868",
            Self::Written => "#937860",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Blank => "erased",
            Self::OldBootloader => "old bootloader",
            Self::Kept => "table and data, kept",
            Self::OldData => "old data",
            Self::Migrator => "migrator",
            Self::Target => "target application",
            Self::TargetBootloader => "target bootloader",
            Self::Written => "trailer, checkpoints",
        }
    }
}

/// What the picture is drawn from.
#[derive(Debug)]
pub struct Picture<'a> {
    /// Title.
    pub title: &'a str,
    /// Regions with their names, in ascending order, without overlap.
    pub regions: &'a [(String, Region)],
    /// States of the flash with their names, from top to bottom.
    pub states: &'a [(&'a str, &'a NorMemory)],
    /// Byte strings that are recognised wherever they are, sector by sector.
    pub known: &'a [(SectorContent, &'a [u8])],
}

const LEFT: f64 = 112.0;
const TOP: f64 = 96.0;
const ROW: f64 = 54.0;
const BAR: f64 = 30.0;
const GAP: f64 = 3.0;

impl Picture<'_> {
    /// Draws it.
    #[must_use]
    pub fn draw(&self) -> String {
        let widths: Vec<f64> = self.regions.iter().map(|(_, region)| width(*region)).collect();
        let total: f64 = widths.iter().sum::<f64>() + GAP * widths.len() as f64;
        let rows = self.states.len() as f64;
        let (doc_width, doc_height) = (LEFT + total + 20.0, TOP + rows * ROW + 60.0);
        let mut document = Document::new()
            .set("viewBox", (0.0, 0.0, doc_width, doc_height))
            .set("width", doc_width)
            .set("height", doc_height)
            .set("font-family", "sans-serif")
            .add(rect(0.0, 0.0, doc_width, doc_height, "#fafafa"))
            .add(text(LEFT, 24.0, 16.0, self.title));
        let known = self.known_sectors();
        let mut x = LEFT;
        for ((name, region), width) in self.regions.iter().zip(&widths) {
            document = document.add(slanted(x + width / 2.0, TOP - 22.0, name));
            document =
                document.add(address(x, TOP + rows * ROW - 12.0, &region.start().to_string()));
            for (index, (_, memory)) in self.states.iter().enumerate() {
                let y = TOP + index as f64 * ROW - BAR / 2.0;
                document = document.add(self.region(memory, *region, &known, (x, y, *width)));
            }
            x += width + GAP;
        }
        for (index, (name, _)) in self.states.iter().enumerate() {
            document = document.add(text(10.0, TOP + index as f64 * ROW + 5.0, 13.0, name));
        }
        self.legend(document, TOP + rows * ROW + 30.0).to_string()
    }

    /// One region in one state: runs of sectors with the same content.
    fn region(
        &self,
        memory: &NorMemory,
        region: Region,
        known: &HashMap<Vec<u8>, SectorContent>,
        (x, y, width): (f64, f64, f64),
    ) -> Group {
        let mut group = Group::new();
        let scale = width / f64::from(region.len_bytes().max(1));
        let mut run: Option<(FlashAddr, SectorContent)> = None;
        let flush = |group: Group, run: Option<(FlashAddr, SectorContent)>, end: FlashAddr| {
            let Some((start, content)) = run else { return group };
            let from = f64::from(start.bytes_since(region.start())) * scale;
            let to = f64::from(end.bytes_since(region.start())) * scale;
            // A single sector of a slot would be too thin to see.
            let to = to.max(from + 1.5).min(width);
            let from = from.min(to - 1.5);
            let hint = format!("{}: {}", Region::new(start, end).unwrap_or(region), content.name());
            group.add(rect(x + from, y, to - from, BAR, content.colour()).add(Title::new(hint)))
        };
        for sector in region.chunks(SECTOR_BYTES) {
            let content = self.content(memory, region, sector, known);
            if run.is_none_or(|(_, current)| current != content) {
                group = flush(group, run, sector.start());
                run = Some((sector.start(), content));
            }
        }
        group = flush(group, run, region.end());
        group.add(
            Rectangle::new()
                .set("x", x)
                .set("y", y)
                .set("width", width)
                .set("height", BAR)
                .set("fill", "none")
                .set("stroke", "#333333")
                .set("stroke-width", 0.8),
        )
    }

    /// The contents of one sector.
    fn content(
        &self,
        memory: &NorMemory,
        region: Region,
        sector: Region,
        known: &HashMap<Vec<u8>, SectorContent>,
    ) -> SectorContent {
        let bytes = memory.bytes(sector);
        if is_blank(&bytes) {
            return SectorContent::Blank;
        }
        if let Some(content) = known.get(&bytes) {
            return *content;
        }
        let before = self.states.first().map(|(_, memory)| memory.bytes(sector));
        let data = region.len_bytes() < 0x1_0000;
        match (before == Some(bytes), data) {
            (true, true) => SectorContent::Kept,
            (true, false) => SectorContent::OldData,
            (false, _) => SectorContent::Written,
        }
    }

    /// Known byte strings cut into sectors; an incomplete sector is filled up with erased bytes.
    fn known_sectors(&self) -> HashMap<Vec<u8>, SectorContent> {
        let mut sectors = HashMap::new();
        for (content, bytes) in self.known {
            for sector in bytes.chunks(SECTOR_BYTES as usize).filter(|sector| !is_blank(sector)) {
                let mut whole = sector.to_vec();
                whole.resize(SECTOR_BYTES as usize, flash_region::ERASED);
                sectors.insert(whole, *content);
            }
        }
        sectors
    }

    fn legend(&self, mut document: Document, y: f64) -> Document {
        let mut x = LEFT;
        for content in SectorContent::ALL {
            let name = content.name();
            document = document
                .add(
                    rect(x, y - 10.0, 12.0, 12.0, content.colour())
                        .set("stroke", "#333333")
                        .set("stroke-width", 0.5),
                )
                .add(text(x + 17.0, y, 11.0, name));
            x += 36.0 + 6.1 * name.len() as f64;
        }
        document
    }
}

/// The width of a region: one step more for each doubling.
fn width(region: Region) -> f64 {
    let sectors = f64::from(region.len_bytes()) / f64::from(SECTOR_BYTES);
    18.0 + 21.0 * (sectors + 1.0).log2()
}

fn rect(x: f64, y: f64, width: f64, height: f64, fill: &str) -> Rectangle {
    Rectangle::new()
        .set("x", x)
        .set("y", y)
        .set("width", width)
        .set("height", height)
        .set("fill", fill)
}

fn text(x: f64, y: f64, size: f64, content: &str) -> Text {
    Text::new(content).set("x", x).set("y", y).set("font-size", size).set("fill", "#222222")
}

fn slanted(x: f64, y: f64, content: &str) -> Group {
    let label = text(x, y, 11.0, content).set("transform", format!("rotate(-30 {x} {y})"));
    Group::new().add(label).add(
        Line::new()
            .set("x1", x)
            .set("y1", y + 2.0)
            .set("x2", x)
            .set("y2", y + 6.0)
            .set("stroke", "#333333"),
    )
}

fn address(x: f64, y: f64, content: &str) -> Text {
    text(x, y, 8.0, content).set("transform", format!("rotate(35 {x} {y})"))
}
