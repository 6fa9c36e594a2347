//! Where a container of embedded artifacts is after an app image.
//!
//! ```text
//!   partition:  | app image | pad to 16 bytes | container: directory, files | unused |
//! ```
//!
//! Nothing here reads flash, so the same rule is used on the device and for a dump: get the
//! [`directory`](ContainerPlace::directory), read it, and pass it to
//! [`container`](ContainerPlace::container).

use bootswap_engine::{CONTAINER_ALIGN_BYTES, ContainerHeader, MAX_CONTAINER_ENTRIES};
use flash_region::Region;

/// Most bytes of a container's directory.
pub(crate) const MAX_DIRECTORY: usize = ContainerHeader::directory_len(MAX_CONTAINER_ENTRIES);
const MAX_DIRECTORY_BYTES: u32 = MAX_DIRECTORY as u32;

/// The rest of a partition after its app image, where a container may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContainerPlace {
    rest: Region,
}

impl ContainerPlace {
    /// The rest of `partition` after the image of `image_len_bytes` at its start.
    ///
    /// `None` if the image ends at the end of the address space.
    #[must_use]
    pub fn behind(partition: Region, image_len_bytes: u32) -> Option<Self> {
        let image_end = partition.start().checked_add(image_len_bytes)?;
        let start = image_end.align_up(CONTAINER_ALIGN_BYTES)?;
        Some(Self { rest: partition.from(start) })
    }

    /// What must be read to see whether there is a container; empty if nothing fits.
    #[must_use]
    pub const fn directory(self) -> Region {
        self.rest.prefix(MAX_DIRECTORY_BYTES)
    }

    /// The container whose directory was read. More bytes than those of
    /// [`directory`](Self::directory) are ignored.
    ///
    /// `None` if the bytes are not a valid directory, or the container would not end in the
    /// partition.
    #[must_use]
    pub fn container(self, directory: &[u8]) -> Option<Region> {
        let header = ContainerHeader::parse(directory).ok()?;
        let container = Region::from_len(self.rest.start(), header.len_bytes)?;
        self.rest.contains_region(container).then_some(container)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use bootswap_engine::ContainerEntry;
    use flash_region::FlashAddr;

    use super::*;

    const PARTITION: Region = Region::clamped(FlashAddr(0x1_0000), 0x1000);

    fn directory(len_bytes: u32) -> Vec<u8> {
        let entry = ContainerEntry::new("app", 0x80, 0x10, [7; 32]).unwrap();
        let mut bytes = [0; MAX_DIRECTORY];
        let header = ContainerHeader { entries: [entry].into_iter().collect(), len_bytes };
        let len = header.emit(&mut bytes).unwrap();
        bytes[..len].to_vec()
    }

    #[test]
    fn begins_at_the_next_multiple_of_16() {
        for (image_len_bytes, start) in [(0x800, 0x1_0800), (0x801, 0x1_0810), (0x80f, 0x1_0810)] {
            let place = ContainerPlace::behind(PARTITION, image_len_bytes).unwrap();
            assert_eq!(place.directory().start(), FlashAddr(start));
            let found = Region::clamped(FlashAddr(start), 0x100);
            assert_eq!(place.container(&directory(0x100)), Some(found));
        }
    }

    #[test]
    fn ends_within_the_partition() {
        let place = ContainerPlace::behind(PARTITION, 0x800).unwrap();
        assert!(place.container(&directory(0x800)).is_some());
        assert_eq!(place.container(&directory(0x801)), None);
        assert_eq!(place.container(&directory(u32::MAX)), None);
    }

    #[test]
    fn anything_else_is_not_a_container() {
        let place = ContainerPlace::behind(PARTITION, 0x800).unwrap();
        assert_eq!(place.container(&[0xff; 0x800]), None);
        assert_eq!(place.container(&[]), None);
    }

    #[test]
    fn an_image_that_fills_its_partition_leaves_no_room() {
        let place = ContainerPlace::behind(PARTITION, 0x1000).unwrap();
        assert!(place.directory().is_empty());
        assert_eq!(place.container(&directory(0x100)), None);
        assert_eq!(ContainerPlace::behind(PARTITION, u32::MAX), None);
    }
}
