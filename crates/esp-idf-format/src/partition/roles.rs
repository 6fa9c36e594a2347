//! Which partition the bootloader uses for each role.
//!
//! ```text
//!   table     | otadata | factory | ota_0 | ota_0 | ota_1 |
//!   kept           *         *                *       *       3 slots are counted
//! ```
//!
//! The bootloader keeps one partition for each of otadata, factory app, test app and OTA slot: of
//! several entries with the same role, the last one. But it counts all entries of OTA slots, also
//! those that it does not keep (`bootloader_utility_load_partition_table`,
//! `components/bootloader_support/src/bootloader_utility.c` of `espressif/esp-idf`).

use super::Partition;
use crate::otadata::{BootSlot, OtaData, Selection, boot_order};

/// The partitions by which a bootloader starts apps, from a table or from any other list.
#[derive(Clone, Copy, Debug)]
pub struct BootRoles<I>(I);

impl<I: Iterator<Item = Partition> + Clone> BootRoles<I> {
    /// The roles of these partitions, which must be in the order of their table.
    pub const fn of(partitions: I) -> Self {
        Self(partitions)
    }

    /// The partition that says which OTA slot is started.
    #[must_use]
    pub fn otadata(&self) -> Option<Partition> {
        self.last(&Partition::is_otadata)
    }

    /// The partition of an app.
    #[must_use]
    pub fn slot(&self, slot: BootSlot) -> Option<Partition> {
        self.last(&|partition| match slot {
            BootSlot::Factory => partition.is_factory(),
            BootSlot::Ota(index) => partition.ota_index() == Some(index),
            BootSlot::Test => partition.is_test_app(),
        })
    }

    /// How many OTA slots there are, the number by which the bootloader divides the sequence of
    /// otadata; at most 16 without two of the same role.
    #[must_use]
    pub fn ota_count(&self) -> u8 {
        let count = self.0.clone().filter(|partition| partition.ota_index().is_some()).count();
        u8::try_from(count).unwrap_or(u8::MAX)
    }

    /// The partitions that the bootloader tries, one after the other, until one has a valid image.
    /// `None` means that there is no otadata.
    pub fn tried(self, otadata: Option<&OtaData>) -> impl Iterator<Item = Partition> {
        let selection = otadata.and_then(|data| data.select(self.ota_count()));
        self.tried_from(selection.map(|selection| selection.ota_index))
    }

    /// The same if otadata selects that OTA slot, or none.
    pub fn tried_from(self, ota_index: Option<u8>) -> impl Iterator<Item = Partition> {
        let count = self.ota_count();
        // Without slots otadata means nothing.
        let selected = ota_index.filter(|_| count > 0);
        let selection = selected.map(|ota_index| Selection { ota_index, entry_index: 0 });
        let tried = boot_order(selection, count).filter_map(move |slot| self.slot(slot));
        tried.filter(|partition| !partition.region.is_empty())
    }

    /// Whether the partition has a role and is the one that is kept for it.
    #[must_use]
    pub fn keeps(&self, partition: &Partition) -> bool {
        let kept = self.last(&|other| other.is_same_role(partition));
        partition.has_role() && kept.is_some_and(|kept| kept.region == partition.region)
    }

    /// Not generic over the closure, because each copy would make the firmware larger.
    fn last(&self, wanted: &dyn Fn(&Partition) -> bool) -> Option<Partition> {
        self.0.clone().filter(wanted).last()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use flash_region::{FlashAddr, Region};

    use super::*;
    use crate::otadata::{OtaEntry, OtaState};
    use crate::partition::{Label, PartitionType, subtype};

    fn app(subtype: u8, start: u32) -> Partition {
        let region = Region::clamped(FlashAddr(start), 0x1_0000);
        Partition { label: Label::EMPTY, kind: PartitionType::App, subtype, region, flags: 0 }
    }

    fn otadata(start: u32) -> Partition {
        let region = Region::clamped(FlashAddr(start), 0x2000);
        let kind = PartitionType::Data;
        Partition { label: Label::EMPTY, kind, subtype: subtype::OTADATA, region, flags: 0 }
    }

    fn tried(partitions: &[Partition], seq: u32) -> Vec<u32> {
        let entry = OtaEntry::new(seq, OtaState::Valid).to_bytes();
        let data = OtaData::parse(&entry, &[]);
        let roles = BootRoles::of(partitions.iter().copied());
        roles.tried(Some(&data)).map(|p| p.region.start().get()).collect()
    }

    #[test]
    fn the_last_of_a_role_is_kept_and_all_slots_count() {
        let partitions = [
            otadata(0xd000),
            app(subtype::FACTORY, 0x1_0000),
            app(subtype::OTA_0, 0x2_0000),
            app(subtype::OTA_0, 0x3_0000),
            app(subtype::OTA_0 + 1, 0x4_0000),
            otadata(0xf000),
        ];
        let roles = BootRoles::of(partitions.iter().copied());
        assert_eq!(roles.otadata(), Some(partitions[5]));
        assert_eq!(roles.slot(BootSlot::Ota(0)), Some(partitions[3]));
        assert_eq!((roles.ota_count(), roles.slot(BootSlot::Ota(2))), (3, None));
        let kept: Vec<_> = partitions.iter().map(|p| roles.keeps(p)).collect();
        assert_eq!(kept, [false, true, false, true, true, true]);
        // Sequence 4 of three slots is the first, 2 the second; the third is not there.
        assert_eq!(tried(&partitions, 4), [0x3_0000, 0x1_0000, 0x4_0000]);
        assert_eq!(tried(&partitions, 2), [0x4_0000, 0x3_0000, 0x1_0000]);
        assert_eq!(tried(&partitions, 3), [0x4_0000, 0x3_0000, 0x1_0000]);
    }

    #[test]
    fn the_test_app_is_tried_last() {
        let test = app(subtype::TEST, 0x2_0000);
        assert_eq!(tried(&[test, app(subtype::OTA_0, 0x3_0000)], 1), [0x3_0000, 0x2_0000]);
        assert_eq!(tried(&[test], 1), [0x2_0000]);
        assert!(!BootRoles::of([otadata(0xd000)].into_iter()).keeps(&test));
    }
}
