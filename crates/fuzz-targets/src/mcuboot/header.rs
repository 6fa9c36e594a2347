//! Headers of images, load headers, versions.

use esp_idf_format::Chip;
use mcuboot_format::espressif::{ChipMemory, LoadHeader, LoadSegment};
use mcuboot_format::{ImageHeader, ImageVersion};

/// Reads the headers of fixed length that an image begins with.
///
/// The input is a header; or a load header, or the text of a version.
pub fn mcuboot_header(input: &[u8]) {
    image_header(input);
    load_header(input);
    if let Ok(text) = core::str::from_utf8(input) {
        version(text);
    }
}

fn image_header(input: &[u8]) {
    let header = match ImageHeader::parse(input) {
        Ok(header) => header,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    // The last word is unused.
    assert_eq!(header.to_bytes()[..28], input[..28]);
    let hashed = u64::from(header.hdr_size)
        + u64::from(header.img_size)
        + u64::from(header.protect_tlv_size);
    assert_eq!(header.hashed_len_bytes().map(u64::from), u32::try_from(hashed).ok().map(u64::from));
    for slot_len_bytes in [0, input.len() as u32, 0x10_0000, u32::MAX] {
        match header.check(slot_len_bytes) {
            Ok(()) => {
                assert!(hashed < u64::from(slot_len_bytes) && header.hdr_size >= 32);
                assert_eq!(header.flags.0 & 0xe1c, 0, "encrypted, compressed or not bootable");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn load_header(input: &[u8]) {
    let header = match LoadHeader::parse(input) {
        Ok(header) => header,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(header.to_bytes(), input[..LoadHeader::LEN_BYTES]);
    for chip in Chip::ALL {
        load_memory(&header, chip);
    }
    for payload_end_bytes in [0, input.len() as u32, 0x10_0000, u32::MAX] {
        match header.check_image(payload_end_bytes) {
            Ok(()) => {
                let segments = [header.iram, header.dram];
                for segment in segments.into_iter().filter(|segment| segment.len_bytes > 0) {
                    let end = u64::from(segment.offset_bytes) + u64::from(segment.len_bytes);
                    assert!(end <= u64::from(payload_end_bytes));
                }
                let entered = |segment: LoadSegment| {
                    let offset = header.entry_addr.checked_sub(segment.dest_addr);
                    offset.is_some_and(|offset| offset < segment.len_bytes)
                };
                assert!(entered(header.iram) || entered(header.dram));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn load_memory(header: &LoadHeader, chip: Chip) {
    let memory = ChipMemory::of(chip);
    match header.check_memory(chip) {
        Ok(()) => {
            for (segment, memory) in [(header.iram, memory.iram), (header.dram, memory.dram)] {
                assert!(memory.contains(segment.dest_addr), "{chip}");
            }
            assert!(memory.iram.contains(header.entry_addr), "{chip}");
        }
        Err(fault) => assert!(fault.is_of_another_chip() && !fault.to_string().is_empty()),
    }
}

fn version(text: &str) {
    match text.parse::<ImageVersion>() {
        Ok(version) => {
            let full = version.to_string();
            assert_eq!(full.parse(), Ok(version));
            assert!(full.starts_with(text), "{text:?} is read as {full}");
            assert_eq!(ImageVersion::from_bytes(version.to_bytes()), version);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
