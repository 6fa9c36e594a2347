//! What devices would refuse about the files, found before a device has fetched any.

use std::convert::Infallible;

use bootswap_engine::{CarrierFault, Failure, ImageFault, Job, examine, examine_files};
use bootswap_plan::{CARRIER, DeviceFacts, McubootMap, Migration, Reason, Reasons, name};
use esp_idf_format::Chip;
use esp_idf_format::image::ImageError;

use super::goes_back::goes_back_to_nothing;
use super::report::ReasonReport;
use super::stage::{PlanStage, stages};
use crate::owned::OwnedMigration;

/// The plans of a migration, if the planner has no reason against it, the dump of the device has
/// the firmware that the migration leaves to start, and the engine accepts the files that are
/// known.
///
/// # Errors
///
/// All reasons of the planner; else those that a device has before it fetches anything, and behind
/// them all that the engine has against the files.
pub fn judged<'a>(
    migration: &OwnedMigration,
    facts: DeviceFacts<'a>,
    dump: Option<&[u8]>,
) -> Result<Vec<PlanStage<'a>>, Vec<ReasonReport>> {
    migration.with(|lent| {
        let stages = match stages(lent, facts) {
            Ok(stages) => stages,
            Err(reasons) => {
                let mut against = Against { reports: reports(&reasons), reasons };
                against.files_alone(migration, lent, &facts);
                return Err(against.reports);
            }
        };
        let mut against = Against::default();
        if dump.is_some_and(|dump| goes_back_to_nothing(migration, &facts, &stages, dump)) {
            let nothing = Reason::NothingToStart { primary: None };
            against.reports.push(ReasonReport::from(&nothing));
        }
        for PlanStage { facts, plan } in &stages {
            let job = Job { migration: lent, facts, plan, container: None };
            examine(&job, &files(migration), &mut |failure| against.add(&failure, lent, facts));
        }
        against.reports.extend(no_radio(migration, facts.chip).as_ref().map(ReasonReport::from));
        if against.reports.is_empty() { Ok(stages) } else { Err(against.reports) }
    })
}

/// What can be checked with the files alone, if nothing is known about the devices: all reasons
/// against them.
pub fn judged_alone(migration: &OwnedMigration) -> Vec<ReasonReport> {
    migration.with(|lent| {
        let mut against = Against::default();
        against.files_alone(migration, lent, &any_device(lent));
        against.reports
    })
}

/// What is against a migration.
#[derive(Default)]
struct Against {
    /// What the planner has said.
    reasons: Reasons,
    /// All of it, for scripts.
    reports: Vec<ReasonReport>,
}

impl Against {
    /// Adds what the engine says of the files without a plan.
    fn files_alone(
        &mut self,
        migration: &OwnedMigration,
        lent: &Migration<'_>,
        facts: &DeviceFacts<'_>,
    ) {
        let files = files(migration);
        examine_files(lent, facts, &files, &mut |failure| self.add(&failure, lent, facts));
    }

    /// Adds what the engine says, unless the planner has said it.
    fn add(
        &mut self,
        failure: &Failure<Infallible, &str>,
        migration: &Migration<'_>,
        facts: &DeviceFacts<'_>,
    ) {
        let report = report(failure, migration, facts);
        if !self.is_said(failure, report.code) && !self.reports.contains(&report) {
            self.reports.push(report);
        }
    }

    /// Whether the planner has refused the same file for the same: by the code of it, or by one
    /// that says more.
    fn is_said(&self, failure: &Failure<Infallible, &str>, code: &str) -> bool {
        let Failure::Image { artifact, fault } = failure else { return false };
        let other: &[&str] = match fault {
            ImageFault::Mcuboot(_) => &["reaches-trailer", "too-large", "not-signed"],
            ImageFault::Trailer => &["not-confirmed", "reaches-trailer", "bad-map"],
            ImageFault::Esp(_) => &["too-large"],
            _ => &[],
        };
        let file = name(artifact);
        self.reasons.iter().any(|reason| {
            let said = reason.code();
            let is_same = said == code || other.contains(&said);
            // Of the devices, and not of one file.
            let is_of_all = matches!(said, "flash-too-small" | "bad-map");
            is_same && (is_of_all || reason.to_string().contains(file.as_str()))
        })
    }
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

fn report(
    failure: &Failure<Infallible, &str>,
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
) -> ReasonReport {
    let (reason, detail) = match failure {
        Failure::Image { artifact, fault } => reason(artifact, fault, migration, facts),
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
fn reason(
    file: &str,
    fault: &ImageFault,
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
) -> (Reason, Option<String>) {
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
        ImageFault::HalfOtadata => return (wrong("both entries of otadata"), detail(fault)),
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
        ImageFault::NotMcuboot => Reason::not_mcuboot(file, "ESP-IDF"),
        ImageFault::Downgrade { version, over } => {
            let primary = migration.mcuboot.map_or(McubootMap::ESPRESSIF.primary, |m| m.primary);
            Reason::Downgrade { artifact, version, over, primary }
        }
        ImageFault::Mcuboot(_) => return (wrong("an image that MCUboot accepts"), detail(fault)),
        ImageFault::FlashSetting { .. } | ImageFault::Esp(ImageError::Rom(_)) => {
            return (Reason::RomRefuses { artifact }, detail(fault));
        }
        ImageFault::Carrier(CarrierFault::Unfit(why)) => Reason::Unfit { artifact, why },
        ImageFault::Carrier(CarrierFault::NotACarrier) => return (wrong(CARRIER), None),
        ImageFault::Carrier(_) => return (Reason::DamagedCarrier { artifact }, detail(fault)),
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
