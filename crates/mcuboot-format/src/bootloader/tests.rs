//! Bootloaders made by these tests, with one piece of evidence and without it.

extern crate std;

use std::vec::Vec;

use esp_idf_format::Chip;
use esp_idf_format::bootloader_desc::{BOOTLOADER_DESC_LEN_BYTES, BOOTLOADER_DESC_MAGIC};
use esp_idf_format::image::ImageBuilder;
use proptest::prelude::*;

use super::*;
use crate::espressif::LOAD_HEADER_MAGIC;
use crate::key::{KeyKind, PrivateKey};
use crate::trailer::magic_bytes;
use crate::{IMAGE_MAGIC, SwapKind};

/// Where data goes on an ESP32-C3; zero data lies before it.
const DATA: u32 = 0x3fcd_5400;
/// Where code goes.
const CODE: u32 = 0x403c_e000;

/// A bootloader: pieces of data and of code, one after the other.
#[derive(Clone)]
struct Made {
    chip: Chip,
    data: Vec<u8>,
    code: Vec<u8>,
}

/// Registers of arguments.
const A0: u32 = 10;
const A2: u32 = 12;
const A3: u32 = 13;
const A4: u32 = 14;

impl Made {
    /// Nothing but what makes it MCUboot.
    fn mcuboot() -> Self {
        let made = Self { chip: Chip::Esp32c3, data: Vec::new(), code: Vec::new() };
        made.data(&magic_bytes(8)).load(A0, IMAGE_MAGIC).load(A0, LOAD_HEADER_MAGIC)
    }

    fn data(mut self, bytes: &[u8]) -> Self {
        self.data.extend_from_slice(bytes);
        self
    }

    fn words(self, words: &[u32]) -> Self {
        let aligned = self.aligned();
        words.iter().fold(aligned, |made, word| made.data(&word.to_le_bytes()))
    }

    fn aligned(mut self) -> Self {
        self.data.resize(self.data.len().next_multiple_of(4), 0);
        self
    }

    /// Where the next data goes.
    fn next_addr(&self) -> u32 {
        DATA + u32::try_from(self.data.len()).unwrap()
    }

    fn text(self, text: &str) -> Self {
        self.data(text.as_bytes()).data(&[0])
    }

    /// `lui` and `addi`.
    fn load(mut self, register: u32, value: u32) -> Self {
        let upper = value.wrapping_add(0x800) & 0xffff_f000;
        let lower = value.wrapping_sub(upper) & 0xfff;
        for word in
            [upper | register << 7 | 0x37, lower << 20 | register << 15 | register << 7 | 0x13]
        {
            self.code.extend_from_slice(&word.to_le_bytes());
        }
        self
    }

    /// Instructions that load nothing: `and a0, a0, a0`.
    fn gap(mut self) -> Self {
        for _ in 0..16 {
            self.code.extend_from_slice(&0x00a5_7533_u32.to_le_bytes());
        }
        self
    }

    fn record(self, id: u8, offset: u32, len_bytes: u32) -> Self {
        self.words(&[u32::from(id), offset, len_bytes])
    }

    fn file(self) -> Vec<u8> {
        let made = self.aligned();
        ImageBuilder::new(made.chip)
            .segment(DATA, &made.data)
            .segment(CODE, &made.code)
            .build()
            .unwrap()
    }

    fn read(self) -> BootloaderFile {
        BootloaderFile::read(&self.file()).unwrap()
    }

    fn build(self) -> McubootBuild {
        self.read().build.unwrap()
    }
}

fn region(start: u32, len_bytes: u32) -> flash_region::Region {
    flash_region::Region::clamped(flash_region::FlashAddr(start), len_bytes)
}

#[test]
fn mcuboot_is_recognized_by_its_magics() {
    let file = Made::mcuboot().read();
    let system = file.system.unwrap();
    assert_eq!((system.value, system.is_sure), (System::Mcuboot, true));
    assert!(system.evidence.contains("Espressif's load header"), "{}", system.evidence);
    // The magic is the first of the data, behind two headers.
    assert_eq!(system.place, Some(Location { addr: DATA, offset_bytes: 32 }));
    let without_images = Made { code: Vec::new(), ..Made::mcuboot() }.load(A0, 1);
    assert_eq!(without_images.read().system, None);
}

