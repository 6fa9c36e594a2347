//! The container of artifacts that are embedded in the migrator's image.

use bootswap_engine::{ContainerEntry, ContainerError, ContainerHeader, MAX_CONTAINER_ENTRIES};

/// Reads a container's directory, unchanged and with a corrected CRC, and writes it again.
///
/// The input is a container.
pub fn container(input: &[u8]) {
    check(input);
    let mut corrected = input.to_vec();
    // Entries are counted at offset 10.
    let count = input.get(10).map_or(0, |count| usize::from(*count) % (MAX_CONTAINER_ENTRIES + 1));
    let len = ContainerHeader::directory_len(count);
    if let Some((body, crc)) =
        corrected.get_mut(..len).map(|directory| directory.split_at_mut(len - 4))
    {
        crc.copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        check(&corrected);
    }
}

fn check(bytes: &[u8]) {
    let header = match ContainerHeader::parse(bytes) {
        Ok(header) => header,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return assert_eq!(ContainerHeader::parse(bytes), Err(error));
        }
    };
    let directory = ContainerHeader::directory_len(header.entries.len());
    assert!(header.entries.len() <= MAX_CONTAINER_ENTRIES && directory <= bytes.len());
    for entry in &header.entries {
        let end = u64::from(entry.offset) + u64::from(entry.len_bytes);
        assert!(entry.offset as usize >= directory && end <= u64::from(header.len_bytes));
        assert!(entry.name().len() <= 20 && !entry.name().contains(&0));
        let Ok(name) = core::str::from_utf8(entry.name()) else { continue };
        assert_eq!(header.find(name).map(ContainerEntry::name), Some(entry.name()));
        let made = ContainerEntry::new(name, entry.offset, entry.len_bytes, entry.sha256);
        assert_eq!(made.map(|made| made.name().to_vec()), Ok(name.as_bytes().to_vec()));
    }
    let mut out = vec![0x5a; directory + 1];
    let short = header.emit(&mut out[..directory - 1]);
    assert_eq!(short, Err(ContainerError::Truncated { needed_bytes: directory }));
    assert_eq!(header.emit(&mut out), Ok(directory));
    assert_eq!(out[directory], 0x5a, "written past the directory");
    assert_eq!(ContainerHeader::parse(&out), Ok(header));
    // A directory that is cut off is refused.
    assert!(ContainerHeader::parse(&bytes[..directory - 1]).is_err());
}
