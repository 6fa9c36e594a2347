//! What files are, and whether everything that they should contain is complete.

use std::borrow::Cow;

use device_sim::{FlashBuilder, OldData, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::{FlashSize, update_checksums};
use esp_idf_format::partition::Partition;

use super::kind::from_zero;
use super::*;

fn flash(chip: Chip) -> Vec<u8> {
    let bootloader = synthetic::bootloader(chip, FlashSize::Mb4, 0x5000, 3).unwrap();
    let app = |seed| synthetic::app(chip, "app", "1.0", 0x9000, seed).unwrap();
    FlashBuilder::new(chip, FlashSize::Mb4)
        .partitions(&synthetic::example_partitions())
        .bootloader(&bootloader)
        .old_data(OldData::Erased)
        .app("factory", &app(1))
        .build()
        .unwrap()
        .to_bytes()
}

/// A factory image: up to the end of the app.
fn merged(chip: Chip) -> Vec<u8> {
    let mut file = flash(chip);
    file.truncate(0x1_9000);
    file
}

fn verified(file: &[u8]) -> (Option<FileKind>, Vec<String>) {
    let kind = FileKind::of(file);
    let Some(known) = kind else { return (None, Vec::new()) };
    let verification = verify(file, known, &Wanted::default()).unwrap();
    let failed = verification.checks.iter().filter(|check| !check.good);
    (kind, failed.map(|check| format!("{}: {}", check.what, check.message)).collect())
}

#[test]
fn a_factory_image_is_known_on_every_chip() {
    for chip in Chip::ALL {
        let file = merged(chip);
        assert_eq!(verified(&file), (Some(FileKind::FactoryImage), vec![]), "{chip}");
        let described = Description::of(&file, FileKind::FactoryImage);
        let Description::FactoryImage(info) = &described else { panic!("{described}") };
        assert_eq!((info.chip, info.starts.as_deref()), (Some(chip.name()), None), "{chip}");
        assert!(described.to_string().contains("partition table at 0x8000"), "{described}");
        // Made to be written at the bootloader's address.
        let start = chip.bootloader_addr().get() as usize;
        assert_eq!(verified(&file[start..]), (Some(FileKind::FactoryImage), vec![]), "{chip}");
        assert_eq!(from_zero(&file[start..]).len(), file.len());
    }
}

#[test]
fn a_bootloader_alone_is_an_image() {
    let bootloader = synthetic::bootloader(Chip::Esp32c3, FlashSize::Mb4, 0x5000, 3).unwrap();
    assert_eq!(verified(&bootloader), (Some(FileKind::EspImage), vec![]));
    for padding in [0xff, 0] {
        let mut padded = bootloader.clone();
        padded.resize(0x8000, padding);
        assert_eq!(verified(&padded), (Some(FileKind::EspImage), vec![]), "{padding:#x}");
    }
    let mut signed = bootloader;
    signed.resize(signed.len().next_multiple_of(0x1000), 0xff);
    signed.extend([0xe7, 2, 0, 0]);
    signed.resize(signed.len() + 0x1000, 0x5a);
    assert_eq!(verified(&signed).0, Some(FileKind::EspImage));
    assert!(matches!(from_zero(&signed), Cow::Borrowed(_)));
}

#[test]
fn all_of_a_factory_image_has_to_be_whole() {
    for chip in [Chip::Esp32, Chip::Esp32c3] {
        let with = |at: usize, bytes: &[u8]| {
            let mut file = merged(chip);
            file[at..at + bytes.len()].copy_from_slice(bytes);
            verified(&file)
        };
        let boot = chip.bootloader_addr().get() as usize;
        for (at, bytes, what) in [
            (0x8000, &[0; 0xc00][..], "partition table: at 0x8000"),
            (0x8004, &[1], "partition table: at 0x8000"),
            (boot + 0x200, &[0x5a; 3], "bootloader: "),
            (0x1_0000, &[0; 0x1000], "app: factory at 0x10000: is neither"),
            (0x1_2000, &[0x5a; 0x1000], "app: factory at 0x10000"),
            (0x1_0000, &[0xff; 0x9000], "app: no app partition holds an image"),
        ] {
            let (kind, failed) = with(at, bytes);
            assert_eq!(kind, Some(FileKind::FactoryImage), "{chip} {at:#x}");
            assert!(failed.iter().any(|f| f.starts_with(what)), "{chip} {at:#x}: {failed:?}");
        }
        let whole = merged(chip);
        for (len, what) in [
            (0x1_8fff, "app: factory"),
            (0x1_2000, "app: factory"),
            (0xe000, "size: the file ends at 0xe000, inside of otadata"),
            (0x8100, "app: no app"),
        ] {
            let (kind, failed) = verified(&whole[..len]);
            assert_eq!(kind, Some(FileKind::FactoryImage), "{chip} {len:#x}");
            assert!(failed.iter().any(|f| f.starts_with(what)), "{chip} {len:#x}: {failed:?}");
        }
    }
}

/// A dump of half the flash has the length of a smaller one.
#[test]
fn a_dump_that_is_cut_off_is_told_by_its_table() {
    let whole = flash(Chip::Esp32c3);
    assert_eq!(verified(&whole), (Some(FileKind::FlashDump), vec![]));
    let (kind, failed) = verified(&whole[..0x20_0000]);
    assert_eq!(kind, Some(FileKind::FlashDump));
    assert!(failed[0].starts_with("size: the dump ends at 0x200000, before ota_0"), "{failed:?}");
}

/// What the chip's ROM and bootloader accept is not a failure, but is reported.
#[test]
fn what_the_device_starts_from_is_verified_as_it_starts() {
    let chip = Chip::Esp32c3;
    let mut stale = flash(chip);
    // Another flash size, as a flashing tool sets it.
    stale[3] ^= 0x10;
    let said = |file: &[u8]| {
        let verification = verify(file, FileKind::FlashDump, &Wanted::default()).unwrap();
        assert!(verification.is_good(), "{verification}");
        verification.to_string()
    };
    assert!(said(&stale).contains("changed after it was built"), "{}", said(&stale));
    let mut entries = synthetic::example_partitions();
    entries[2].label = entries[0].label;
    let mut odd = flash(chip);
    let mut table: Vec<u8> = entries.iter().flat_map(Partition::to_bytes).collect();
    table.resize(0xc00, 0xff);
    odd[0x8000..0x8c00].copy_from_slice(&table);
    assert!(said(&odd).contains("the bootloader takes it, but"), "{}", said(&odd));
    // A table among the artifacts must be as tools make it.
    let alone = verify(&table, FileKind::PartitionTable, &Wanted::default()).unwrap();
    assert!(!alone.is_good());
}

#[test]
fn images_of_other_chips_are_named() {
    let mut image = synthetic::app(Chip::Esp32c3, "app", "1", 0x1000, 1).unwrap();
    for (id, name) in [(12, "esp32c2"), (18, "esp32p4"), (20, "esp32c61"), (23, "esp32c5")] {
        image[12] = id;
        update_checksums(&mut image).unwrap();
        let text = Description::of(&image, FileKind::EspImage).to_string();
        assert!(text.contains(&format!("{name}, which is not supported")), "{text}");
        let verification = verify(&image, FileKind::EspImage, &Wanted::default()).unwrap();
        assert!(verification.to_string().contains(name) && !verification.is_good());
    }
}