#[test]
fn an_esp_idf_bootloader_without_descriptor_is_recognized_by_its_texts() {
    let made = Made { chip: Chip::Esp32c3, data: Vec::new(), code: Vec::new() };
    let old = made.text("boot: ESP-IDF %s 2nd stage bootloader").load(A0, 1);
    let system = old.clone().read().system.unwrap();
    assert_eq!((system.value, system.is_sure), (System::EspIdf, false));
    // MCUboot's port prints the same.
    let system = old.data(&magic_bytes(8)).load(A0, IMAGE_MAGIC).read().system.unwrap();
    assert_eq!(system.value, System::Mcuboot);
    let nothing = Made { chip: Chip::Esp32c3, data: [1; 8].to_vec(), code: Vec::new() };
    assert_eq!(nothing.load(A0, 1).read().system, None);
}

#[test]
fn a_descriptor_is_one_only_with_a_version() {
    let mut descriptor = [0; BOOTLOADER_DESC_LEN_BYTES];
    descriptor[0] = BOOTLOADER_DESC_MAGIC;
    let made = Made { chip: Chip::Esp32c6, data: Vec::new(), code: Vec::new() };
    assert_eq!(made.clone().data(&descriptor).load(A0, 1).read().esp_idf_version, None);
    descriptor[8..14].copy_from_slice(b"v5.5.1");
    let version = made.data(&descriptor).load(A0, 1).read().esp_idf_version.unwrap();
    assert_eq!(version.value.as_str(), Some("v5.5.1"));
}

#[test]
fn espressifs_records_are_the_map_in_either_order() {
    let records = [
        (0, 0, 0xf000),
        (1, 0x1_0000, 0x30_0000),
        (2, 0x31_0000, 0x30_0000),
        (3, 0x61_0000, 0x4_0000),
    ];
    let add = |made: Made, (id, offset, len): (u8, u32, u32)| made.record(id, offset, len);
    let upwards = records.into_iter().fold(Made::mcuboot(), add).build();
    let downwards = records.into_iter().rev().fold(Made::mcuboot(), add).build();
    for build in [upwards, downwards] {
        let map = build.map.unwrap();
        assert!(map.is_sure && map.value.names_slots());
        assert_eq!(map.place.map(|place| place.addr), Some(DATA + 16));
        let slots = (region(0x1_0000, 0x30_0000), region(0x31_0000, 0x30_0000));
        assert_eq!(map.value.slots, Some(slots));
        assert_eq!(map.value.scratch, Some(region(0x61_0000, 0x4_0000)));
        assert_eq!(map.value.regions.len(), 4);
    }
}

#[test]
fn records_that_do_not_belong_together_are_no_map() {
    let mcuboot = Made::mcuboot;
    for (what, made) in [
        ("another order", mcuboot().record(1, 0x1_0000, 0x1000).record(0, 0, 0x1000)),
        (
            "slots of two lengths",
            mcuboot().record(0, 0, 0x1000).record(1, 0x1_0000, 0x1000).record(2, 0x2_0000, 0x2000),
        ),
        (
            "the bootloader elsewhere",
            mcuboot()
                .record(0, 0x1000, 0x1000)
                .record(1, 0x1_0000, 0x1000)
                .record(2, 0x2_0000, 0x1000),
        ),
        (
            "a gap",
            mcuboot()
                .record(0, 0, 0x1000)
                .record(1, 0x1_0000, 0x1000)
                .words(&[7])
                .record(2, 0x2_0000, 0x1000),
        ),
    ] {
        assert_eq!(made.build().map, None, "{what}");
    }
}

