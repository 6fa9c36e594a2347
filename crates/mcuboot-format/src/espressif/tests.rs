extern crate std;

use super::*;
use crate::HeaderError;
use esp_idf_format::memory::other_bus;
use proptest::prelude::*;

fn segment(dest_addr: u32, offset_bytes: u32, len_bytes: u32) -> LoadSegment {
    LoadSegment { dest_addr, offset_bytes, len_bytes }
}

/// An application for the ESP32-C3.
fn header() -> LoadHeader {
    LoadHeader {
        entry_addr: 0x4038_0100,
        iram: segment(0x4038_0000, 0x1000, 0x800),
        dram: segment(0x3fc8_0000, 0x1800, 0x400),
        lp_iram: LoadSegment::default(),
        lp_dram: LoadSegment::default(),
        irom: LoadSegment::default(),
        drom: LoadSegment::default(),
    }
}

/// An application for that chip, all of it at the start of the memories.
fn at_home_on(chip: Chip) -> LoadHeader {
    let memory = ChipMemory::of(chip);
    LoadHeader {
        entry_addr: memory.iram.start_addr,
        iram: segment(memory.iram.start_addr, 0x1000, 0x800),
        dram: segment(memory.dram.start_addr, 0x1800, 0x400),
        lp_iram: segment(memory.lp_iram.start_addr, 0x1c00, 0x100),
        lp_dram: segment(0x5000_0000, 0x1d00, 0x100),
        irom: LoadSegment::default(),
        drom: LoadSegment::default(),
    }
}

fn refused_by_memory(header: LoadHeader, chip: Chip) -> Option<SegmentName> {
    match header.check_memory(chip).and_then(|()| header.check_lp_memory(chip)) {
        Err(LoadFault::Memory { name, .. }) => Some(name),
        other => {
            assert_eq!(other, Ok(()), "{chip}");
            None
        }
    }
}

#[test]
fn what_is_copied_is_inside_the_image() {
    assert_eq!(header().check_image(0x1c00), Ok(()));
    let outside = LoadFault::Segment {
        name: SegmentName::Dram,
        segment: header().dram,
        payload_end_bytes: 0x1bff,
    };
    assert_eq!(header().check_image(0x1bff), Err(outside));
    let iram = LoadSegment { offset_bytes: u32::MAX, ..header().iram };
    let wrapping = LoadHeader { iram, ..header() };
    assert!(matches!(wrapping.check_image(u32::MAX), Err(LoadFault::Segment { .. })));
    // NuttX 12.10 for the ESP32-C3 has such a one, and runs.
    let lp_iram = segment(0x5000_0000, 0x1c00, 0x10);
    assert_eq!(LoadHeader { lp_iram, ..header() }.check_image(0x1c00), Ok(()));
}

#[test]
fn a_segment_of_no_length_is_nowhere() {
    let empty = LoadHeader { dram: segment(0x3fc8_0000, u32::MAX, 0), ..header() };
    assert_eq!(empty.check_image(0x1800), Ok(()));
}

#[test]
fn the_loader_jumps_into_what_it_copied() {
    for entry_addr in [0, 0x4037_ffff, 0x4038_0800] {
        let lost = LoadHeader { entry_addr, ..header() };
        let error = LoadFault::Entry { entry_addr, iram: header().iram };
        assert_eq!(lost.check_image(0x2000), Err(error));
    }
    let in_data = LoadHeader { entry_addr: 0x3fc8_0000, ..header() };
    assert_eq!(in_data.check_image(0x2000), Ok(()));
}

#[test]
fn an_esp_idf_application_has_none() {
    let mut bytes = header().to_bytes();
    bytes[0] = 0xe9;
    assert_eq!(LoadHeader::parse(&bytes), Err(LoadFault::Magic { found: 0xace6_37e9 }));
    bytes[0] = 0xd3;
    let truncated = LoadFault::Truncated { len_bytes: 79 };
    assert_eq!(LoadHeader::parse(&bytes[..79]), Err(truncated));
}

