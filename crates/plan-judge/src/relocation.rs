//! Moving the migrator, and what the old bootloader starts.

use bootswap_plan::{App, Step};
use flash_region::Region;

use crate::ledger::Ledger;
use crate::moved_to;

impl Ledger<'_> {
    /// Checks a move: select the running migrator, copy it, select the copy, reset.
    pub(crate) fn relocation(&mut self) {
        let (facts, plan) = (self.facts, self.plan);
        let to = moved_to(facts, plan);
        assert_ne!(to, facts.running);
        let mut steps = plan.steps.iter().peekable();
        if let Some(Step::Select { otadata, app }) = steps.peek() {
            self.selects(*otadata, *app, facts.running);
            steps.next();
        }
        let Some(Step::CopySelf { from, to: place }) = steps.next() else { panic!("{self}") };
        let image = facts.running.prefix(facts.running_len_bytes);
        assert!(from.contains_region(image) && facts.running.contains_region(image));
        assert!(to.contains_region(place.region) && place.region.len_bytes() >= from.len_bytes());
        assert!(place.erasable.contains_region(place.region));
        self.change(None, place.erasable, "the copy");
        let Some(Step::Select { otadata, app }) = steps.next() else { panic!("{self}") };
        self.selects(*otadata, *app, to);
        assert_eq!(steps.next(), Some(&Step::ResetIntoCopy));
        assert_eq!(steps.next(), None);
    }

    /// Checks that the old bootloader finds the selected app in this partition.
    pub(crate) fn selects(&self, otadata: Region, app: App, partition: Region) {
        let partitions = self.facts.partitions;
        assert!(partitions.iter().any(|p| p.is_otadata() && p.region == otadata));
        let selected = match app {
            App::Factory => partitions.iter().find(|p| p.is_factory()),
            App::Ota { index, count } => {
                let slots = partitions.iter().filter(|p| p.ota_index().is_some()).count();
                assert_eq!(usize::from(count), slots);
                assert!(index < count, "the bootloader never selects this slot");
                partitions.iter().find(|p| p.ota_index() == Some(index))
            }
        };
        assert_eq!(selected.map(|p| p.region), Some(partition), "{self}");
    }
}
