//! An artifact on its way, as the steps work with it.

use bootswap_plan::{Artifact, ArtifactIndex, Place, Route, Target};
use flash_region::{FlashAddr, Region};

use crate::scan::Rules;
use crate::{Failure, ImageFault, routes};

/// An artifact and its places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<'j> {
    /// Its place in the migration.
    pub index: ArtifactIndex,
    pub artifact: &'j Artifact<'j>,
    /// Where its bytes are, or are to be, in the order of the file.
    pub routes: &'j [Route],
}

/// An artifact, its places, and the rules that its bytes have to meet there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'j> {
    pub placed: Placed<'j>,
    pub rules: Rules<'j>,
}

impl Placed<'_> {
    /// The artifact's number in the journal.
    pub(crate) fn number(&self) -> u8 {
        self.index.0
    }

    /// The place among the routes that is an MCUboot slot, or stages for one.
    pub(crate) fn slot_place(&self) -> Option<Place> {
        routes::slot_place(self.routes)
    }

    /// The slot of that place.
    pub(crate) fn slot(&self) -> Option<Region> {
        self.slot_place().and_then(|place| place.slot)
    }

    /// The failure that something is wrong with the artifact.
    pub(crate) fn failure<E>(&self, fault: ImageFault) -> Failure<E> {
        Failure::Image { artifact: self.index, fault }
    }

    /// What is wrong with a file that is longer than its places.
    pub(crate) fn too_long(&self) -> ImageFault {
        ImageFault::TooLong { room_bytes: routes::room_bytes(self.routes) }
    }
}

impl<'j> Item<'j> {
    /// What is wrong with a file that is longer than its places.
    pub(crate) fn too_long(&self) -> ImageFault {
        ImageFault::TooLong { room_bytes: self.rules.room_bytes }
    }

    /// The artifact's name.
    pub(crate) fn name(&self) -> &'j str {
        self.placed.artifact.name
    }

    /// The place of a byte of the file, and its address there; in memory that is an offset.
    pub(crate) fn place_of(&self, offset: u32) -> Option<(Target, FlashAddr)> {
        routes::place_of(self.placed.routes, offset)
    }
}
