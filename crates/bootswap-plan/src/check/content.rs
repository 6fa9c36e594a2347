//! Checks that an artifact is what its role requires.

use flash_region::SECTOR_BYTES;
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::TrailerState;

use super::Checks;
use crate::carrier::CARRIER;
use crate::commit_way::CommitWay;
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
        let is_hosted = self.migration.commit == CommitWay::Hosted;
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
            (Role::Bootloader, Content::Carrier(carrier), ..) if is_hosted => {
                self.carrier(artifact, &carrier);
                self.reaches_map(artifact, carrier.settings.readable_flash_size().bytes());
            }
            (Role::Bootloader, ..) if is_hosted => {
                self.refuse(Reason::WrongContent {
                    artifact: name(artifact.name),
                    wanted: CARRIER,
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
                if let Some(header_bytes) = flash_len_bytes {
                    self.reaches_map(artifact, header_bytes);
                }
            }
            (Role::Bootloader, Content::Carrier(_), ..) => {
                self.refuse(Reason::WrongContent {
                    artifact: name(artifact.name),
                    wanted: "a bootloader but a carrier, for [commit] how = \"hosted\"",
                });
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

    /// A bootloader for less flash than its map takes does not read all of it.
    fn reaches_map(&mut self, artifact: &Artifact<'_>, header_bytes: u32) {
        if let Some(map_end) = reach_end(self.migration, self.facts)
            && map_end.get() > header_bytes
        {
            let artifact = name(artifact.name);
            self.refuse(Reason::MapBehindFlash { artifact, header_bytes, map_end });
        }
    }
}
