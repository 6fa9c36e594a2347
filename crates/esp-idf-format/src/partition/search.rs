//! Looks for a partition table that a project has moved.
//!
//! ```text
//!   0x0 or 0x1000                                               first app
//!   | bootloader image |   sector   |   sector   | .. | table | nvs | ..
//!                      '---------- places to look at ---------'
//! ```
//!
//! `CONFIG_PARTITION_TABLE_OFFSET` is compiled into the second-stage bootloader as part of an
//! instruction, so it cannot be read from there. Instead the search finds a table that this
//! bootloader may read: it lies after the bootloader's image, is valid, lies before all partitions
//! that it lists (`gen_esp32part.py` refuses anything else), and an app begins where it lists one.

use flash_region::{FlashAddr, SECTOR_BYTES};

use super::{Partition, PartitionTable, PartitionType, TABLE_ADDR, subtype};

/// Where the search ends. No project is known that has its table after 0x20000.
const END: FlashAddr = FlashAddr(0x10_0000);

/// Looks for the table at one address after the other.
#[derive(Clone, Copy, Default, Debug)]
pub struct TableSearch {
    first: Option<FlashAddr>,
    second: Option<FlashAddr>,
}

/// Why the table was not found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TableNotFound {
    /// No place has one.
    Nowhere,
    /// Several places have one, and nothing shows which of them the bootloader reads.
    Several {
        /// The first place.
        first: FlashAddr,
        /// The second.
        second: FlashAddr,
    },
}

impl TableSearch {
    /// A search that has not looked anywhere.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: None, second: None }
    }

    /// The places to look at, if the bootloader's image ends at `bootloader_end`.
    pub fn places(bootloader_end: FlashAddr) -> impl Iterator<Item = FlashAddr> {
        let first = bootloader_end.align_up(SECTOR_BYTES).unwrap_or(END);
        (first.get()..END.get()).step_by(SECTOR_BYTES as usize).map(FlashAddr)
    }

    /// Looks at a place. `bytes` are those from there on, at least as many as a table has; `is_app`
    /// says whether an app begins at an address.
    pub fn look(&mut self, place: FlashAddr, bytes: &[u8], is_app: impl Fn(FlashAddr) -> bool) {
        let Ok(table) = PartitionTable::parse_as_bootloader(bytes) else { return };
        if !is_read_from(&table, place, is_app) {
            return;
        }
        match self.first {
            None => self.first = Some(place),
            Some(_) => self.second = self.second.or(Some(place)),
        }
    }

    /// Where the table is.
    ///
    /// # Errors
    ///
    /// [`TableNotFound`].
    pub const fn found(&self) -> Result<FlashAddr, TableNotFound> {
        match (self.first, self.second) {
            (Some(first), Some(second)) => Err(TableNotFound::Several { first, second }),
            (Some(first), None) => Ok(first),
            (None, _) => Err(TableNotFound::Nowhere),
        }
    }
}

/// Whether the table can be one that a bootloader reads from `place`.
fn is_read_from(
    table: &PartitionTable<'_>,
    place: FlashAddr,
    is_app: impl Fn(FlashAddr) -> bool,
) -> bool {
    let names_itself =
        |p: &Partition| p.kind == PartitionType::PARTITION_TABLE && p.subtype == subtype::PRIMARY;
    let end = place.saturating_add(SECTOR_BYTES);
    // At the usual place the rule does not hold: the bootloader does not check it.
    let is_before_all = || {
        let mut others = table.iter().filter(|p| !p.is_boot_area());
        place == TABLE_ADDR || others.all(|p| p.region.start() >= end)
    };
    table.iter().any(|p| p.is_app() && is_app(p.region.start()))
        && table.iter().filter(names_itself).all(|p| p.region.start() == place)
        && is_before_all()
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::partition::{Label, TABLE_LEN_BYTES, emit};
    use flash_region::Region;

    fn partition(label: &str, kind: PartitionType, subtype: u8, start: u32) -> Partition {
        let (label, region) =
            (Label::new(label).unwrap(), Region::clamped(FlashAddr(start), 0x1000));
        Partition { label, kind, subtype, region, flags: 0 }
    }

    /// A table of NVS and an app, with another entry.
    fn table(more: Option<Partition>) -> Vec<u8> {
        let mut entries = vec![
            partition("nvs", PartitionType::Data, subtype::NVS, 0x1_1000),
            partition("app", PartitionType::App, subtype::FACTORY, 0x2_0000),
        ];
        entries.extend(more);
        let mut bytes = vec![0; TABLE_LEN_BYTES as usize];
        emit(&entries, &mut bytes).unwrap();
        bytes
    }

    fn search(places: &[(u32, &[u8])], app: u32) -> Result<FlashAddr, TableNotFound> {
        let mut search = TableSearch::new();
        for (place, bytes) in places {
            search.look(FlashAddr(*place), bytes, |addr| addr == FlashAddr(app));
        }
        search.found()
    }

    #[test]
    fn places_are_the_sectors_behind_the_bootloader() {
        let mut places = TableSearch::places(FlashAddr(0x5abc));
        assert_eq!(places.next(), Some(FlashAddr(0x6000)));
        assert_eq!(places.last(), Some(FlashAddr(0xf_f000)));
        assert_eq!(TableSearch::places(FlashAddr(0x6000)).next(), Some(FlashAddr(0x6000)));
        assert_eq!(TableSearch::places(FlashAddr(u32::MAX)).next(), None);
    }

    #[test]
    fn a_table_is_where_everything_in_it_lies_behind() {
        let bytes = table(None);
        for place in [0x8000, 0xc000, 0x1_0000] {
            assert_eq!(search(&[(place, &bytes)], 0x2_0000), Ok(FlashAddr(place)), "{place:#x}");
        }
        // A copy, as firmware that changes tables carries it, and rubbish.
        for place in [0x1_1000, 0x2_0000] {
            assert_eq!(search(&[(place, &bytes)], 0x2_0000), Err(TableNotFound::Nowhere));
        }
        assert_eq!(search(&[(0xc000, &[0xff; 0xc00])], 0x2_0000), Err(TableNotFound::Nowhere));
        assert_eq!(search(&[(0xc000, &bytes[..0x40])], 0x2_0000), Err(TableNotFound::Nowhere));
    }

    #[test]
    fn a_table_lists_the_app_that_is_there() {
        assert_eq!(search(&[(0xc000, &table(None))], 0x3_0000), Err(TableNotFound::Nowhere));
    }

    #[test]
    fn a_table_that_names_its_own_place_is_nowhere_else() {
        let primary = partition("pt", PartitionType::PARTITION_TABLE, subtype::PRIMARY, 0x1_0000);
        let bytes = table(Some(primary));
        assert_eq!(search(&[(0x1_0000, &bytes)], 0x2_0000), Ok(FlashAddr(0x1_0000)));
        assert_eq!(search(&[(0x8000, &bytes)], 0x2_0000), Err(TableNotFound::Nowhere));
    }

    #[test]
    fn of_two_tables_none_is_taken() {
        let bytes = table(None);
        let (first, second) = (FlashAddr(0x8000), FlashAddr(0x1_0000));
        assert_eq!(
            search(&[(0x8000, &bytes), (0xc000, &[0]), (0x1_0000, &bytes)], 0x2_0000),
            Err(TableNotFound::Several { first, second })
        );
    }
}