#[test]
fn each_chip_accepts_its_own_addresses() {
    for chip in Chip::ALL {
        let header = at_home_on(chip);
        assert_eq!(refused_by_memory(header, chip), None);
        assert_eq!(header.check_image(0x1e00), Ok(()), "{chip}");
    }
}

/// Those of the ESP32-C6 and -H2 lie at the same addresses, and nothing tells them apart.
#[test]
fn applications_of_other_chips_are_refused() {
    use Chip::{Esp32c6, Esp32h2};
    for chip in Chip::ALL {
        for other in Chip::ALL.into_iter().filter(|other| *other != chip) {
            let alike = matches!((chip, other), (Esp32c6, Esp32h2) | (Esp32h2, Esp32c6));
            let fault = at_home_on(other).check_memory(chip).err();
            assert_eq!(fault.is_none(), alike, "{other}'s on {chip}");
            assert!(fault.is_none_or(|fault| fault.is_of_another_chip()));
        }
    }
}

#[test]
fn a_segment_ends_inside_of_its_memory() {
    for chip in Chip::ALL {
        let memory = ChipMemory::of(chip);
        let home = at_home_on(chip);
        let filling = |range: MemoryRange, missing: u32| {
            segment(range.start_addr, 0, range.end_addr - range.start_addr - missing)
        };
        let iram = |missing| LoadHeader { iram: filling(memory.iram, missing), ..home };
        assert_eq!(refused_by_memory(iram(1), chip), None);
        assert_eq!(refused_by_memory(iram(0), chip), Some(SegmentName::Iram));
        let dram = |missing| LoadHeader { dram: filling(memory.dram, missing), ..home };
        assert_eq!(refused_by_memory(dram(1), chip), None);
        assert_eq!(refused_by_memory(dram(0), chip), Some(SegmentName::Dram));
        let lp_iram = |missing| LoadHeader { lp_iram: filling(memory.lp_iram, missing), ..home };
        assert_eq!(refused_by_memory(lp_iram(1), chip), None);
        assert_eq!(refused_by_memory(lp_iram(0), chip), Some(SegmentName::LpIram));
        let below = LoadHeader { dram: segment(memory.dram.start_addr - 4, 0, 4), ..home };
        assert_eq!(refused_by_memory(below, chip), Some(SegmentName::Dram));
    }
}

#[test]
fn lp_segments_are_checked_if_they_have_a_length() {
    for chip in Chip::ALL {
        let nowhere = |len_bytes| segment(0x1000, 0, len_bytes);
        let home = at_home_on(chip);
        let unused = LoadHeader { lp_iram: nowhere(0), lp_dram: nowhere(0), ..home };
        assert_eq!(refused_by_memory(unused, chip), None);
        // Older loaders do not look there at all.
        let of_old = LoadHeader { lp_iram: nowhere(1), lp_dram: nowhere(1), ..home };
        assert_eq!(of_old.check_memory(chip), Ok(()), "{chip}");
        let iram = LoadHeader { lp_iram: nowhere(1), ..home };
        assert_eq!(refused_by_memory(iram, chip), Some(SegmentName::LpIram));
        // Where LP memory is one, the loader copies it to anywhere, over itself too.
        let dram = LoadHeader { lp_dram: nowhere(1), ..home };
        let expected = Some(SegmentName::LpDram);
        assert_eq!(refused_by_memory(dram, chip), expected, "{chip}");
    }
}

#[test]
fn the_messages_of_a_loader_show_which_segments_it_checks() {
    let file = |messages: [&str; 2]| messages.join("\0").into_bytes();
    let main = "IRAM region in load header is not valid";
    let lp = "LP_IRAM region in load header is not valid";
    assert_eq!(knows_lp_segments(&file([main, "%s"])), Some(false));
    assert_eq!(knows_lp_segments(&file([main, lp])), Some(true));
    assert_eq!(knows_lp_segments(&file(["load header", "IRAM"])), None);
    assert_eq!(knows_lp_segments(&[]), None);
}

