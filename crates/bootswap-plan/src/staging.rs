//! Where an artifact is staged until it is verified, and where the journal is.
//!
//! Regions are tried from the one that costs the owner least to the one that costs most:
//!
//! 1. flash that belongs to no partition;
//! 2. app partitions that are neither running, nor the previous firmware, nor part of the map;
//! 3. the scratch area, whose contents MCUboot ignores except at its very end;
//! 4. the previous firmware's partition;
//! 5. the part of its own slot that the application leaves free, between its end and the trailer.
//!
//! Nothing above 16 MB is used ([`DeviceFacts::reachable`]).
//!
//! Data partitions are never used, unless the migration names one by its label; NVS and otadata not
//! even then.

use flash_region::{BLOCK_32K_BYTES, BLOCK_64K_BYTES, Region, SECTOR_BYTES};
use heapless::Vec;

use crate::facts::DeviceFacts;
use crate::layout::{Destination, MAX_ARTIFACTS, Occupied, critical, whole};
use crate::migration::Migration;
use crate::step::{Place, Purpose};

/// Everything that the choice of a staging region depends on.
pub(crate) struct Space<'a> {
    pub migration: &'a Migration<'a>,
    pub facts: &'a DeviceFacts<'a>,
    pub destinations: &'a Vec<Destination, MAX_ARTIFACTS>,
    /// Parts of its slot that the application leaves free, in whole sectors.
    pub slack: Option<Region>,
    /// Regions assigned before.
    pub taken: &'a [Region],
}

/// How far down the list the search goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Unclaimed,
    SpareApp,
    Scratch,
    Previous,
    Slack,
}

impl Space<'_> {
    /// The cheapest region with room for `len_bytes`, or the size of the largest free one.
    ///
    /// `fit` cuts the region out of a gap, which consists of whole sectors.
    pub(crate) fn find(
        &self,
        len_bytes: u32,
        fit: impl Fn(Region, u32) -> Option<Place>,
    ) -> Result<Place, u32> {
        let mut largest_bytes = 0;
        for rank in [Rank::Unclaimed, Rank::SpareApp, Rank::Scratch, Rank::Previous, Rank::Slack] {
            let occupied = self.occupied(rank);
            for gap in self.gaps(&occupied, rank) {
                let gap = gap.align_in(SECTOR_BYTES);
                largest_bytes = largest_bytes.max(gap.len_bytes());
                if let Some(place) = fit(gap, len_bytes) {
                    return Ok(place);
                }
            }
        }
        Err(largest_bytes)
    }

    /// The gaps that are considered at this rank.
    fn gaps<'o>(
        &self,
        occupied: &'o Occupied,
        rank: Rank,
    ) -> impl Iterator<Item = Region> + use<'o> {
        let reachable = self.facts.reachable();
        let bounds = match (rank, self.slack) {
            (Rank::Slack, Some(slack)) => slack.intersection(reachable).unwrap_or_default(),
            (Rank::Slack, None) => Region::default(),
            _ => reachable.from(self.facts.first_use()),
        };
        occupied.gaps(bounds)
    }

    /// What must not be used at this rank.
    fn occupied(&self, rank: Rank) -> Occupied {
        let mut occupied = Occupied::default();
        occupied.add(self.facts.bootloader_area());
        occupied.add(self.facts.table());
        occupied.add(self.facts.running);
        self.taken.iter().for_each(|&region| occupied.add(region));
        if rank == Rank::Slack {
            // The slot may be over what the device needs up to the commit.
            critical(self.facts).for_each(|part| occupied.add(part));
            return occupied;
        }
        self.destinations.iter().for_each(|d| occupied.add(d.region));
        for partition in self.facts.partitions {
            // Where the table contradicts itself, it is not known what is free. One of the apps is
            // the one that is started when everything is done.
            let spare = partition.is_app()
                && rank > Rank::Unclaimed
                && !self.migration.goes_back()
                && !self.facts.is_doubtful(partition);
            if !spare {
                occupied.add(partition.region);
            }
        }
        if let Some(map) = &self.migration.mcuboot {
            occupied.add(map.primary);
            occupied.add(map.secondary);
            if let Some(scratch) = map.scratch {
                // Its end is not used: a stale magic there crashes MCUboot.
                let used =
                    if rank >= Rank::Scratch { scratch.suffix(SECTOR_BYTES) } else { scratch };
                occupied.add(used);
            }
        }
        if rank < Rank::Previous
            && let Some(previous) = self.facts.previous
        {
            occupied.add(previous);
        }
        occupied
    }

    /// Whether something that must remain, or will be written, overlaps `region`; returns what, and
    /// where.
    pub(crate) fn conflict(&self, region: Region) -> Option<(&'static str, Region)> {
        let running =
            self.facts.running.intersection(region).map(|shared| ("the running migrator", shared));
        running
            .or_else(|| {
                let table = self.facts.table();
                table.intersection(region).map(|shared| ("the partition table", shared))
            })
            .or_else(|| {
                // Both are the way back: the old firmware needs them to start, and to reach its
                // owner.
                let needed = self.facts.partitions.iter().filter_map(|p| match p {
                    p if p.is_otadata() => Some(("otadata", whole(p))),
                    p if p.is_nvs() => Some(("NVS", whole(p))),
                    _ => None,
                });
                let mut shared =
                    needed.filter_map(|(what, kept)| Some((what, kept.intersection(region)?)));
                shared.next()
            })
            .or_else(|| {
                let mut shared =
                    self.destinations.iter().filter_map(|d| d.region.intersection(region));
                shared.next().map(|shared| ("a destination", shared))
            })
    }
}

/// The first region in `gap` for `len_bytes`, at a boundary at which the largest erase can be used.
pub(crate) fn fit(gap: Region, len_bytes: u32) -> Option<Place> {
    let len_bytes = len_bytes.max(1);
    [BLOCK_64K_BYTES, BLOCK_32K_BYTES, SECTOR_BYTES].into_iter().find_map(|unit_bytes| {
        // Whole erase blocks first, so that one erase clears the region.
        let aligned = gap.align_in(unit_bytes);
        let block_bytes =
            if len_bytes > BLOCK_32K_BYTES { unit_bytes } else { unit_bytes.min(BLOCK_32K_BYTES) };
        let needed_bytes = len_bytes.checked_next_multiple_of(block_bytes)?;
        if aligned.len_bytes() < needed_bytes {
            return None;
        }
        let erasable = aligned.prefix(needed_bytes);
        Some(Place::plain(erasable.prefix(len_bytes), erasable, Purpose::Staging))
    })
}
