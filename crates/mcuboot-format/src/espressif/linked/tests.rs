extern crate std;

use std::vec::Vec;

use super::*;
use crate::HeaderError;

/// As NuttX 12.10 for the ESP32-C3 is linked: code right behind the load header, and what is
/// mapped at the end, at multiples of the cache's pages.
fn nuttx(linked_bytes: u32) -> LoadHeader {
    let segment =
        |dest_addr, offset_bytes, len_bytes| LoadSegment { dest_addr, offset_bytes, len_bytes };
    let first = linked_bytes + LoadHeader::RESERVED_LEN_BYTES as u32;
    LoadHeader {
        entry_addr: 0x4038_0100,
        iram: segment(0x4038_0000, first, 0x2b20),
        dram: segment(0x3fc8_2b20, first + 0x2b20, 0x578),
        lp_iram: LoadSegment::default(),
        lp_dram: LoadSegment::default(),
        irom: segment(0x4200_0000, 0x1_0000, 0x1_da30),
        drom: segment(0x3c03_0000, 0x3_0000, 0xb034),
    }
}

/// The header of an image with that payload, signed with so many bytes of header.
fn signed(signed_bytes: u16, linked_bytes: u32) -> ImageHeader {
    ImageHeader {
        hdr_size: signed_bytes,
        img_size: 0x3_b040 - linked_bytes,
        ..ImageHeader::default()
    }
}

#[test]
fn every_pair_of_sizes_is_told_apart() {
    for linked in USUAL_LEN_BYTES {
        for size in USUAL_LEN_BYTES {
            let load = nuttx(linked.into());
            let image = signed(size, linked.into());
            let found = load.check_header_size(&image);
            match size.cmp(&linked) {
                core::cmp::Ordering::Equal => assert_eq!(found, Ok(()), "{size:#x}"),
                core::cmp::Ordering::Less => {
                    let (signed_bytes, linked_bytes) = (size, linked.into());
                    let fault = LoadFault::HeaderSize { signed_bytes, linked_bytes };
                    assert_eq!(found, Err(fault));
                }
                core::cmp::Ordering::Greater => {
                    let shown = matches!(found, Err(LoadFault::OverHeader { .. }));
                    assert!(shown, "{linked:#x} signed with {size:#x}: {found:?}");
                }
            }
            let mut file = image.to_bytes().to_vec();
            file.resize(size.into(), 0);
            file.extend(load.to_bytes());
            assert_eq!(shows_header_size(Chip::Esp32c3, &file), size == linked);
        }
    }
}

#[test]
fn what_nothing_shows_is_no_fault() {
    // Without mapped segments, and not behind the load header: an application of older systems.
    let old = LoadHeader { irom: LoadSegment::default(), ..nuttx(0x1000) };
    let image = signed(0x20, 0x1000);
    assert_eq!(old.check_header_size(&image), Ok(()));
    let mut file = image.to_bytes().to_vec();
    file.extend(old.to_bytes());
    assert!(!shows_header_size(Chip::Esp32c3, &file));
    // What follows an older, shorter load header is no segment.
    let text = LoadHeader { drom: LoadSegment { offset_bytes: 4, ..old.drom }, ..nuttx(0x20) };
    assert_eq!(text.check_header_size(&signed(0x20, 0x20)), Ok(()));
}

/// An image for an Xtensa chip as older systems make it: a function at the entry, which is
/// somewhere in it. It was linked for one header size and signed with another.
fn xtensa(signed_bytes: u16, linked_bytes: u16) -> Vec<u8> {
    let entry_at = 0x2100;
    let load = LoadHeader {
        entry_addr: 0x4037_4bdc,
        iram: LoadSegment { dest_addr: 0x4037_4adc, offset_bytes: 0x2000, len_bytes: 0x800 },
        dram: LoadSegment::default(),
        ..nuttx(0x20)
    };
    let image = ImageHeader { hdr_size: signed_bytes, img_size: 0x4000, ..ImageHeader::default() };
    let mut file = image.to_bytes().to_vec();
    file.resize(usize::from(signed_bytes), 0);
    file.extend(load.to_bytes());
    file.resize(usize::from(signed_bytes) + 0x4000, 0x5a);
    let at = entry_at - usize::from(linked_bytes) + usize::from(signed_bytes);
    file[at..at + 3].copy_from_slice(&[0x36, 0x81, 0]);
    file
}

#[test]
fn a_function_at_the_entry_tells_the_size() {
    for chip in Chip::ALL {
        for linked in USUAL_LEN_BYTES {
            for size in USUAL_LEN_BYTES {
                let file = xtensa(size, linked);
                let (signed_bytes, linked_bytes) = (size, linked.into());
                let fault = LoadFault::HeaderSize { signed_bytes, linked_bytes };
                let wrong = calls_functions(chip) && size != linked;
                let expected = if wrong { Err(fault) } else { Ok(()) };
                assert_eq!(check_entry(chip, &file), expected, "{chip}");
                let shown = calls_functions(chip) && size == linked;
                assert_eq!(shows_header_size(chip, &file), shown, "{chip}");
            }
        }
    }
}

#[test]
fn code_without_a_function_is_no_fault() {
    let mut file = xtensa(0x400, 0x20);
    let at = 0x2100 + 0x3e0;
    file[at] = 0x13;
    assert_eq!(check_entry(Chip::Esp32s3, &file), Ok(()));
    for len in [0, 3, 0x20, 0x410, 0x2100] {
        assert_eq!(check_entry(Chip::Esp32s3, &file[..len]), Ok(()));
    }
    let short = HeaderError::Truncated { len_bytes: 3 };
    assert_eq!(ImageHeader::parse(&file[..3]), Err(short));
}
