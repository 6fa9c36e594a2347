//! Migrations to a bootloader that reads the partition table, or that leave the old bootloader in
//! place: with a table of their own, with otadata, with both, or with neither.

use arbitrary::Result;
use device_sim::{Board, EspIdfConfig, synthetic};
use esp_idf_format::FixedText;
use esp_idf_format::bootloader_desc::BootloaderDescription;
use esp_idf_format::image::{FlashMode, FlashSize, ImageBuilder, update_checksums};
use esp_idf_format::otadata::{OtaEntry, OtaState};
use esp_idf_format::partition::{Label, Partition, PartitionType, TABLE_LEN_BYTES, emit, subtype};
use flash_region::Region;

use super::choose::Choices;
use super::device::{Device, UNIT};
use super::map::other_place;
use super::wanted::{Draft, damaged};

/// Another ESP-IDF system.
pub(super) fn other_system(
    u: &mut Choices<'_>,
    device: &Device,
    draft: &mut Draft,
) -> Result<Option<Board>> {
    let chip = device.chip;
    let table = if u.rarely(5)? { Some(new_table(u, device)?) } else { None };
    let partitions = table.as_deref().unwrap_or(&device.partitions);
    let apps: Vec<Region> = partitions.iter().filter(|p| p.is_app()).map(|p| p.region).collect();
    let is_elsewhere = u.rarely(16)? || apps.is_empty();
    let place = if is_elsewhere { other_place(u, device)? } else { *u.one_of(&apps)? };
    let len_bytes = *u.mostly_first(4, &[0x8000, place.len_bytes().saturating_sub(0x1000)])?;
    let made = synthetic::app(chip, "successor", "2.0", len_bytes, 21);
    let app = made.expect("a length that an app can have");
    draft.line("[app]");
    draft.dest(place);
    let app = damaged(u, app)?;
    draft.file(u, "app.bin", app)?;

    let mut board = device.board.clone();
    if !u.rarely(8)? {
        // If the application is in no app partition, only a bootloader with a description is known
        // not to look there.
        let bootloader = bootloader(u, device, is_elsewhere)?;
        let config = EspIdfConfig { rollback: u.rarely(2)?, table_addr: device.table_addr };
        board = board.esp_idf(&bootloader, config).expect("a whole bootloader");
        draft.line("[bootloader]");
        let room = device.table_addr.bytes_since(chip.bootloader_addr());
        draft.dest(Region::clamped(chip.bootloader_addr(), room));
        let bootloader = damaged(u, bootloader)?;
        draft.file(u, "bootloader.bin", bootloader)?;
    }
    if let Some(partitions) = &table {
        let mut bytes = vec![0xff; TABLE_LEN_BYTES as usize];
        if emit(partitions, &mut bytes).is_err() {
            return Ok(None);
        }
        draft.line("[[artifact]]\nname = \"table\"");
        draft.dest(Region::clamped(device.table_addr, 0x1000));
        draft.file(u, "table.bin", bytes)?;
        draft.allowed.push("partition-table".to_owned());
    }
    if let Some(otadata) = partitions.iter().rfind(|p| p.is_otadata())
        && u.below(2)? == 0
    {
        let bytes = otadata_for(u, partitions, place)?;
        draft.line("[[artifact]]\nname = \"otadata\"");
        draft.dest(otadata.region);
        draft.file(u, "otadata.bin", bytes)?;
        draft.allowed.push("otadata".to_owned());
        draft.allowed.push("moved".to_owned());
    }
    Ok(Some(board))
}

/// A bootloader that reads the table; some have ESP-IDF's description.
fn bootloader(u: &mut Choices<'_>, device: &Device, is_described: bool) -> Result<Vec<u8>> {
    let chip = device.chip;
    let size = *u.mostly_first(8, &[device.flash_size, FlashSize::Mb2])?;
    let made = match u.below(3)? {
        which if which == 0 || is_described => {
            let text = FixedText::new("v5.4.1").expect("a short version");
            let description = BootloaderDescription {
                secure_version: 0,
                version: 1,
                idf_ver: text,
                date_time: FixedText::default(),
            };
            let plain = synthetic::bootloader(chip, size, 0x100, 22).expect("a short one");
            let entry = plain.get(4..8).and_then(|bytes| bytes.first_chunk());
            let entry = u32::from_le_bytes(*entry.expect("an entry"));
            let code = [description.to_bytes().to_vec(), crate::noise(22, 0x5000)].concat();
            ImageBuilder::new(chip).flash_size(size).entry_addr(entry).segment(entry, &code).build()
        }
        _ => synthetic::bootloader(chip, size, 0x5800, 22),
    };
    let mut bootloader = made.expect("a length that a bootloader can have");
    bootloader[2] = FlashMode::Dio.raw();
    update_checksums(&mut bootloader).expect("an image");
    Ok(bootloader)
}

/// Otadata that mostly selects the app in that place.
fn otadata_for(u: &mut Choices<'_>, partitions: &[Partition], place: Region) -> Result<Vec<u8>> {
    let mut bytes = vec![0xff; 0x2000];
    let slot = partitions.iter().find(|p| p.region == place).and_then(Partition::ota_index);
    let seq = match slot {
        Some(slot) => u32::from(slot) + 1,
        None => 0,
    };
    let states = [OtaState::Valid, OtaState::Undefined, OtaState::New, OtaState::PendingVerify];
    let (seq, state) = (*u.mostly_first(6, &[seq, 1, 2, 3])?, *u.mostly_first(4, &states)?);
    if seq > 0 {
        let entry = OtaEntry::new(seq, state).to_bytes();
        bytes[..entry.len()].copy_from_slice(&entry);
    }
    if u.rarely(6)? {
        let entry = OtaEntry::new(u.within(1, 6)?, *u.one_of(&states)?).to_bytes();
        bytes[0x1000..0x1000 + entry.len()].copy_from_slice(&entry);
    }
    Ok(bytes)
}

/// A table that differs from the device's in something that decides which app starts.
fn new_table(u: &mut Choices<'_>, device: &Device) -> Result<Vec<Partition>> {
    let mut partitions = device.partitions.clone();
    let behind = device.end().align_up(UNIT).unwrap_or_default();
    let slots = partitions.iter().filter(|p| p.ota_index().is_some()).count();
    let slots = u8::try_from(slots).unwrap_or_default();
    match u.below(7)? {
        0 => partitions.push(Partition {
            label: Label::new("more").expect("a short label"),
            kind: PartitionType::App,
            subtype: subtype::OTA_0 + slots.min(15),
            region: Region::clamped(behind, 4 * UNIT),
            flags: 0,
        }),
        1 => {
            let last = partitions.iter().rposition(Partition::is_app);
            partitions.remove(last.unwrap_or_default());
        }
        2 => {
            if let Some(otadata) = partitions.iter_mut().find(|p| p.is_otadata()) {
                otadata.label = Label::new("moved").expect("a short label");
                otadata.region = Region::clamped(behind, 0x2000);
            }
        }
        3 => partitions.retain(|p| !p.is_otadata()),
        4 => {
            let mut apps = partitions.iter_mut().filter(|p| p.is_app());
            if let (Some(first), Some(second)) = (apps.next(), apps.next()) {
                std::mem::swap(&mut first.subtype, &mut second.subtype);
            }
        }
        5 => {
            if let Some(app) = partitions.iter_mut().rfind(|p| p.is_app()) {
                app.subtype = subtype::TEST;
            }
        }
        _ => {}
    }
    Ok(partitions)
}
