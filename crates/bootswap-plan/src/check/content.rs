//! Checks that an artifact is what its role requires.

use flash_region::SECTOR_BYTES;
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::TrailerState;

use super::Checks;
use crate::image_rules::ImageRules;
use crate::layout::Destination;
use crate::migration::{Artifact, Content, Role};
use crate::otadata::reach_end;
use crate::reason::{Reason, name};

impl Checks<'_> {
    /// Checks what is known about an artifact's contents.
    pub(super) fn content(&mut self, artifact: &Artifact<'_>, destination: &Destination) {
        let Some(content) = artifact.content else { return };
        let map = self.migration.mcuboot.as_ref();
        match (artifact.role, content, destination.slot, map) {
            (
                Role::Application,
                Content::Mcuboot { image_len_bytes, padded, confirmed, signed, version },
                Some(slot),
                Some(map),
            ) => {
                if let Some(limits) = map.limits()
                    && image_len_bytes > limits.max_image_len_bytes
                {
                    let (artifact, room_bytes) = (name(artifact.name), limits.max_image_len_bytes);
                    self.refuse(Reason::ReachesTrailer { artifact, image_len_bytes, room_bytes });
                }
                if map.swap == SwapKind::Scratch
                    && slot == map.secondary
                    && let Some(trailer) = map.trailer_area(slot)
                {
                    let sector = trailer.start().align_down(SECTOR_BYTES);
                    let room_bytes = sector.bytes_since(slot.start());
                    if image_len_bytes > room_bytes {
                        let artifact = name(artifact.name);
                        self.refuse(Reason::SharesTrailerSector {
                            artifact,
                            image_len_bytes,
                            room_bytes,
                        });
                    }
                }
                let rules = ImageRules::new(map, slot, &self.migration.allow, self.facts.primary);
                if let Err(over) = rules.check_version(version) {
                    let artifact = name(artifact.name);
                    let primary = map.primary;
                    self.refuse(Reason::Downgrade { artifact, version, over, primary });
                }
                // The trailer after the steps are done.
                let trailer = match (artifact.confirm, padded, confirmed) {
                    (true, ..) | (_, true, true) => TrailerState::CONFIRMED,
                    (false, true, false) => TrailerState::PENDING,
                    (false, false, _) => TrailerState::UNSET,
                };
                if !rules.accepts(trailer) {
                    self.refuse(Reason::NotConfirmed { artifact: name(artifact.name) });
                }
                if rules.needs_signature && !signed {
                    self.refuse(Reason::NotSigned { artifact: name(artifact.name) });
                }
            }
            (Role::Application, _, Some(_), Some(_)) => {
                self.refuse(Reason::WrongContent {
                    artifact: name(artifact.name),
                    wanted: "an MCUboot image",
                });
            }
            (Role::Bootloader, Content::EspImage { chip_id, flash_len_bytes, .. }, ..) => {
                let found = self.facts.chip;
                if chip_id != found.image_chip_id() {
                    self.refuse(Reason::WrongImageChip {
                        artifact: name(artifact.name),
                        chip_id,
                        found,
                    });
                }
                if let Some(wanted_bytes) = flash_len_bytes
                    && wanted_bytes > self.facts.flash().len_bytes()
                {
                    let found_bytes = self.facts.flash().len_bytes();
                    self.refuse(Reason::FlashTooSmall { wanted_bytes, found_bytes });
                }
                if let (Some(header_bytes), Some(map_end)) =
                    (flash_len_bytes, reach_end(self.migration, self.facts))
                    && map_end.get() > header_bytes
                {
                    let artifact = name(artifact.name);
                    self.refuse(Reason::MapBehindFlash { artifact, header_bytes, map_end });
                }
            }
            (Role::Bootloader, ..) => {
                self.refuse(Reason::WrongContent {
                    artifact: name(artifact.name),
                    wanted: "an ESP image",
                });
            }
            _ => {}
        }
    }
}