#[test]
fn the_slots_in_zephyrs_table_are_guessed() {
    const DEVICE: u32 = 0x3fc8_0010;
    let rows = [
        (0, 0x1_0000),
        (0x1_0000, 0x1_0000),
        (0x2_0000, 0x15_0000),
        (0x17_0000, 0x15_0000),
        (0x2c_0000, 0x1000),
    ];
    for extra in [&[][..], &[0x3fc8_2000][..]] {
        let table = (0u32..).zip(rows).fold(Made::mcuboot(), |made, (id, (offset, len))| {
            made.words(&[id, offset, len, DEVICE]).words(extra)
        });
        let map = table.build().map.unwrap();
        assert_eq!(map.value.form, MapForm::Zephyr);
        assert_eq!(map.value.regions.len(), 5);
        let slots = (region(0x2_0000, 0x15_0000), region(0x17_0000, 0x15_0000));
        assert_eq!(map.value.slots, Some(slots));
        assert!(map.value.has(region(0x2c_0000, 0x1000)) && !map.value.names_slots());
    }
}

const TABLES: [u8; 18] = [4, 1, 4, 3, 4, 2, 4, 1, 4, 1, 4, 3, 1, 4, 3, 4, 1, 4];

#[test]
fn the_kind_of_swap_is_the_one_that_all_evidence_agrees_on() {
    let status = [1, 5, 1, 0, 1, 5, 3, 2, 4, 1, 4, 1, 3, 4, 3, 2];
    let kind = |made: Made| made.build().swap.and_then(|found| found.value.only());
    let cases = [
        (Made::mcuboot().data(&status), Some(SwapKind::Scratch)),
        (Made::mcuboot().text("port/swap_move.c"), Some(SwapKind::Move)),
        (Made::mcuboot().text("Starting swap using offset algorithm."), Some(SwapKind::Offset)),
        (Made::mcuboot().text("boot_copy_image"), Some(SwapKind::Overwrite)),
        (Made::mcuboot().text("slots have non-compatible sectors"), Some(SwapKind::Overwrite)),
        (
            Made::mcuboot()
                .text("slots have non-compatible sectors")
                .text("not all sectors fit inside scratch"),
            Some(SwapKind::Scratch),
        ),
        // Reading headers is in that file, too.
        (Made::mcuboot().text("port/swap_scratch.c"), None),
        (Made::mcuboot().data(&status).text("port/swap_move.c"), None),
        (Made::mcuboot(), None),
    ];
    for (index, (made, expected)) in cases.into_iter().enumerate() {
        assert_eq!(kind(made), expected, "case {index}");
    }
}

#[test]
fn without_any_text_move_and_overwrite_look_alike() {
    let silent = Made::mcuboot().data(&TABLES).load(A0, DATA);
    let swap = silent.clone().build().swap.unwrap();
    assert_eq!((swap.value.only(), swap.is_sure), (Some(SwapKind::Overwrite), false));
    let swap = silent.load(A0, DATA).build().swap.unwrap();
    assert_eq!((swap.value.only(), swap.is_sure), (None, true));
    assert_eq!(swap.value.all(), [SwapKind::Move, SwapKind::Overwrite]);
}

#[test]
fn a_key_counts_with_pointers_to_it_and_to_its_length() {
    let key = PrivateKey::ed25519([9; 32]).public_key();
    let der = key.to_der();
    let len = u32::try_from(der.len()).unwrap();
    let made = Made::mcuboot();
    let der_addr = made.next_addr();
    let made = made.data(&der).words(&[len]);
    let len_addr = made.next_addr() - 4;
    let signature = |made: Made| made.build().signature.unwrap();
    let found = signature(made.clone().words(&[der_addr, len_addr]));
    assert!(found.is_sure);
    assert_eq!(found.value, Signature::Key(CompiledKey { kind: KeyKind::Ed25519, der }));
    assert_eq!(found.place.map(|place| place.addr), Some(der_addr));
    // As MCUboot's own example data, for one: without a pointer it is not what it checks with.
    assert_eq!(signature(made).value, Signature::None);
    let curve = [0x22, 0xae, 0x28, 0xd7, 0x98, 0x2f, 0x8a, 0x42];
    let elsewhere = signature(Made::mcuboot().data(&curve));
    assert_eq!(elsewhere.value, Signature::KeyElsewhere(KeyKind::Ed25519));
}