#[test]
fn the_entry_is_in_the_chips_iram() {
    for chip in Chip::ALL {
        let memory = ChipMemory::of(chip).iram;
        for (entry_addr, good) in [
            (memory.start_addr, true),
            (memory.end_addr - 1, true),
            (memory.start_addr - 1, false),
            (memory.end_addr, false),
        ] {
            let found = LoadHeader { entry_addr, ..at_home_on(chip) }.check_memory(chip);
            let expected = LoadFault::EntryMemory { entry_addr, memory };
            assert_eq!(found, if good { Ok(()) } else { Err(expected) }, "{chip}");
        }
    }
}

#[test]
fn nothing_is_loaded_over_the_loader() {
    let taken = MemoryRange::new(0x4038_0800, 0x4038_1000);
    assert_eq!(header().check_clear_of(taken), Ok(()));
    let longer = LoadHeader { iram: segment(0x4038_0000, 0, 0x801), ..header() };
    let name = SegmentName::Iram;
    let over = LoadFault::OverLoader { name, segment: longer.iram, taken };
    assert_eq!(longer.check_clear_of(taken), Err(over));
    let empty = LoadHeader { dram: segment(0x4038_0900, 0, 0), ..header() };
    assert_eq!(empty.check_clear_of(taken), Ok(()));
}

#[test]
fn a_whole_image_is_checked_after_its_header() {
    let image_header = ImageHeader { hdr_size: 0x40, img_size: 0x2000, ..ImageHeader::default() };
    let mut image = image_header.to_bytes().to_vec();
    image.resize(0x40, 0);
    image.extend(header().to_bytes());
    assert_eq!(check(Chip::Esp32c3, &image), Ok(header()));
    assert!(check(Chip::Esp32, &image).is_err_and(|fault| fault.is_of_another_chip()));
    assert_eq!(check(Chip::Esp32c3, &image[..0x40]), Err(LoadFault::Truncated { len_bytes: 0 }));
    let none = HeaderError::Truncated { len_bytes: 3 };
    assert_eq!(check(Chip::Esp32c3, &image[..3]), Err(LoadFault::Image(none)));
    // Padded twice: a second header where the load header should be.
    image[8] = 0x20;
    assert_eq!(check(Chip::Esp32c3, &image), Err(LoadFault::Magic { found: 0 }));
}

/// A bootloader with the segments of MCUboot 2.4 for the ESP32-C3.
fn c3_bootloader() -> std::vec::Vec<u8> {
    let mut file = esp_idf_format::image::EspImageHeader::new(Chip::Esp32c3, 3, 0x403d_0f96)
        .to_bytes()
        .to_vec();
    for (load_addr, len_bytes) in
        [(0x3fcd_89a8, 0x1998), (0x403c_7000, 0x2a38), (0x403d_0000, 0x23a8)]
    {
        let header = esp_idf_format::image::SegmentHeader { load_addr, len_bytes };
        file.extend(header.to_bytes());
        file.resize(file.len() + len_bytes as usize, 0x5a);
    }
    file
}

#[test]
fn a_bootloaders_file_shows_which_ram_it_needs() {
    let loader = Loader::of(Chip::Esp32c3, &c3_bootloader());
    let taken: std::vec::Vec<MemoryRange> = loader.taken().collect();
    let data = MemoryRange::new(0x3fcd_89a8, 0x3fcd_a340);
    let code = MemoryRange::new(0x403d_0000, 0x403d_23a8);
    assert_eq!(taken, [data, code]);
    assert_eq!(loader.knows_lp_segments(), None);
    let good = header();
    assert_eq!(loader.check(&good), Ok(()));
    // Over code that is done by then, as applications are linked.
    let over_done = LoadHeader { iram: segment(0x403c_8000, 0, 0x800), ..good };
    assert_eq!(loader.check(&over_done), Ok(()));
    for (iram, dram) in [
        (segment(0x403d_0000, 0, 0x10), good.dram),
        (good.iram, segment(0x3fcd_a33c, 0, 4)),
        // The same memory by its address on the other bus.
        (segment(0x403d_8000, 0, 0x1000), good.dram),
        (good.iram, segment(0x3fcd_0000, 0, 4)),
    ] {
        let bad = LoadHeader { iram, dram, ..good };
        assert!(matches!(loader.check(&bad), Err(LoadFault::OverLoader { .. })), "{bad:?}");
    }
    // It is not known to ignore LP segments.
    let lp = LoadHeader { lp_iram: segment(0x1000, 0, 1), ..good };
    assert!(matches!(loader.check(&lp), Err(LoadFault::Memory { .. })));
}

