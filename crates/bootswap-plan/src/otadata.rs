//! Which app the old bootloader starts, and the step that makes it start another.

use flash_region::Region;

use crate::facts::{DeviceFacts, roles};
use crate::step::{App, Step};

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
