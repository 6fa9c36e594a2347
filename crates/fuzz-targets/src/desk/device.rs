//! Devices before their update: flash as a dump has it, and what a dump does not show.

use arbitrary::Result;
use device_sim::{Board, EspIdfConfig, FlashBuilder, OldData, synthetic};
use esp_idf_format::image::{FlashMode, FlashSize, update_checksums};
use esp_idf_format::otadata::{OtaEntry, OtaState};
use esp_idf_format::partition::{
    Label, Partition, PartitionType, TABLE_ADDR, TABLE_LEN_BYTES, subtype,
};
use esp_idf_format::{Chip, image};
use flash_region::{FlashAddr, Region};
use md5::{Digest, Md5};

use super::choose::Choices;

pub(super) const UNIT: u32 = 0x1_0000;

/// A device.
pub(super) struct Device {
    pub(super) chip: Chip,
    pub(super) flash_size: FlashSize,
    pub(super) table_addr: FlashAddr,
    pub(super) partitions: Vec<Partition>,
    pub(super) dump: Vec<u8>,
    pub(super) board: Board,
}

impl Device {
    /// A device; `None` for one that cannot be laid out.
    pub(super) fn choose(u: &mut Choices<'_>) -> Result<Option<Self>> {
        let chip = *u.one_of(&[
            Chip::Esp32c3,
            Chip::Esp32,
            Chip::Esp32s2,
            Chip::Esp32s3,
            Chip::Esp32c6,
            Chip::Esp32h2,
        ])?;
        let sizes =
            [FlashSize::Mb4, FlashSize::Mb2, FlashSize::Mb8, FlashSize::Mb16, FlashSize::Mb1];
        let flash_size = *u.mostly_first(4, &sizes)?;
        // Rarely, because so large a flash takes long to simulate.
        let flash_size = if u.rarely(200)? { FlashSize::Mb32 } else { flash_size };
        // A bootloader ends before each of these, whether it is at 0x1000 or at 0.
        let places = [TABLE_ADDR, FlashAddr(0xa000), FlashAddr(0x1_0000), FlashAddr(0xf000)];
        let table_addr = *u.mostly_first(8, &places)?;
        let mut partitions = partitions(u, table_addr)?;
        // Tables that tools refuse and bootloaders accept.
        let odd = if u.rarely(10)? { Some(odd_table(u, &mut partitions)?) } else { None };
        // A bootloader that refuses its device's table never started anything.
        let end = partitions.iter().map(|p| p.region.end().get()).max().unwrap_or(u32::MAX);
        if end > flash_size.bytes() {
            return Ok(None);
        }
        let mode = *u.mostly_first(4, &[FlashMode::Dio, FlashMode::Qio, FlashMode::Dout])?;
        let header = *u.mostly_first(8, &[flash_size, FlashSize::Mb2, FlashSize::Mb16])?;
        let header = if header.bytes() < end { flash_size } else { header };
        let bootloader = old_bootloader(u, chip, header, mode)?;
        let config = EspIdfConfig { rollback: !u.rarely(2)?, table_addr };
        let board = Board::new(chip).esp_idf(&bootloader, config).expect("a whole bootloader");
        // A board on which only two of the flash chip's four data lines are connected.
        let board = match mode {
            FlashMode::Dio | FlashMode::Dout => {
                board.flash_modes(&[FlashMode::Dio, FlashMode::Dout])
            }
            _ => board,
        };
        let old = u.mostly_first(4, &[OldData::Noise { seed: 5 }, OldData::Erased])?.clone();
        let mut builder = FlashBuilder::new(chip, flash_size)
            .table_addr(table_addr)
            .partitions(&partitions)
            .bootloader(&bootloader)
            .old_data(old);
        if let Some(bytes) = odd {
            let Ok(with_table) = builder.raw_table(&bytes) else { return Ok(None) };
            builder = with_table;
        }
        if partitions.iter().any(Partition::is_otadata) {
            builder = builder.otadata([entry(u)?, entry(u)?]);
        }
        for (index, partition) in partitions.iter().filter(|p| p.is_app()).enumerate() {
            // Without any app, nothing runs.
            if index > 0 && u.rarely(4)? {
                continue;
            }
            let most = partition.region.len_bytes().saturating_sub(0x1000);
            let len_bytes = *u.mostly_first(4, &[0x8000, most])?;
            let app = synthetic::app(chip, "old", "1.0", len_bytes.min(most), 4);
            let label = partition.label.as_str().unwrap_or_default();
            builder = builder.app(label, &app.expect("a length that an app can have"));
        }
        let apps: Vec<Region> =
            partitions.iter().filter(|p| p.is_app()).map(|p| p.region).collect();
        for partition in partitions.iter().filter(|p| !p.is_app() && !p.is_otadata()) {
            // Partitions overlap in a table that contradicts itself.
            if apps.iter().any(|app| app.overlaps(partition.region)) {
                continue;
            }
            let noise = crate::noise(9, partition.region.len_bytes());
            builder = builder.data(partition.region.start(), &noise);
        }
        let Ok(flash) = builder.build() else { return Ok(None) };
        let dump = flash.to_bytes();
        Ok(Some(Self { chip, flash_size, table_addr, partitions, dump, board }))
    }

