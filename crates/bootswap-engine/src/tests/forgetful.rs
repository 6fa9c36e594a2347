//! Flash that loses a byte after it was verified, and before the commit.

use bootswap_plan::{Step, Target};
use flash_region::{FlashAddr, Region};
use nor_sim::{Driver, EraseUnit, NorDevice, NorError, NorMemory, Power};

use super::kit::*;
use crate::{Failure, ImageFault};

/// A flash in which a byte changes when another region is programmed for the first time.
struct Forgetful {
    inner: NorMemory,
    when: Region,
    at: Option<FlashAddr>,
}

impl NorDevice for Forgetful {
    fn capacity_bytes(&self) -> u32 {
        self.inner.capacity_bytes()
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        self.inner.read(addr, out)
    }

    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
        if self.when.contains(addr)
            && let Some(at) = self.at.take()
        {
            let mut byte = [0];
            self.inner.read(at, &mut byte)?;
            self.inner.load(at, &[!byte[0]]);
        }
        self.inner.program_page(addr, bytes)
    }

    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
        self.inner.erase(unit, addr)
    }

    fn tear_program(&mut self, addr: FlashAddr, bytes: &[u8], seed: u64) -> Result<(), NorError> {
        self.inner.tear_program(addr, bytes, seed)
    }

    fn tear_erase(&mut self, unit: EraseUnit, addr: FlashAddr, seed: u64) -> Result<(), NorError> {
        self.inner.tear_erase(unit, addr, seed)
    }
}

/// The application was read back when it had come. While the bootloader comes, a bit of it flips.
#[test]
fn what_changed_since_it_was_fetched_is_found_before_the_commit() {
    let scene = Scene::example();
    let staged = scene.with_job(|job| {
        job.plan.steps.iter().find_map(|step| match step {
            Step::Commit { from: Target::Flash(place), .. } => Some(place.region),
            _ => None,
        })
    });
    let when = staged.unwrap();
    for offset in [0, 40, 9000, 20_000] {
        let at = Some(SECONDARY.start().saturating_add(offset));
        let device = Forgetful { inner: scene.flash.clone(), when, at };
        let mut flash = Driver::with_alignment(device);
        let mut log = Log::default();
        let ended = scene.run_with(&mut flash, &mut scene.server(), &mut log, &Power::new());
        let Some(Err(Failure::Image { artifact, fault })) = ended else { panic!("{ended:?}") };
        assert_eq!(artifact, "app", "{offset}: {fault}");
        assert!(!matches!(fault, ImageFault::Trailer), "{offset}: {fault}");
        let device = flash.into_device();
        assert!(device.at.is_none(), "nothing was staged");
        assert!(device.inner.bytes(BOOT) == scene.flash.bytes(BOOT), "{offset}");
    }
}
