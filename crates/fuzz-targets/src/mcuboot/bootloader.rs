//! What a bootloader's file says about itself.

use esp_idf_format::image::segments;
use mcuboot_format::bootloader::{BootloaderFile, Found, Location, Signature};
use mcuboot_format::trailer::magic_bytes;

/// Reads a bootloader's file, and looks at each place where something was found.
///
/// The input is a file. Every place must agree with the image's own segments, and a key and each
/// region of a map must be there byte for byte.
pub fn mcuboot_bootloader(input: &[u8]) {
    let Ok(file) = BootloaderFile::read(input) else { return };
    place(input, &file.system);
    place(input, &file.esp_idf_version);
    let Some(build) = file.build else { return };
    place(input, &build.swap);
    place(input, &build.overwrites_fast);
    place(input, &build.max_sectors);
    place(input, &build.downgrade_prevention);
    place(input, &build.validates_primary);
    if let Some(at) = place(input, &build.max_align) {
        let align = build.max_align.expect("it has a place").value;
        assert!(input[at..].starts_with(&magic_bytes(align)));
    }
    if let Some(at) = place(input, &build.signature)
        && let Some(Signature::Key(key)) = build.signature.map(|found| found.value)
    {
        assert!(input[at..].starts_with(&key.der));
    }
    if let Some(at) = place(input, &build.map) {
        let map = build.map.expect("it has a place").value;
        assert!(map.regions.len() >= 3);
        for (id, region) in &map.regions {
            let mut record = vec![*id, 0, 0, 0];
            record.extend(region.start().get().to_le_bytes());
            record.extend(region.len_bytes().to_le_bytes());
            let is_there = input[at..].windows(record.len()).any(|bytes| bytes == record);
            assert!(is_there, "{id}: {region}");
        }
        assert!(map.slots.is_none_or(|(a, b)| map.has(a) && map.has(b)));
        assert!(map.scratch.is_none_or(|scratch| map.has(scratch)));
    }
}

/// The offset of a finding, if it has a place.
fn place<T>(input: &[u8], found: &Option<Found<T>>) -> Option<usize> {
    let found = found.as_ref()?;
    assert!(!found.evidence.is_empty());
    let Location { addr, offset_bytes } = found.place?;
    let mut all = segments(input).expect("it was read").flatten();
    let is_there = all.any(|segment| {
        let header = segment.header;
        offset_bytes.checked_sub(segment.data_offset_bytes).is_some_and(|offset| {
            offset < header.len_bytes && header.load_addr.checked_add(offset) == Some(addr)
        })
    });
    assert!(is_there, "offset {offset_bytes:#x} is not address {addr:#x}");
    usize::try_from(offset_bytes).ok()
}
