//! What MCUboot will find in its primary slot.

use bootswap_plan::{DeviceFacts, ESP_IDF_APP, Role, primary_rank};
use mcuboot_format::{DowngradePrevention, ImageVersion};

use super::dump::bytes;
use crate::bootloader::Assumption;
use crate::owned::OwnedMigration;

/// Adds to the facts what a dump has in the primary slot.
///
/// By then, the migrator may be there, which is an ESP-IDF app, whatever was there before.
pub(crate) fn with_primary<'a>(
    migration: &OwnedMigration,
    facts: DeviceFacts<'a>,
    dump: Option<&[u8]>,
) -> DeviceFacts<'a> {
    let primary = || {
        let slot = migration.mcuboot.as_ref()?.primary;
        if facts.running.start() == slot.start() {
            return Some(ESP_IDF_APP);
        }
        bytes(dump?, slot).first_chunk().map(primary_rank)
    };
    DeviceFacts { primary: primary(), ..facts }
}

/// What is assumed about the primary slot, if it matters: MCUboot compares versions, and the slot's
/// contents are not known.
pub(super) fn assumption(
    migration: &OwnedMigration,
    facts: &DeviceFacts<'_>,
) -> Option<Assumption> {
    let map = migration.mcuboot.as_ref()?;
    let compares = map.downgrade_prevention != DowngradePrevention::None;
    let has_app = migration.artifacts.iter().any(|artifact| artifact.role == Role::Application);
    if !compares || !has_app || facts.primary.is_some() {
        return None;
    }
    let version = ImageVersion { build_num: 0, ..ESP_IDF_APP.version };
    Some(Assumption {
        key: "mcuboot.downgrade_prevention",
        value: Some(version.to_string()),
        message: format!(
            "the primary slot is assumed to contain an ESP-IDF app, which MCUboot reads as \
            version {version}; an erased slot reads as 255.255.65535; name a dump with --flash to \
            know it"
        ),
    })
}
