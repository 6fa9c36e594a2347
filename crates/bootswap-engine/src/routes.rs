//! Where a plan writes the bytes of an artifact.

use bootswap_plan::{Place, Route, Target};
use flash_region::FlashAddr;

/// The place of a byte of the file, and its address there; in memory, the address is an offset.
pub(crate) fn place_of(routes: &[Route], offset: u32) -> Option<(Target, FlashAddr)> {
    let route = routes.iter().rev().find(|route| route.file_offset <= offset)?;
    let within = offset - route.file_offset;
    let start = match route.to {
        Target::Flash(place) => place.start(),
        Target::Memory { .. } => FlashAddr::ZERO,
    };
    (within < route.to.len_bytes()).then(|| (route.to, start.saturating_add(within)))
}

/// The place among the routes that is an MCUboot slot, or that stages for one.
pub(crate) fn slot_place(routes: &[Route]) -> Option<Place> {
    routes.iter().find_map(|route| match route.to {
        Target::Flash(place) => place.slot.map(|_| place),
        Target::Memory { .. } => None,
    })
}

/// Most bytes of a file that fit into the places.
pub(crate) fn room_bytes(routes: &[Route]) -> u32 {
    let ends = routes.iter().map(|route| route.file_offset.saturating_add(route.to.len_bytes()));
    ends.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use bootswap_plan::Purpose;

    use super::*;
    use crate::tests::kit::at;

    #[test]
    fn bytes_find_their_place() {
        let flash = |start, len| {
            Target::Flash(Place::plain(at(start, len), at(start, len), Purpose::Staging))
        };
        let routes = [
            Route { file_offset: 0, to: Target::Memory { len_bytes: 0x2000 } },
            Route { file_offset: 0x2000, to: flash(0x5_0000, 0x3000) },
        ];
        let addr = |offset| place_of(&routes, offset).map(|(_, addr)| addr.get());
        assert_eq!(addr(0), Some(0));
        assert_eq!(addr(0x1fff), Some(0x1fff));
        assert_eq!(addr(0x2000), Some(0x5_0000));
        assert_eq!(addr(0x4fff), Some(0x5_2fff));
        assert_eq!(addr(0x5000), None);
        assert_eq!(place_of(&[], 0), None);
        assert_eq!((room_bytes(&routes), room_bytes(&[])), (0x5000, 0));
    }
}
