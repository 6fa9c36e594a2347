//! Whether MCUboot, as it was built, starts what the plan leaves.

use bootswap_plan::{Content, Role, Strategy};
use flash_region::SECTOR_BYTES;
use mcuboot_format::{DowngradePrevention, SwapKind};

use crate::ledger::Ledger;

impl Ledger<'_> {
    /// Checks what MCUboot checks first: it has room for a limited number of sectors in each area,
    /// compares the sizes of its slots, and may refuse the application as a downgrade.
    pub(crate) fn build(&self) {
        let Some(map) = &self.migration.mcuboot else { return };
        for area in [Some(map.primary), Some(map.secondary), map.scratch].into_iter().flatten() {
            let room = u64::from(map.max_sectors) * u64::from(SECTOR_BYTES);
            assert!(u64::from(area.len_bytes()) <= room, "too many sectors in {area}: {self}");
        }
        let [primary, secondary] =
            [map.primary, map.secondary].map(|slot| i64::from(slot.len_bytes() / SECTOR_BYTES));
        let more_in_primary = match map.swap {
            SwapKind::Scratch | SwapKind::Overwrite => 0..=0,
            SwapKind::Move => 0..=1,
            SwapKind::Offset => -1..=0,
        };
        assert!(more_in_primary.contains(&(primary - secondary)), "slots differ: {self}");
        if self.plan.strategy == Strategy::SecondaryAndSwap {
            self.replaces();
        }
    }

    /// Checks that the application is not older than the image in the primary slot, by those parts
    /// of the version that MCUboot compares. The image there has no security counter.
    fn replaces(&self) {
        let Some(map) = &self.migration.mcuboot else { return };
        let mut apps = self.migration.artifacts.iter().filter(|a| a.role == Role::Application);
        let Some(Content::Mcuboot { version: new, .. }) = apps.next().and_then(|app| app.content)
        else {
            return;
        };
        let overwrites = map.swap == SwapKind::Overwrite;
        // Where the primary slot was not read, an ESP-IDF app is assumed. MCUboot takes its flag
        // for an appended digest for a part of the version, and a load address, which can be any
        // number, for the build number.
        let (is_erased, old, build) = match self.facts.primary {
            Some(rank) => {
                let v = rank.version;
                (rank.is_erased, (v.major, v.minor, v.revision), v.build_num)
            }
            None => (false, (0, 0, 0x100), u32::MAX),
        };
        let is_newer = (new.major, new.minor, new.revision) >= old;
        let holds = match map.downgrade_prevention {
            DowngradePrevention::None => true,
            _ if overwrites && is_erased => true,
            DowngradePrevention::SecurityCounter if !overwrites => true,
            DowngradePrevention::Version | DowngradePrevention::SecurityCounter => is_newer,
            DowngradePrevention::VersionAndBuild => {
                ((new.major, new.minor, new.revision), new.build_num) >= (old, build)
            }
        };
        assert!(holds, "MCUboot erases {new:?}: {self}");
    }
}