#[test]
fn the_buses_of_esp32_count_against_each_other() {
    let memory = |start, end| MemoryRange::new(start, end);
    // The last word of the one is the first of the other.
    let other = other_bus(Chip::Esp32, memory(0x3fff_fffc, 0x4000_0000));
    assert_eq!(other, Some(memory(0x400a_0000, 0x400a_0004)));
    let back = other_bus(Chip::Esp32, memory(0x400a_0000, 0x400a_0004));
    assert_eq!(back, Some(memory(0x3fff_fffc, 0x4000_0000)));
    assert_eq!(other_bus(Chip::Esp32, memory(0x4008_0000, 0x4008_1000)), None);
}

#[test]
fn an_application_made_up_for_a_chip_starts_there() {
    for chip in Chip::ALL {
        let header = LoadHeader::for_code(chip, 0x8000);
        let image = ImageHeader { img_size: 0x8060, ..ImageHeader::default() };
        assert_eq!(header.check(chip, &image), Ok(()), "{chip}");
    }
}

/// A file in pieces of that length, read as it passes.
fn in_pieces(chip: Chip, file: &[u8], len: usize) -> Result<LoadHeader, LoadFault> {
    let mut reader = LoadHeaderReader::new(chip);
    file.chunks(len).try_for_each(|piece| reader.push(piece))?;
    reader.finish()
}

proptest! {
    #[test]
    fn pieces_give_the_result_of_the_whole(
        len in 1usize..200,
        hdr_size in 0u16..0x80,
        cut in 0usize..0x100,
        break_at in prop::option::of(0usize..0x100),
    ) {
        let image = ImageHeader { hdr_size, img_size: 0x2000, ..ImageHeader::default() };
        let mut file = image.to_bytes().to_vec();
        file.resize(usize::from(hdr_size).max(file.len()), 0);
        file.truncate(usize::from(hdr_size).max(32));
        file.extend(header().to_bytes());
        if let Some(byte) = break_at.and_then(|at| file.get_mut(at)) {
            *byte ^= 0x55;
        }
        file.truncate(cut.max(1));
        prop_assert_eq!(in_pieces(Chip::Esp32c3, &file, len), check(Chip::Esp32c3, &file));
    }

    #[test]
    fn a_bootloader_in_pieces_gives_the_same_result(len in 1usize..5000, at in 0usize..0x6000) {
        let mut file = c3_bootloader();
        let message = b"LP_IRAM region in load header is not valid";
        if let Some(place) = file.get_mut(at..at + message.len()) {
            place.copy_from_slice(message);
        }
        let mut reader = LoaderReader::new(Chip::Esp32c3);
        file.chunks(len).for_each(|piece| reader.push(piece));
        let (loader, whole) = (reader.finish(), Loader::of(Chip::Esp32c3, &file));
        prop_assert!(loader.taken().eq(whole.taken()));
        prop_assert_eq!(loader.knows_lp_segments(), whole.knows_lp_segments());
    }

    #[test]
    fn anything_can_be_a_bootloader(file: std::vec::Vec<u8>) {
        let _ = Loader::of(Chip::Esp32, &file).check(&header());
    }
}

proptest! {
    #[test]
    fn parse_undoes_emit(entry_addr: u32, words: [[u32; 3]; 6], end: u32) {
        let [iram, dram, lp_iram, lp_dram, irom, drom] = words.map(|[dest, offset, len]| {
            segment(dest, offset, len)
        });
        let header = LoadHeader { entry_addr, iram, dram, lp_iram, lp_dram, irom, drom };
        prop_assert_eq!(LoadHeader::parse(&header.to_bytes()), Ok(header));
        if header.check_image(end).is_ok() && header.dram.len_bytes > 0 {
            prop_assert!(header.dram.offset_bytes <= end);
        }
    }
}
