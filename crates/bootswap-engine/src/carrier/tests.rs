use std::string::ToString;
use std::vec;
use std::vec::Vec;

use bootswap_plan::CarrierContent;
use carrier_format::{IMAGE_MAX_BYTES, LOADER_MAX_BYTES, Trial};
use esp_idf_format::FixedText;
use esp_idf_format::app_desc::AppDescription;
use esp_idf_format::image::ImageBuilder;
use flash_region::FlashAddr;
use proptest::prelude::*;

use super::*;

const CHIP: Chip = Chip::Esp32c3;
/// Where Espressif's port of MCUboot puts its code and its data (boot/espressif/port/esp32c3).
const CODE_ADDR: u32 = 0x403d_0000;
const DATA_ADDR: u32 = 0x3fcd_5400;

fn copy(code_addr: u32) -> Vec<u8> {
    let builder = ImageBuilder::new(CHIP).entry_addr(code_addr);
    builder.segment(code_addr, &[0x13; 9000]).segment(DATA_ADDR, &[7; 900]).build().unwrap()
}

fn second_at(copy: &[u8]) -> u32 {
    (COPIES_OFFSET_BYTES + copy.len() as u32).next_multiple_of(SECTOR_BYTES)
}

fn record(copy: &[u8]) -> LoaderRecord {
    LoaderRecord {
        place: Some(Place::Carrier),
        copies: [Some(COPIES_OFFSET_BYTES), Some(second_at(copy))],
        copy_len_bytes: copy.len() as u32,
        otadata: Some(FlashAddr(0xd000)),
        ..LoaderRecord::blank(CHIP.image_chip_id())
    }
}

fn file(record: &LoaderRecord, first: &[u8], second: &[u8]) -> Vec<u8> {
    let load_addr = LoaderMemory::of(CHIP).unwrap().load_addr;
    let text = |text| FixedText::new(text).unwrap();
    let description =
        AppDescription { secure_version: 6, ..AppDescription::new(text("carrier"), text("1")) };
    let code = [vec![0x13; 1000], record.to_bytes().to_vec(), vec![0x13; 400]].concat();
    assert!(code.len() < LOADER_MAX_BYTES as usize);
    let builder = ImageBuilder::new(CHIP).entry_addr(load_addr);
    let builder = builder.app_segment(0x3c00_0020, &description, &[]).segment(load_addr, &code);
    let mut file = builder.build().unwrap();
    assert!(file.len() < IMAGE_MAX_BYTES as usize);
    file.resize(COPIES_OFFSET_BYTES as usize, 0xff);
    file.extend(first);
    file.resize(second_at(first) as usize, 0xff);
    file.extend(second);
    file
}

fn good() -> Vec<u8> {
    let copy = copy(CODE_ADDR);
    file(&record(&copy), &copy, &copy)
}

fn scan(chip: Chip, file: &[u8], piece: usize) -> Result<CarrierContent, CarrierFault> {
    let mut scan = CarrierScan::new(chip);
    file.chunks(piece).try_for_each(|piece| scan.push(piece))?;
    scan.finish()
}

#[test]
fn a_whole_carrier_says_what_it_is() {
    let content = scan(CHIP, &good(), 4096).unwrap();
    assert_eq!(content.chip_id, CHIP.image_chip_id());
    assert_eq!((content.otadata, content.secure_version), (Some(FlashAddr(0xd000)), 6));
    assert!(!content.has_trial);
    let mut scan = CarrierScan::new(CHIP);
    scan.push(&good()).unwrap();
    assert!(scan.is_complete());
    assert_eq!(scan.total_len_bytes(), Some(good().len() as u32));
    // What follows is for the length and digest in the migration to refuse.
    scan.push(&[0; 100]).unwrap();
    assert!(scan.is_complete());
}

#[test]
fn whatever_is_wrong_is_found_and_where() {
    let copy = copy(CODE_ADDR);
    let whole = record(&copy);
    let damaged = {
        let mut bytes = copy.clone();
        bytes[500] ^= 1;
        bytes
    };
    let one = LoaderRecord { copies: [Some(COPIES_OFFSET_BYTES), None], ..whole };
    let stage = LoaderRecord { place: Some(Place::FirstStage), ..whole };
    for (file, wanted) in [
        (file(&whole, &damaged, &copy), "copy 1 of the bootloader"),
        (file(&whole, &copy, &damaged), "copy 2 of the bootloader"),
        (good()[..good().len() - 1].to_vec(), "copy 2 of the bootloader"),
        (over_the_loader(), "the loader loads to 0x3fc82000"),
        (file(&whole, &copy, &other(&copy)), "the two copies in the carrier differ"),
        (file(&one, &copy, &copy), "does not name the copies behind it"),
        (file(&stage, &copy, &copy), "not a carrier for this chip"),
        (copy.clone(), "not a carrier for this chip"),
        (Vec::new(), "not a carrier for this chip"),
    ] {
        let fault = scan(CHIP, &file, 4096).unwrap_err();
        assert!(fault.to_string().contains(wanted), "{wanted}: {fault}");
    }
    assert_eq!(scan(Chip::Esp32c6, &good(), 4096), Err(CarrierFault::NotACarrier));
}

/// MCUboot linked to where the loader is.
fn over_the_loader() -> Vec<u8> {
    let copy = copy(LoaderMemory::of(CHIP).unwrap().load_addr);
    file(&record(&copy), &copy, &copy)
}

/// Another bootloader of the same length.
fn other(copy: &[u8]) -> Vec<u8> {
    let mut bytes = copy.to_vec();
    bytes[500] ^= 1;
    esp_idf_format::image::update_checksums(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_trial_is_told() {
    let copy = copy(CODE_ADDR);
    let trial = Trial {
        word_offset_bytes: carrier_format::TRIAL_OFFSET_BYTES,
        starts: 3,
        watchdog_ms: 0,
        image_ok: FlashAddr(0x10_ffe8),
        magic_end: FlashAddr(0x10_fffc),
        magic: 1,
    };
    let record = LoaderRecord { trial: Some(trial), ..record(&copy) };
    assert!(scan(CHIP, &file(&record, &copy, &copy), 4096).unwrap().has_trial);
}

proptest! {
    #[test]
    fn pieces_of_any_length_are_one_file(piece in 1usize..9000) {
        prop_assert_eq!(scan(CHIP, &good(), piece), scan(CHIP, &good(), 4096));
    }

    #[test]
    fn any_byte_that_is_other_is_found_unless_nobody_reads_it(at: usize, bit in 0u8..8) {
        let mut file = good();
        let at = at % file.len();
        let first_end = copy(CODE_ADDR).len() + COPIES_OFFSET_BYTES as usize;
        let app_end = esp_idf_format::image::verify(&file).unwrap().total_len_bytes as usize;
        let gap = |from: usize, to: u32| (from..to as usize).contains(&at);
        let second = second_at(&copy(CODE_ADDR));
        let is_gap = gap(app_end, COPIES_OFFSET_BYTES) || gap(first_end, second);
        file[at] ^= 1 << bit;
        prop_assert_eq!(scan(CHIP, &file, 4096).is_ok(), is_gap, "{:#x}", at);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = scan(CHIP, &bytes, 100);
    }
}
