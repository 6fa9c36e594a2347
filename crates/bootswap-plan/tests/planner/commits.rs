//! What a commit erases and what it leaves alone.

use bootswap_plan::*;
use esp_idf_format::Chip;
use flash_region::Region;

use crate::case::*;
use crate::test_support::Example;

#[test]
fn a_commit_erases_nothing_that_was_written_before_it() {
    let mut example = Example::new(Chip::Esp32c3, 5);
    example.bootloader.dest = Some(region(0, 0x1_0000));
    example.bootloader.len_bytes = Some(0xf800);
    let overwrite = &[PARTITION_TABLE, "nvs", "otadata", "phy_init"];
    let allow = Allow { overwrite, ..Allow::default() };
    let plan =
        example.with(|migration, facts| plan(&Migration { allow, ..*migration }, facts).unwrap());
    let commits = plan.steps.iter().filter_map(|step| match step {
        Step::Commit { to, .. } => Some(to.erasable),
        _ => None,
    });
    let written = plan.steps.iter().filter_map(|step| match step {
        Step::Fetch { artifact: ArtifactIndex(1), routes } => routes.get(1),
        _ => None,
    });
    let written: Vec<Region> = written
        .map(|route| match &route.to {
            Target::Flash(place) => place.region,
            Target::Memory { .. } => Region::default(),
        })
        .collect();
    assert_eq!(written, [region(0xf000, 0x1000)]);
    assert_eq!(commits.collect::<Vec<_>>(), [region(0, 0xf000)]);
}

#[test]
fn critical_contents_past_the_end_of_an_artifact_are_kept() {
    let mut example = Example::new(Chip::Esp32c3, 5);
    example.table[0].region = region(0x31_8000, 0x4000);
    example.app.role = Role::Other;
    example.app.dest = Some(region(0x31_0000, 0x1_0000));
    example.app.len_bytes = Some(100);
    let plan = example.with(|migration, facts| {
        let artifacts = &migration.artifacts[..1];
        plan(&Migration { mcuboot: None, artifacts, ..*migration }, facts).unwrap()
    });
    let erasable = plan.steps.iter().find_map(|step| match step {
        Step::Fetch { routes, .. } => match &routes.first()?.to {
            Target::Flash(place) => Some(place.erasable),
            Target::Memory { .. } => None,
        },
        _ => None,
    });
    assert_eq!(erasable, Some(region(0x31_0000, 0x8000)));
}

#[test]
fn a_commit_erases_nothing_of_another_artifact() {
    let mut example = Example::new(Chip::Esp32, 5);
    example.app.role = Role::Other;
    example.app.dest = Some(region(0, 0x1000));
    example.app.len_bytes = Some(0x1000);
    example.bootloader.len_bytes = Some(0x5000);
    let allow = Allow { overwrite: &[SECURE_BOOT_DATA], ..Allow::default() };
    let plan = example.with(|migration, facts| {
        plan(&Migration { mcuboot: None, allow, ..*migration }, facts).unwrap()
    });
    let erased: Vec<Region> = plan
        .steps
        .iter()
        .flat_map(|step| match step {
            Step::Commit { artifact: ArtifactIndex(1), to, unused, .. } => {
                [Some(to.erasable), *unused]
            }
            _ => [None; 2],
        })
        .flatten()
        .collect();
    assert!(!erased.is_empty());
    assert!(!erased.iter().any(|erased| erased.overlaps(region(0, 0x1000))), "{erased:?}");
}

/// While otadata selects the migrator, a bootloader that reads it starts the migrator again, which
/// completes what a power cut left undone.
#[test]
fn otadata_is_committed_last() {
    let mut case = example();
    case.map = None;
    let otadata = Artifact { dest: Some(region(0xd000, 0x2000)), ..other("otadata") };
    let table = Artifact { dest: Some(region(0x8000, 0x1000)), ..other("table") };
    case.artifacts = vec![
        Artifact { len_bytes: Some(0x2000), ..otadata },
        Artifact { len_bytes: Some(0xc00), ..table },
        bootloader(),
    ];
    case.allow.overwrite = &["otadata", PARTITION_TABLE];
    let steps = case.steps();
    let commits = steps.iter().filter_map(|step| step.strip_prefix("commit "));
    let commits: Vec<_> = commits.filter_map(|step| step.split(' ').next()).collect();
    assert_eq!(commits, ["table", "bootloader", "otadata"], "{steps:#?}");
}

/// A file that begins before the partition table and ends inside its region, where data begins.
#[test]
fn a_merged_file_erases_no_further_than_it_reaches() {
    let mut case = example();
    case.map = None;
    case.table[0].region = region(0x3f_0000, 0x4000);
    case.table[1].region = region(0x9000, 0x2000);
    case.table[2].region = region(0xd000, 0x2000);
    let blanks = Blanks::from_bytes(&[0, 0, 1, 0]);
    let dest = Some(region(0x7000, 0x8000));
    case.artifacts = vec![Artifact { dest, len_bytes: Some(0x5200), blanks, ..other("data") }];
    case.allow.overwrite = &["otadata", PARTITION_TABLE];
    assert_safe(&case, &case.plan().unwrap());
}

/// An application that waits in a partition of its own, for a slot that the migrator runs in.
#[test]
fn a_copy_into_the_slot_leaves_the_running_code_alone() {
    let mut case = example();
    case.table[4].region = region(0x15_0000, 0x8_0000);
    case.table[5].region = region(0x31_0000, 0x8_0000);
    (case.running, case.running_len_bytes) = ("ota_0", 0x5_0000);
    case.staging = Staging::Label("ota_1");
    case.artifacts[0].len_bytes = Some(APP_IMAGE_BYTES);
    case.artifacts[0].confirm = true;
    let plan = case.plan().unwrap();
    assert!(plan.steps.iter().any(|step| matches!(step, Step::Copy { .. })), "{:?}", case.steps());
    assert_safe(&case, &plan);
}
