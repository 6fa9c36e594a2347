//! An artifact with what the steps need to handle it.

use bootswap_plan::{Artifact, ArtifactIndex, Place, Route, Target};
use flash_region::{FlashAddr, Region};

use crate::scan::Rules;
use crate::{Failure, ImageFault, routes};

/// An artifact and its regions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<'j> {
    /// Its index in the migration.
    pub index: ArtifactIndex,
    pub artifact: &'j Artifact<'j>,
    /// Where its bytes are, or will be, in the order of the file.
    pub routes: &'j [Route],
}

/// An artifact, its regions, and the rules that its bytes must follow there.
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

    /// The place among the routes that is an MCUboot slot, or that stages for one.
    pub(crate) fn slot_place(&self) -> Option<Place> {
        routes::slot_place(self.routes)
    }

    /// The slot of that place.
    pub(crate) fn slot(&self) -> Option<Region> {
        self.slot_place().and_then(|place| place.slot)
    }

    /// The failure for a fault of the artifact.
    pub(crate) fn failure<E>(&self, fault: ImageFault) -> Failure<E> {
        Failure::Image { artifact: self.index, fault }
    }

    /// The fault of a file that is longer than its regions.
    pub(crate) fn too_long(&self) -> ImageFault {
        ImageFault::TooLong { room_bytes: routes::room_bytes(self.routes) }
    }
}

impl<'j> Item<'j> {
    /// The fault of a file that is longer than its regions.
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