#[test]
fn sectors_are_read_from_code() {
    let sectors = |made: Made| made.build().max_sectors.map(|found| found.value);
    let logged = |n| {
        let made = Made::mcuboot();
        let text_addr = made.next_addr();
        let text = "Failed reading sectors; BOOT_MAX_IMG_SECTORS=%d - too small?";
        made.text(text).gap().load(A0, text_addr).load(A2, n).gap()
    };
    assert_eq!(sectors(logged(976)), Some(976));
    assert_eq!(sectors(logged(512)), Some(512));
    // Without the text: arrays in zero data, and the number of steps.
    let silent = |n: u32| {
        let code = Made::mcuboot().gap().load(A0, DATA - 0x8000).load(A3, 8 * n);
        code.load(A4, 16 * n).gap().load(A0, n).gap().load(A0, 3 * n)
    };
    assert_eq!(sectors(silent(1024)), Some(1024));
    assert_eq!(sectors(Made::mcuboot().load(A0, 512)), None);
}

#[test]
fn a_missing_line_counts_if_its_level_is_logged() {
    let kind = |made: Made| made.build().downgrade_prevention.map(|found| found.value);
    let scratch = || Made::mcuboot().text("Starting swap using scratch algorithm.");
    let line = "Image %d in slot 1 erased due to downgrade prevention";
    let counter = |made: Made| made.gap().load(A3, 0x50).load(A4, 1).gap();
    assert_eq!(kind(scratch()), Some(DowngradePrevention::None));
    assert_eq!(kind(scratch().text(line)), Some(DowngradePrevention::Version));
    assert_eq!(kind(counter(scratch().text(line))), Some(DowngradePrevention::SecurityCounter));
    assert_eq!(kind(counter(Made::mcuboot())), Some(DowngradePrevention::SecurityCounter));
    assert_eq!(kind(Made::mcuboot()), None);
    let overwrite = || Made::mcuboot().text("boot_copy_image");
    assert_eq!(kind(overwrite()), None);
    let errors = overwrite().text("Image in the %s slot is not valid!");
    assert_eq!(kind(errors), Some(DowngradePrevention::None));
    let line = "Insufficient version in secondary slot";
    assert_eq!(kind(overwrite().text(line)), Some(DowngradePrevention::Version));
}

#[test]
fn overwriting_is_fast_if_it_reads_the_size_of_the_image() {
    let fast = |made: Made| made.build().overwrites_fast.map(|found| found.value);
    let overwrite = || Made::mcuboot().text("boot_copy_image");
    assert_eq!(fast(overwrite()), Some(false));
    assert_eq!(fast(overwrite().text("boot_read_image_size")), Some(true));
    assert_eq!(fast(Made::mcuboot().text("port/swap_move.c")), None);
}

#[test]
fn the_alignment_is_that_of_the_magic() {
    for align in [16, 32] {
        let data = magic_bytes(align).to_vec();
        let made = Made { data, ..Made::mcuboot() };
        assert_eq!(made.build().max_align.map(|found| found.value), Some(align));
    }
}

proptest! {
    /// Nothing in a file makes reading it panic.
    #[test]
    fn any_segments_are_read(
        data in proptest::collection::vec(any::<u8>(), 0..400),
        addrs in prop_oneof![
            Just([DATA, CODE]),
            Just([u32::MAX - 8, u32::MAX - 64]),
            any::<[u32; 2]>(),
        ],
        chip in proptest::sample::select(Chip::ALL.to_vec()),
    ) {
        let data: Vec<u8> = magic_bytes(8).into_iter().chain(data).collect();
        let whole = data.len() / 4 * 4;
        let made = Made::mcuboot().code;
        let file = ImageBuilder::new(chip)
            .segment(addrs[0], &data[..whole])
            .segment(addrs[1], &made.iter().chain(&data[..whole]).copied().collect::<Vec<u8>>())
            .build();
        if let Ok(file) = file {
            let _ = BootloaderFile::read(&file);
            let _ = BootloaderFile::read(&file[..file.len() / 2]);
        }
    }
}
