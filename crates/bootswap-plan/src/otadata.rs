//! Which app a bootloader starts that goes by the partition table, and what makes it start another.

use esp_idf_format::partition::Partition;
use flash_region::{FlashAddr, Region};

use crate::facts::{DeviceFacts, roles};
use crate::migration::{Artifact, Content, Migration, Role};
use crate::step::{App, Step};

/// The application of a migration that a bootloader which goes by the partition table can start,
/// and its partition: the migrator selects it where it is started once more when all is done.
#[must_use]
pub fn successor<'m>(
    migration: &Migration<'m>,
    partitions: &[Partition],
) -> Option<(&'m Artifact<'m>, Region)> {
    let apps = migration.artifacts.iter().filter(|artifact| artifact.role == Role::Application);
    apps.into_iter().find_map(|app| {
        let dest = app.dest?;
        let needed_bytes = app.len_bytes.unwrap_or(0);
        let is_image = matches!(app.content, None | Some(Content::EspImage { .. }));
        let has_room = |p: &&Partition| {
            p.is_app() && p.region.start() == dest.start() && p.region.len_bytes() >= needed_bytes
        };
        let partition = partitions.iter().filter(|_| is_image).find(has_room)?;
        Some((app, partition.region))
    })
}

/// Whether the device goes back to the firmware before when all is done, because the migration
/// brings nothing that is started, and no table or otadata that say what is.
#[must_use]
pub fn goes_back(migration: &Migration<'_>, facts: &DeviceFacts<'_>) -> bool {
    migration.goes_back() && !says_what_starts(migration, facts)
}

/// Whether the migration brings a table or otadata of its own. What they say is for those to judge
/// who see the files.
pub(crate) fn says_what_starts(migration: &Migration<'_>, facts: &DeviceFacts<'_>) -> bool {
    // A bootloader's place may reach over them without the image.
    let others = migration.artifacts.iter().filter(|a| a.role != Role::Bootloader);
    let brought = |part: Region| {
        let mut places = others.clone().filter_map(|artifact| artifact.dest);
        places.any(|dest| dest.overlaps(part))
    };
    let otadata = facts.partitions.iter().filter(|p| p.is_otadata()).map(|p| p.region);
    otadata.chain([facts.table()]).any(brought)
}

/// App partitions other than the migrator's that otadata can name, in the order in which the
/// migrator looks for a firmware to go back to: `first`, the previous one, and then the others.
pub fn ways_to_go_back<'f>(
    facts: &DeviceFacts<'f>,
    first: Option<Region>,
) -> impl Iterator<Item = (Region, App)> + use<'f> {
    let facts = *facts;
    let others = facts.partitions.iter().filter(move |p| p.is_app() && p.region != facts.running);
    let others = others.map(|p| p.region).filter(move |region| Some(*region) != facts.previous);
    let all = first.into_iter().chain(facts.previous).chain(others);
    all.filter_map(move |region| Some((region, app_in(&facts, region)?)))
}

/// The end of what a new bootloader has to reach in flash: of MCUboot's map, or of the partition
/// table where that stays and the bootloader goes by it. `None` where nobody knows.
#[must_use]
pub fn reach_end(migration: &Migration<'_>, facts: &DeviceFacts<'_>) -> Option<FlashAddr> {
    if let Some(map) = &migration.mcuboot {
        return Some(map.end());
    }
    let brings_table = migration.artifacts.iter().any(|artifact| {
        artifact.role != Role::Bootloader
            && artifact.dest.is_some_and(|dest| dest.contains(facts.table_addr))
    });
    let goes_by_table = migration.goes_back() || successor(migration, facts.partitions).is_some();
    let ends = facts.partitions.iter().map(|p| p.region.end());
    ends.max().filter(|_| goes_by_table && !brings_table)
}

/// Whether a bootloader that goes by table and otadata of the device, as the migrator leaves them,
/// comes to the app in `partition`: before the migrator, or because that selects it.
pub(crate) fn is_reached(facts: &DeviceFacts<'_>, partition: Region) -> bool {
    let running = app_in(facts, facts.running);
    let roles = roles(facts.partitions);
    let selected = match running {
        Some(App::Ota { index, .. }) if roles.otadata().is_some() => Some(index),
        _ => None,
    };
    let mut tried = roles.tried_from(selected);
    let first = tried.find(|p| p.region == facts.running || p.region == partition);
    let comes_first = first.is_some_and(|p| p.region == partition);
    comes_first || (facts.otadata().is_some() && app_in(facts, partition).is_some())
}

/// The step that makes the old bootloader start the app in `partition` for good; `None` if there is
/// no otadata, or if it needs no entry, as for a factory app that runs already.
pub(crate) fn select(facts: &DeviceFacts<'_>, partition: Region) -> Option<Step> {
    let app = app_in(facts, partition)?;
    let otadata = facts.otadata()?;
    let needed = app != App::Factory || partition != facts.running;
    needed.then_some(Step::Select { otadata, app })
}

/// How otadata selects the app in `partition`; `None` if it cannot.
#[must_use]
pub fn app_in(facts: &DeviceFacts<'_>, partition: Region) -> Option<App> {
    let mut there = facts.partitions.iter().filter(|p| p.is_app() && p.region == partition);
    let roles = roles(facts.partitions);
    let found = there.find(|p| roles.keeps(p))?;
    if found.is_factory() {
        return Some(App::Factory);
    }
    let count = roles.ota_count();
    // The bootloader counts wrong if the slots' numbers have a gap, so slots after a gap are not
    // used.
    let index = found.ota_index().filter(|index| *index < count)?;
    Some(App::Ota { index, count })
}