    pub(super) fn apps(&self) -> impl Iterator<Item = Region> + '_ {
        self.partitions.iter().filter(|p| p.is_app()).map(|p| p.region)
    }

    /// Whether a partition that is not an app's has something in the region.
    pub(super) fn needs(&self, region: Region) -> bool {
        let kept = self.partitions.iter().filter(|p| !p.is_app());
        kept.clone().any(|p| p.region.overlaps(region))
    }

    /// Where the last partition ends.
    pub(super) fn end(&self) -> FlashAddr {
        self.partitions.iter().map(|p| p.region.end()).max().unwrap_or(FlashAddr(UNIT))
    }
}

fn old_bootloader(
    u: &mut Choices<'_>,
    chip: Chip,
    size: FlashSize,
    mode: FlashMode,
) -> Result<Vec<u8>> {
    let len_bytes = *u.mostly_first(8, &[0x5000, 0x1000, 0x6c00])?;
    let made = synthetic::bootloader(chip, size, len_bytes, 3);
    let mut bootloader = made.expect("a length that a bootloader can have");
    bootloader[2] = mode.raw();
    update_checksums(&mut bootloader).expect("an image");
    if u.rarely(8)? {
        // Tools that patch the header leave the digest as it was; the ROM accepts that.
        let info = image::verify(&bootloader).expect("an image");
        let last = info.total_len_bytes as usize - 1;
        bootloader[last] ^= 1;
    }
    Ok(bootloader)
}

fn entry(u: &mut Choices<'_>) -> Result<Option<OtaEntry>> {
    if u.below(2)? == 0 {
        return Ok(None);
    }
    let state = match u.below(6)? {
        5 => u32::MAX,
        state => state,
    };
    Ok(Some(OtaEntry::new(u.within(1, 6)?, OtaState::from_raw(state))))
}

