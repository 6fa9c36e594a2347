//! What devices would refuse about the files, found before a device has fetched any.

use std::convert::Infallible;

use bootswap_engine::{Failure, ImageFault, Job, examine, examine_files};
use bootswap_plan::{DeviceFacts, Migration, Reason, Reasons, name};
use esp_idf_format::Chip;

use super::report::ReasonReport;
use super::stage::{PlanStage, stages};
use crate::owned::OwnedMigration;

/// The plans of a migration, if the planner has no reason against it, and the engine accepts the
/// files that are known.
///
/// # Errors
///
/// All reasons of the planner, or the first of the engine.
pub fn judged<'a>(
    migration: &OwnedMigration,
    facts: DeviceFacts<'a>,
) -> Result<Vec<PlanStage<'a>>, Vec<ReasonReport>> {
    migration.with(|lent| {
        let found = stages(lent, facts);
        let stages = found.map_err(|reasons| reports(&reasons))?;
        for PlanStage { facts, plan } in &stages {
            let job = Job { migration: lent, facts, plan, container: None };
            examine(&job, &files(migration)).map_err(|failure| vec![report(&failure, facts)])?;
        }
        match no_radio(migration, facts.chip) {
            Some(reason) => Err(vec![ReasonReport::from(&reason)]),
            None => Ok(stages),
        }
    })
}

/// What can be checked with the files alone, if nothing is known about the devices.
///
/// # Errors
///
/// The first reason against them.
pub fn judged_alone(migration: &OwnedMigration) -> Result<(), ReasonReport> {
    migration.with(|lent| {
        let facts = any_device(lent);
        let examined = examine_files(lent, &facts, &files(migration));
        examined.map_err(|failure| report(&failure, &facts))
    })
}

/// A device that has everything that the migration needs.
fn any_device(migration: &Migration<'_>) -> DeviceFacts<'static> {
    DeviceFacts::new(migration.chip, u32::MAX, &[], Default::default(), 0)
}

fn files(migration: &OwnedMigration) -> Vec<Option<&[u8]>> {
    migration.artifacts.iter().map(|artifact| artifact.bytes.as_deref()).collect()
}

/// An artifact that a chip without a radio can neither fetch nor contain.
fn no_radio(migration: &OwnedMigration, chip: Chip) -> Option<Reason> {
    let mut artifacts = migration.artifacts.iter();
    let lost = artifacts.find(|artifact| artifact.bytes.is_none())?;
    (!chip.has_wifi()).then(|| Reason::NoRadio { artifact: name(&lost.name), chip })
}

/// The planner's reasons, for scripts.
pub(crate) fn reports(reasons: &Reasons) -> Vec<ReasonReport> {
    reasons.iter().map(ReasonReport::from).collect()
}

fn report(failure: &Failure<Infallible, &str>, facts: &DeviceFacts<'_>) -> ReasonReport {
    let (reason, detail) = match failure {
        Failure::Image { artifact, fault } => reason(artifact, fault, facts),
        Failure::Key => (Reason::PublicKey, None),
        // The planner makes no plan that the engine cannot carry out.
        other => return ReasonReport { code: "plan", message: other.to_string() },
    };
    let ReasonReport { code, message } = ReasonReport::from(&reason);
    let message = match detail {
        Some(detail) => format!("{message} ({detail})"),
        None => message,
    };
    ReasonReport { code, message }
}

/// The reason for a fault, with the details that the fault itself does not have.
fn reason(file: &str, fault: &ImageFault, facts: &DeviceFacts<'_>) -> (Reason, Option<String>) {
    let artifact = name(file);
    let wrong = |wanted| Reason::WrongContent { artifact: artifact.clone(), wanted };
    let reason = match *fault {
        ImageFault::Load(fault) => Reason::LoadHeader { artifact, fault },
        ImageFault::Trailer => Reason::BadTrailer { artifact },
        ImageFault::Padding { offset, .. } => Reason::Padding { artifact, offset },
        ImageFault::FlashMode => Reason::FlashMode { artifact },
        ImageFault::Table(fault) => Reason::BadTable { artifact, fault },
        ImageFault::NoSlot { start, needed_bytes } => {
            Reason::NoSlot { artifact, start, needed_bytes }
        }
        ImageFault::NoPartition { start, needed_bytes } => {
            Reason::NoSlot { artifact: name(THE_TABLE), start, needed_bytes }
        }
        ImageFault::StartsOther { start } => Reason::StartsOther { artifact, start },
        ImageFault::OtadataMoves { otadata } => Reason::OtadataMoves { artifact, otadata },
        ImageFault::NoApp { .. } => return (wrong("an ESP-IDF app"), detail(fault)),
        ImageFault::Empty => Reason::Empty { artifact },
        ImageFault::Chip { found: chip_id, .. } => {
            Reason::WrongImageChip { artifact, chip_id, found: facts.chip }
        }
        ImageFault::FlashSize { wanted_bytes, found_bytes } => {
            Reason::FlashTooSmall { wanted_bytes, found_bytes }
        }
        ImageFault::MapBehindFlash { map_end, found_bytes } => {
            Reason::MapBehindFlash { artifact, header_bytes: found_bytes, map_end }
        }
        ImageFault::Mcuboot(mcuboot_format::ValidateError::Unsigned) => {
            Reason::NotSigned { artifact }
        }
        ImageFault::Mcuboot(_) => return (wrong("an image that MCUboot accepts"), detail(fault)),
        ImageFault::FlashSetting { .. } => {
            return (wrong("a bootloader with valid flash settings"), detail(fault));
        }
        ImageFault::Esp(_) => return (wrong("an ESP image that starts"), detail(fault)),
        _ => return (wrong("what it should be"), detail(fault)),
    };
    (reason, None)
}

/// How a reason names the table that the device has.
pub(crate) const THE_TABLE: &str = "the partition table";

fn detail(fault: &ImageFault) -> Option<String> {
    Some(fault.to_string())
}
