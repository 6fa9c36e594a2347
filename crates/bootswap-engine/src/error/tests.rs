use std::string::ToString;

use super::*;
use crate::tests::kit::{Scene, at};

/// One of each kind, in the order of their numbers.
fn all() -> [Failure<u8, &'static str>; 12] {
    let region = at(0x1000, 0x1000);
    let fault = StepFault::NotFetched;
    [
        FlashFailure { op: FlashOp::Erase, region, cause: 7 }.into(),
        Failure::Stuck { sector: FlashAddr(0x1000) },
        Failure::Source { artifact: "app", cause: SourceError::Dns },
        Failure::Image { artifact: "app", fault: ImageFault::Empty },
        Failure::InUse { region },
        Failure::Unclean { region },
        PlanError::Step { index: 2, fault }.into(),
        Failure::Veto(Veto::NotReady { code: 3 }),
        Failure::GivenUp { attempts: 8 },
        Failure::Commit { at: FlashAddr(0x1000) },
        Failure::Key,
        Failure::Otadata { region },
    ]
}

#[test]
fn numbers_stay() {
    for (failure, number) in all().into_iter().zip(1..) {
        assert_eq!(failure.number(), number, "{failure}");
        assert_eq!(failure.may_reset(), number != 10, "{failure}");
    }
}

#[test]
fn messages_name_what_the_owner_knows() {
    let says = [
        "erasing flash at 0x1000..0x2000 failed: 7",
        "the sector at 0x1000 cannot be written correctly",
        "app could not be fetched: the host's name could not be resolved",
        "app is not usable: the file is empty",
        "0x1000..0x2000 is in use",
        "0x1000..0x2000 holds old bytes that would stop MCUboot",
        "the plan cannot be carried out: step 3: its artifact is not fetched",
        "the commit did not start: the board is not ready (3)",
        "given up after 8 attempts",
        "the bootloader cannot be written correctly at 0x1000; do not reset",
        "the bootloader's public key",
        "otadata at 0x1000..0x2000 cannot select the app",
    ];
    for (failure, says) in all().into_iter().zip(says) {
        assert!(failure.to_string().starts_with(says), "{failure}");
    }
}

#[test]
fn an_index_becomes_the_name_of_the_artifact() {
    Scene::example().with_job(|job| {
        let (artifact, fault) = (ArtifactIndex(1), ImageFault::Empty);
        let failure: Failure<u8> = Failure::Image { artifact, fault };
        let named = Failure::Image { artifact: "bootloader", fault };
        assert_eq!(failure.named(job.migration.artifacts), named);
    });
}