/// The partitions of a table as tools make it, after the table's own sector.
fn partitions(u: &mut Choices<'_>, table: FlashAddr) -> Result<Vec<Partition>> {
    let mut next = table.get() + 0x1000;
    let mut all = Vec::new();
    let mut add = |name: &str, kind, subtype, len_bytes: u32| {
        let unit = if kind == PartitionType::App { UNIT } else { 0x1000 };
        let start = FlashAddr(next.next_multiple_of(unit));
        let region = Region::clamped(start, len_bytes);
        next = region.end().get();
        let label = Label::new(name).expect("a short label");
        all.push(Partition { label, kind, subtype, region, flags: 0 });
    };
    add("nvs", PartitionType::Data, subtype::NVS, 0x1000 * u.within(4, 6)?);
    if !u.rarely(8)? {
        add("otadata", PartitionType::Data, subtype::OTADATA, 0x2000);
    }
    if u.below(2)? == 0 {
        add("phy_init", PartitionType::Data, subtype::PHY, 0x1000);
    }
    let sizes = [0x4u32, 0x2, 0x3, 0x6, 0x8, 0x10];
    let size = *u.one_of(&sizes)?;
    let factory = u.below(3)? != 2;
    for index in 0..*u.one_of(&[3u8, 2, 1, 4])? {
        let units = *u.mostly_first(6, &[size, 0x1, 0x5, 0x18])?;
        match index.checked_sub(u8::from(factory)) {
            None => add("factory", PartitionType::App, subtype::FACTORY, units * UNIT),
            Some(slot) => {
                let kind = subtype::OTA_0 + slot;
                add(&format!("ota_{slot}"), PartitionType::App, kind, units * UNIT);
            }
        }
        if u.rarely(8)? {
            let label = format!("between_{index}");
            add(&label, PartitionType::Data, subtype::SPIFFS, 0x1000 * u.within(1, 16)?);
        }
    }
    if u.rarely(3)? {
        let kind =
            *u.one_of(&[PartitionType::Data, PartitionType::Data, PartitionType::Custom(0x42)])?;
        let subtypes =
            [subtype::SPIFFS, subtype::COREDUMP, subtype::NVS_KEYS, subtype::NVS, subtype::FAT];
        add("storage", kind, *u.one_of(&subtypes)?, 0x1000 * u.within(1, 0x40)?);
    }
    if u.rarely(12)? {
        add("test", PartitionType::App, subtype::TEST, size * UNIT);
    }
    if u.rarely(12)? {
        add("late", PartitionType::Data, subtype::OTADATA, 0x1000 * u.within(2, 4)?);
    }
    for partition in &mut all {
        if u.rarely(24)? {
            partition.flags = *u.one_of(&[1, 2, 3])?;
        }
    }
    // The order of a table's entries does not matter.
    if u.rarely(8)? {
        let (first, second) = (u.below(3)? as usize, u.below(3)? as usize);
        if first < all.len() && second < all.len() {
            all.swap(first, second);
        }
    }
    Ok(all)
}

/// Changes the partitions so that their table contradicts itself, and makes the table.
fn odd_table(u: &mut Choices<'_>, partitions: &mut Vec<Partition>) -> Result<Vec<u8>> {
    let index = u.below(u32::try_from(partitions.len()).expect("a short table"))? as usize;
    let Some(mut odd) = partitions.get(index).copied() else { return Ok(Vec::new()) };
    let (start, len_bytes) = (odd.region.start().get(), odd.region.len_bytes());
    match u.below(6)? {
        // The same twice.
        0 => partitions.push(odd),
        // The same role again, elsewhere.
        1 => {
            let end = partitions.iter().map(|p| p.region.end()).max().unwrap_or_default();
            odd.region = Region::clamped(end.align_up(UNIT).unwrap_or_default(), len_bytes);
            partitions.push(odd);
        }
        2 => partitions[index].region = Region::clamped(FlashAddr(start + 0x800), len_bytes),
        3 => partitions[index].region = Region::clamped(FlashAddr(start + 0x1000), len_bytes),
        4 => partitions[index].region = Region::clamped(odd.region.start(), len_bytes + 0x1800),
        // A gap in the slots' numbers.
        _ => partitions[index].subtype = odd.subtype.saturating_add(2),
    }
    let mut table: Vec<u8> = partitions.iter().flat_map(|p| p.to_bytes()).collect();
    if u.below(4)? != 3 {
        let digest = Md5::digest(&table);
        table.extend([0xeb, 0xeb]);
        table.extend([0xff; 14]);
        table.extend(digest);
    }
    table.resize(TABLE_LEN_BYTES as usize, 0xff);
    Ok(table)
}
