//! Files of any kind, and flash dumps.

use bootswap_migration::image::{Description, DumpInfo, FileKind};
use bootswap_migration::{assumed_image_len_bytes, facts};
use esp_idf_format::Chip;
use esp_idf_format::partition::{Partition, PartitionTable};
use serde_json::Value;

/// Bytes of the flash, the shortest that there is.
const FLASH_LEN: usize = 0x10_0000;
/// Where in flash the parts of the input lie: boot area, table, otadata and apps.
const PLACES: [usize; 6] = [0, 0x1000, 0x8000, 0xd000, 0x1_0000, 0x8_0000];

/// Describes a file as each kind that it may be, and a flash dump with parts of it in places that
/// matter.
///
/// The input is a file. It is also a list of parts, which begin with number of place and length.
pub fn file_info(input: &[u8]) {
    let kinds =
        [FileKind::McubootImage, FileKind::EspImage, FileKind::PartitionTable, FileKind::Otadata];
    for kind in kinds {
        describe(&Description::of(input, kind), kind);
    }
    if let Some(kind) = FileKind::of(input) {
        describe(&Description::of(input, kind), kind);
    }
    let flash = flash(input);
    let info = DumpInfo::of(&flash);
    check_dump(&info, &flash);
    describe(&Description::FlashDump(Box::new(info)), FileKind::FlashDump);
}

fn describe(description: &Description, kind: FileKind) {
    let text = description.to_string();
    assert!(text.starts_with(kind.name()) && text.lines().count() > 1, "{text}");
    // A file must not control the terminal.
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    let json = serde_json::to_value(description).expect("numbers and texts");
    let name = kind.name().to_lowercase().replace(' ', "-");
    assert_eq!(json["kind"], Value::from(name));
}

/// Erased flash with the parts in it.
fn flash(mut input: &[u8]) -> Vec<u8> {
    let mut flash = vec![0xff; FLASH_LEN];
    while let [place, len_low, len_high, rest @ ..] = input {
        let len = usize::from(u16::from_le_bytes([*len_low, *len_high])) % 0x1000;
        let (part, later) = rest.split_at(len.min(rest.len()));
        let at = PLACES[usize::from(*place) % PLACES.len()];
        flash[at..at + part.len()].copy_from_slice(part);
        input = later;
    }
    flash
}

fn check_dump(info: &DumpInfo, flash: &[u8]) {
    assert_eq!(info.size, flash.len());
    let table = PartitionTable::parse_as_bootloader(&flash[0x8000..]);
    let partitions: Vec<Partition> = table.into_iter().flatten().collect();
    assert_eq!(info.partitions.len(), partitions.len());
    for (found, partition) in info.partitions.iter().zip(&partitions) {
        let region = partition.region;
        assert_eq!(
            (found.partition.offset, found.partition.size),
            (region.start().get(), region.len_bytes())
        );
        let (start, len) = (region.start().get() as usize, region.len_bytes() as usize);
        let held = flash.get(start..).map(|rest| &rest[..len.min(rest.len())]);
        let held = held.unwrap_or_default();
        assert_eq!(found.blank, held.iter().all(|byte| *byte == 0xff));
    }
    for chip in Chip::ALL {
        check_facts(chip, flash, &partitions);
    }
}

/// Checks that the facts of a device agree with its flash.
fn check_facts(chip: Chip, flash: &[u8], partitions: &[Partition]) {
    let found = match facts::read_flash(chip, flash, None, None) {
        Ok(found) => found,
        Err(error) => return assert!(!error.to_string().is_empty() && !error.help().is_empty()),
    };
    let facts = &found.facts;
    assert_eq!((facts.chip, facts.flash_len_bytes as usize), (chip, flash.len()));
    assert_eq!(facts.partitions, partitions);
    let running = partitions.iter().find(|partition| partition.region == facts.running);
    assert!(
        running.is_some_and(|partition| partition.is_app() && partition.label == found.running)
    );
    assert!(facts.running_len_bytes <= facts.running.len_bytes());
    match found.image {
        Some(image) => assert!(image.total_len_bytes <= facts.running_len_bytes),
        None => assert!(facts.running_len_bytes <= assumed_image_len_bytes(chip)),
    }
    if let Some(previous) = facts.previous {
        assert!(previous != facts.running);
        assert!(
            partitions.iter().any(|partition| partition.is_app() && partition.region == previous)
        );
    }
}
