//! The planner over tables of layouts.

extern crate std;

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use esp_idf_format::partition::{Partition, PartitionType, subtype};
use esp_idf_format::{Chip, FixedText};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

use crate::*;

mod any_layout;
mod layouts;
mod refusals;

const MIB: u32 = 0x10_0000;
const APP_IMAGE_BYTES: u32 = 150_000;

fn region(start: u32, len_bytes: u32) -> Region {
    Region::from_len(FlashAddr(start), len_bytes).unwrap()
}

fn partition(
    label: &str,
    kind: PartitionType,
    subtype: u8,
    start: u32,
    len_bytes: u32,
) -> Partition {
    let label = FixedText::new(label).unwrap();
    Partition { label, kind, subtype, region: region(start, len_bytes), flags: 0 }
}

/// The example's table.
fn example_table() -> Vec<Partition> {
    vec![
        partition("nvs", PartitionType::Data, subtype::NVS, 0x9000, 0x4000),
        partition("otadata", PartitionType::Data, subtype::OTADATA, 0xd000, 0x2000),
        partition("phy_init", PartitionType::Data, subtype::PHY, 0xf000, 0x1000),
        partition("factory", PartitionType::App, subtype::FACTORY, 0x1_0000, MIB),
        partition("ota_0", PartitionType::App, subtype::OTA_0, 0x11_0000, MIB),
        partition("ota_1", PartitionType::App, subtype::OTA_0 + 1, 0x21_0000, MIB),
    ]
}

/// One case: what the owner wants and what is true of the device, to be changed by a test.
#[derive(Clone)]
struct Case {
    chip: Chip,
    device_chip: Chip,
    wanted_flash_bytes: Option<u32>,
    map: Option<McubootMap<'static>>,
    artifacts: Vec<Artifact<'static>>,
    staging: Staging<'static>,
    allow: Allow<'static>,
    table: Vec<Partition>,
    running: &'static str,
    running_len_bytes: u32,
    flash_len_bytes: u32,
    secure_boot: bool,
    flash_encryption: bool,
    memory_bytes: u32,
}

fn app() -> Artifact<'static> {
    Artifact {
        name: "app",
        role: Role::Application,
        origin: Origin::Url("http://lab/app.bin"),
        dest: None,
        region_len_bytes: None,
        len_bytes: Some(MIB),
        sha256: Some([1; 32]),
        content: Some(Content::Mcuboot {
            image_len_bytes: APP_IMAGE_BYTES,
            padded: true,
            confirmed: true,
            signed: false,
        }),
        confirm: false,
    }
}

fn bootloader() -> Artifact<'static> {
    Artifact {
        name: "bootloader",
        role: Role::Bootloader,
        origin: Origin::Url("http://lab/bootloader.bin"),
        dest: None,
        region_len_bytes: Some(0xf000),
        len_bytes: Some(27_376),
        sha256: Some([2; 32]),
        content: Some(Content::EspImage {
            chip_id: Chip::Esp32s3.image_chip_id(),
            image_len_bytes: 27_376,
            flash_len_bytes: Some(4 * MIB),
        }),
        confirm: false,
    }
}

fn other(name: &'static str) -> Artifact<'static> {
    Artifact { name, role: Role::Other, len_bytes: Some(0x1_0000), content: None, ..app() }
}

fn example() -> Case {
    Case {
        chip: Chip::Esp32s3,
        device_chip: Chip::Esp32s3,
        wanted_flash_bytes: Some(4 * MIB),
        map: Some(McubootMap {
            primary: region(0x1_0000, MIB),
            secondary: region(0x11_0000, MIB),
            scratch: Some(region(0x21_0000, 0x4_0000)),
            swap: SwapKind::Scratch,
            max_align_bytes: 8,
            key_der: None,
        }),
        artifacts: vec![app(), bootloader()],
        staging: Staging::Auto,
        allow: Allow::default(),
        table: example_table(),
        running: "factory",
        running_len_bytes: 0xa_0000,
        flash_len_bytes: 4 * MIB,
        secure_boot: false,
        flash_encryption: false,
        memory_bytes: 0,
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "running {} ({:#x} bytes), map {:?}",
            self.running, self.running_len_bytes, self.map
        )?;
        self.table.iter().try_for_each(|p| writeln!(f, "{} {}", p.label, p.region))
    }
}

impl Case {
    fn running(&self) -> Region {
        let named = self.table.iter().find(|p| p.label.as_str() == Some(self.running));
        named.map_or(region(0x39_0000, 0x1_0000), |p| p.region)
    }

    fn plan(&self) -> Result<Plan, Reasons> {
        let migration = Migration {
            chip: self.chip,
            flash_len_bytes: self.wanted_flash_bytes,
            mcuboot: self.map,
            artifacts: &self.artifacts,
            staging: self.staging,
            allow: self.allow,
        };
        let facts = DeviceFacts {
            chip: self.device_chip,
            chip_revision: None,
            flash_len_bytes: self.flash_len_bytes,
            partitions: &self.table,
            running: self.running(),
            running_len_bytes: self.running_len_bytes,
            previous: None,
            bootloader_flash_len_bytes: None,
            bootloader_flash_mode: None,
            secure_boot: self.secure_boot,
            flash_encryption: self.flash_encryption,
            staging_memory_len_bytes: self.memory_bytes,
        };
        plan(&migration, &facts)
    }

    fn steps(&self) -> Vec<std::string::String> {
        let plan = self.plan().unwrap();
        let name =
            |step: &Step| step.artifact().map_or("", |a| self.artifacts[usize::from(a.0)].name);
        plan.steps.iter().map(|step| step.describe(name(step)).to_string()).collect()
    }

    fn codes(&self) -> Vec<&'static str> {
        self.plan().expect_err("refused").iter().map(Reason::code).collect()
    }
}

/// What has to hold of every plan, whatever it was made from. It knows the layout rules of ESP-IDF
/// and MCUboot, and nothing of how the planner comes to its steps.
fn assert_safe(case: &Case, plan: &Plan) {
    let flash = region(0, case.flash_len_bytes);
    let image = case.running().prefix(case.running_len_bytes);
    let mut untouchable = vec![("the boot area", region(0, 0x9000)), ("the running image", image)];
    for partition in case.table.iter().filter(|p| p.is_nvs() || p.is_otadata()) {
        untouchable.push(("nvs or otadata", partition.region));
    }
    for changed in changed_before_commit(plan) {
        assert!(flash.contains_region(changed), "{changed} is outside of flash: {plan:?}");
        for (what, kept) in &untouchable {
            assert!(!changed.overlaps(*kept), "{changed} over {what} at {kept}: {plan:?}");
        }
    }
    let commits = plan.steps.iter().filter(|s| matches!(s, Step::Commit { .. })).count();
    if plan.strategy == Strategy::Relocate {
        assert_eq!(commits, 0, "{plan:?}");
        assert_eq!(plan.steps.last(), Some(&Step::ResetIntoCopy));
        let moved = plan.steps.iter().find_map(|step| match step {
            Step::CopySelf { to, .. } => Some(to.region),
            _ => None,
        });
        let target = moved.expect("a relocation copies the migrator");
        assert!(case.table.iter().any(|p| p.is_app() && p.region.start() == target.start()));
        assert!(target.len_bytes() >= case.running_len_bytes);
        return;
    }
    // Everything is verified after it was written for the last time, and the commits come last.
    let last_write = plan.steps.iter().rposition(|s| {
        matches!(
            s,
            Step::Fetch { .. } | Step::Copy { .. } | Step::Clean { .. } | Step::Confirm { .. }
        )
    });
    let first_verify = plan.steps.iter().position(|s| matches!(s, Step::Verify { .. }));
    assert!(last_write < first_verify, "{plan:?}");
    let verified = plan.steps.iter().filter(|s| matches!(s, Step::Verify { .. })).count();
    assert_eq!(verified, case.artifacts.len(), "{plan:?}");
    let tail = &plan.steps[plan.steps.len() - commits - 1..];
    assert!(tail.iter().all(|s| matches!(s, Step::Commit { .. } | Step::Reset)), "{plan:?}");
    assert_eq!(tail.last(), Some(&Step::Reset));
    // What waits in flash for the commit is not overwritten by anything else.
    for step in &plan.steps {
        let Step::Commit { from: Target::Flash(staged), to, .. } = step else { continue };
        assert!(!staged.region.overlaps(to.erasable) && !staged.region.overlaps(image), "{plan:?}");
        assert!(staged.region.len_bytes() >= to.region.len_bytes(), "{plan:?}");
        let others = plan.steps.iter().flat_map(|step| match step {
            Step::Fetch { routes, .. } => routes.to_vec(),
            _ => Vec::new(),
        });
        for route in others {
            let Target::Flash(place) = route.to else { continue };
            let same =
                place.region.contains_region(staged.region) && place.purpose == Purpose::Staging;
            let held = place.reserved.is_some_and(|r| r.contains_region(staged.region));
            assert!(same || held || !place.erasable.overlaps(staged.region), "{place:?}: {plan:?}");
        }
    }
    // MCUboot's trailers: each slot's is brought by the application or cleaned.
    if let Some(map) = &case.map {
        for slot in [map.primary, map.secondary] {
            let settled = plan.steps.iter().any(|step| match step {
                Step::Clean { region, .. } => region.end() == slot.end(),
                Step::Confirm { slot: confirmed } => *confirmed == slot,
                Step::Fetch { routes, .. } => routes
                    .iter()
                    .any(|r| matches!(r.to, Target::Flash(place) if place.region == slot)),
                Step::Copy { to, .. } => to.region == slot,
                _ => false,
            });
            assert!(settled, "the trailer of {slot} is left as it is: {plan:?}");
        }
    }
}

/// Regions that a plan may change before its commit.
fn changed_before_commit(plan: &Plan) -> Vec<Region> {
    let mut regions: Vec<Region> = plan.journal.into_iter().collect();
    for step in &plan.steps {
        match step {
            Step::Fetch { routes, .. } => {
                regions.extend(routes.iter().filter_map(|r| match r.to {
                    Target::Flash(place) => Some(place.erasable),
                    Target::Memory { .. } => None,
                }))
            }
            Step::Copy { to, .. } => regions.push(to.erasable),
            Step::Clean { erasable, .. }
            | Step::CleanHeader { erasable, .. }
            | Step::CleanScratch { erasable, .. } => regions.push(*erasable),
            Step::Confirm { slot } => regions.push(slot.suffix(SECTOR_BYTES)),
            Step::CopySelf { to, .. } => regions.push(to.erasable),
            Step::Select { .. }
            | Step::ResetIntoCopy
            | Step::Verify { .. }
            | Step::Commit { .. }
            | Step::Reset => {}
        }
    }
    regions
}

#[test]
fn the_example_from_factory() {
    assert_eq!(
        example().steps(),
        [
            "fetch app to 0x110000..0x210000 (destination)",
            "fetch bootloader to 0x310000..0x316af0 (staging)",
            "clean 0x10e7d0..0x110000, the trailer area of the primary slot",
            "clean the header of the primary slot 0x10000..0x110000",
            "clean the end of the scratch area 0x210000..0x250000",
            "verify app in 0x110000..0x210000 (destination)",
            "verify bootloader in 0x310000..0x316af0 (staging)",
            "commit bootloader to 0x0..0x6af0",
            "reset",
        ]
    );
}

#[test]
fn the_commit_may_erase_up_to_the_partition_table_and_no_further() {
    let plan = example().plan().unwrap();
    assert_eq!(plan.commit_region(), Some(region(0, 0x8000)));
}

#[test]
fn the_example_from_ota_1_stages_outside_of_it() {
    let case = Case { running: "ota_1", ..example() };
    let plan = case.plan().unwrap();
    for region in changed_before_commit(&plan) {
        assert!(!region.overlaps(case.running()), "{region}");
    }
}

#[test]
fn without_unclaimed_flash_the_spare_slot_serves_for_staging() {
    let mut case = example();
    case.table[5].region = region(0x21_0000, 0x1f_0000);
    let steps = case.steps();
    // Behind the scratch area, which begins the same slot.
    assert_eq!(steps[1], "fetch bootloader to 0x250000..0x256af0 (staging)");
}

#[test]
fn without_any_other_place_the_applications_slot_serves_for_staging() {
    let mut case = example();
    case.flash_len_bytes = 0x21_0000;
    case.wanted_flash_bytes = Some(0x21_0000);
    case.table.truncate(5);
    let map = case.map.as_mut().unwrap();
    (map.swap, map.scratch) = (SwapKind::Overwrite, None);
    case.artifacts[1].content = None;
    let plan = case.plan().unwrap();
    let slot = region(0x11_0000, MIB);
    let staged = plan.steps.iter().find_map(|step| match step {
        Step::Commit { from: Target::Flash(place), .. } => Some(place.erasable),
        _ => None,
    });
    let staged = staged.unwrap();
    assert!(slot.contains_region(staged));
    assert!(staged.start().get() >= slot.start().get() + APP_IMAGE_BYTES);
    // What is placed there is kept out of the application's way.
    let reserved = plan.steps.iter().find_map(|step| match step {
        Step::Fetch { routes, .. } => match routes[0].to {
            Target::Flash(place) => place.reserved,
            Target::Memory { .. } => None,
        },
        _ => None,
    });
    let reserved = reserved.unwrap();
    assert!(reserved.contains_region(staged));
    assert!(plan.journal.is_none_or(|journal| reserved.contains_region(journal)));
}

#[test]
fn a_labelled_staging_partition_takes_every_artifact() {
    let mut case =
        Case { staging: Staging::Label("storage"), flash_len_bytes: 8 * MIB, ..example() };
    case.table.push(partition("storage", PartitionType::Data, subtype::SPIFFS, 0x40_0000, 2 * MIB));
    let steps = case.steps();
    assert_eq!(steps[0], "fetch app to 0x400000..0x500000 (staging)");
    assert_eq!(steps[1], "copy app from 0x400000..0x500000 to 0x110000..0x210000");
    assert_eq!(steps[2], "fetch bootloader to 0x400000..0x406af0 (staging)");
}

#[test]
fn what_waits_in_a_labelled_partition_is_not_written_over() {
    let mut case =
        Case { staging: Staging::Label("storage"), flash_len_bytes: 8 * MIB, ..example() };
    case.table.push(partition("storage", PartitionType::Data, subtype::SPIFFS, 0x40_0000, 2 * MIB));
    let table = Artifact { dest: Some(region(0x8000, 0x1000)), ..other("table") };
    case.artifacts.push(Artifact { len_bytes: Some(0xc00), ..table });
    case.allow.overwrite = &[PARTITION_TABLE];
    let steps = case.steps();
    // The application has gone on to its slot; these two wait to the end.
    assert_eq!(steps[2], "fetch table to 0x400000..0x400c00 (staging)");
    assert_eq!(steps[3], "fetch bootloader to 0x401000..0x407af0 (staging)");
}

#[test]
fn what_waits_in_a_labelled_partition_is_not_where_scratch_is_cleaned() {
    // The label is that of the partition in which the scratch area of one sector begins.
    let mut case = Case { staging: Staging::Label("ota_1"), ..example() };
    let ota_1 = case.table.iter().find(|p| p.label.as_str() == Some("ota_1")).unwrap().region;
    case.map.as_mut().unwrap().scratch = Some(ota_1.prefix(0x1000));
    let staged = |case: &Case| case.steps().into_iter().find(|step| step.contains("bootloader"));
    let behind = "fetch bootloader to 0x211000..0x217af0 (staging)";
    assert_eq!(staged(&case).as_deref(), Some(behind));
    // With the application from there on to its slot, what passes through may lie anywhere.
    assert!(case.steps()[0].starts_with("fetch app to 0x210000"), "{:?}", case.steps());
    // Where no room is left behind it, nothing is planned.
    case.map.as_mut().unwrap().scratch = Some(region(0x21_0000, 0x7_f000));
    let last = case.table.iter_mut().find(|p| p.label.as_str() == Some("ota_1")).unwrap();
    last.region = region(0x28_a000, 0x8000);
    let bootloader = |reason: &Reason| match reason {
        Reason::NoStaging { artifact, largest_bytes, .. } if artifact.as_str() == "bootloader" => {
            Some(*largest_bytes)
        }
        _ => None,
    };
    let reasons = case.plan().unwrap_err();
    // 0x8000 bytes of partition, of which the scratch area's last sector halves the first 0x6000.
    assert_eq!(reasons.iter().find_map(bootloader), Some(0x4000), "{reasons:?}");
}

#[test]
fn an_nvs_that_is_given_up_lasts_until_everything_else_is_ready() {
    let mut case = example();
    // As tables have it whose NVS is at the end of the flash, where the map wants its scratch area.
    case.table.push(partition("late", PartitionType::Data, subtype::NVS, 0x3f_0000, 0x1_0000));
    case.map.as_mut().unwrap().scratch = Some(region(0x3f_0000, 0x1_0000));
    assert!(case.codes().contains(&"over-kept"));
    case.allow.overwrite = &["late"];
    let steps = case.steps();
    let at = |what: &str| steps.iter().position(|step| step.starts_with(what)).unwrap();
    let verified = steps.iter().rposition(|step| step.starts_with("verify")).unwrap();
    assert_eq!(at("clean the end of the scratch"), verified + 1, "{steps:#?}");
    assert_eq!(at("commit"), verified + 2);
    // Other trailers are cleaned before anything is verified.
    assert!(at("clean 0x1") < at("verify"), "{steps:#?}");
}

#[test]
fn memory_stages_the_bootloader_where_the_owner_asks_for_it() {
    let case = Case { staging: Staging::Memory, memory_bytes: 32 * 1024, ..example() };
    assert_eq!(case.steps()[1], "fetch bootloader to memory (staging)");
    let small = Case { memory_bytes: 16 * 1024, ..case };
    assert!(small.codes().contains(&"no-staging"));
}

#[test]
fn swap_kinds_that_read_the_primary_get_the_application_there() {
    for swap in [SwapKind::Move, SwapKind::Offset] {
        let mut case = Case { running: "ota_1", ..example() };
        let map = case.map.as_mut().unwrap();
        (map.swap, map.scratch) = (swap, None);
        assert_eq!(case.steps()[1], "fetch app to 0x10000..0x110000 (destination)");
        assert_eq!(case.plan().unwrap().strategy, Strategy::StraightToPrimary);
        // From factory that would be the running code, so the migrator moves first.
        case.running = "factory";
        assert_eq!(case.plan().unwrap().strategy, Strategy::Relocate);
    }
}

#[test]
fn a_merged_image_is_divided_between_now_and_the_commit() {
    let merged = Artifact {
        name: "merged",
        role: Role::Other,
        dest: Some(region(0, 0x20_0000)),
        len_bytes: Some(0x18_0000),
        content: None,
        ..app()
    };
    let case = Case { running: "ota_1", map: None, artifacts: vec![merged], ..example() };
    let plan = case.plan().unwrap();
    let Step::Fetch { routes, .. } = &plan.steps[1] else { panic!("{plan:?}") };
    // Bootloader, table, NVS and otadata wait; what lies behind goes straight to its place.
    assert_eq!(routes.len(), 2);
    assert_eq!((routes[0].file_offset, routes[1].file_offset), (0, 0xf000));
    let Target::Flash(direct) = routes[1].to else { panic!("{routes:?}") };
    assert_eq!(direct.start(), FlashAddr(0xf000));
    let commit = plan.steps.iter().find_map(|step| match step {
        Step::Commit { to, merge, .. } => Some((to.region, *merge)),
        _ => None,
    });
    assert_eq!(commit, Some((region(0, 0xf000), Merge::KeepUnderBlank)));
}

#[test]
fn any_number_of_artifacts_with_places_of_their_own() {
    let place = |name, start, len| Artifact {
        name,
        role: Role::Other,
        dest: Some(region(start, len)),
        len_bytes: Some(len),
        content: None,
        ..app()
    };
    let artifacts = vec![
        place("a", 0x11_0000, 0x1_0000),
        place("b", 0x12_0000, 0x1_0000),
        place("c", 0x13_0000, 0x1_0000),
        Artifact { content: None, ..bootloader() },
    ];
    let case = Case { map: None, artifacts, ..example() };
    let fetched = case.steps().iter().filter(|step| step.starts_with("fetch")).count();
    assert_eq!(fetched, 4);
}

#[test]
fn nothing_critical_changes_before_the_commit() {
    for running in ["factory", "ota_1"] {
        let case = Case { running, ..example() };
        let plan = case.plan().unwrap();
        for changed in changed_before_commit(&plan) {
            for kept in [region(0, 0x9000), region(0x9000, 0x6000)] {
                assert!(!changed.overlaps(kept), "{running}: {changed} over {kept}");
            }
            let image = case.running().prefix(case.running_len_bytes);
            assert!(!changed.overlaps(image), "{running}: {changed} over the running image");
        }
    }
}

#[test]
fn an_image_up_to_the_trailer_is_fine() {
    let mut case = example();
    case.artifacts[0].content = Some(Content::Mcuboot {
        image_len_bytes: 0xf_e7d0,
        padded: true,
        confirmed: true,
        signed: false,
    });
    case.running_len_bytes = 0xf_e7d0;
    case.map.as_mut().unwrap().swap = SwapKind::Overwrite;
    assert_eq!(case.plan().unwrap().strategy, Strategy::SecondaryAndSwap);
    // A swap using scratch is not safe for the last sector, so the image goes straight to the
    // primary, out of which the migrator moves first.
    case.map.as_mut().unwrap().swap = SwapKind::Scratch;
    assert_eq!(case.plan().unwrap().strategy, Strategy::Relocate);
}

#[test]
fn what_the_owner_gives_up_by_name_may_be_overwritten() {
    let mut case = example();
    case.artifacts[1].len_bytes = Some(39_776);
    case.allow.overwrite = &[PARTITION_TABLE, "nvs"];
    let plan = case.plan().unwrap();
    // Table and NVS are critical: they change in the commit alone.
    assert!(changed_before_commit(&plan).iter().all(|r| !r.overlaps(region(0, 0xd000))));
    assert_eq!(plan.commit_region(), Some(region(0, 0xa000)));
}

#[test]
fn reasons_come_all_at_once() {
    let mut case = Case { secure_boot: true, chip: Chip::Esp32, ..example() };
    case.map.as_mut().unwrap().swap = SwapKind::Move;
    let codes = case.codes();
    for code in ["secure-boot", "wrong-chip", "over-running-code"] {
        assert!(codes.contains(&code), "{codes:?}");
    }
}

#[test]
fn from_the_secondary_slot_the_application_goes_straight_to_the_primary() {
    let case = Case { running: "ota_0", ..example() };
    let plan = case.plan().unwrap();
    assert_eq!(plan.strategy, Strategy::StraightToPrimary);
    assert_eq!(
        case.steps(),
        [
            "let the old bootloader start ota_0 for good (otadata 0xd000..0xf000)",
            "fetch app to 0x10000..0x110000 (destination)",
            "fetch bootloader to 0x310000..0x316af0 (staging)",
            "clean 0x20e7d0..0x210000, the trailer area of the secondary slot",
            "clean the end of the scratch area 0x210000..0x250000",
            "verify app in 0x10000..0x110000 (destination)",
            "verify bootloader in 0x310000..0x316af0 (staging)",
            "commit bootloader to 0x0..0x6af0",
            "reset",
        ]
    );
}

#[test]
fn the_migrator_moves_where_it_is_in_the_way() {
    let mut case = example();
    case.map.as_mut().unwrap().swap = SwapKind::Move;
    assert_eq!(
        case.steps(),
        [
            "copy the migrator itself from 0x10000..0xb0000 to 0x110000..0x1b0000",
            "let the old bootloader start ota_0 for good (otadata 0xd000..0xf000)",
            "reset into the copy, which goes on from there",
        ]
    );
    // Without otadata the old bootloader would never start the copy.
    case.table.retain(|p| !p.is_otadata());
    assert!(case.codes().contains(&"no-relocation"));
}

#[test]
fn the_factory_app_is_where_the_migrator_moves_if_no_slot_will_do() {
    let mut case = Case { running: "ota_0", ..example() };
    // Slots that span both OTA partitions, as MCUboot's own map for the ESP32 has them.
    let map = case.map.as_mut().unwrap();
    map.primary = region(0x11_0000, 0x8_0000);
    map.secondary = region(0x19_0000, 0x8_0000);
    case.artifacts[0].len_bytes = Some(0x8_0000);
    case.running_len_bytes = 0xa_0000;
    case.table[5].region = region(0x21_0000, 0x4_0000);
    let steps = case.steps();
    assert_eq!(steps[1], "copy the migrator itself from 0x110000..0x1b0000 to 0x10000..0xb0000");
    assert_eq!(steps[2], "let the old bootloader start factory again (otadata 0xd000..0xf000)");
}

#[test]
fn an_app_only_table_without_otadata_needs_none() {
    let mut case = example();
    case.table.retain(|p| !p.is_otadata() && p.ota_index().is_none());
    let plan = case.plan().unwrap();
    assert!(plan.steps.iter().all(|step| !matches!(step, Step::Select { .. })));
    assert_safe(&case, &plan);
}

#[test]
fn a_commit_erases_nothing_that_was_written_before_it() {
    let mut example = crate::test_support::Example::new(Chip::Esp32c3, 5);
    example.bootloader.dest = Some(region(0, 0x1_0000));
    example.bootloader.len_bytes = Some(0xf800);
    let allow = Allow { overwrite: &[PARTITION_TABLE, "nvs", "phy_init"], ..Allow::default() };
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
fn what_an_artifact_does_not_reach_of_its_place_is_kept_if_it_is_critical() {
    let mut example = crate::test_support::Example::new(Chip::Esp32c3, 5);
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
    for start in [0, 0x7000] {
        let mut example = crate::test_support::Example::new(Chip::Esp32, 5);
        example.app.role = Role::Other;
        example.app.dest = Some(region(start, 0x1000));
        example.app.len_bytes = Some(0x1000);
        example.bootloader.len_bytes = Some(0x5000);
        let plan = example.with(|migration, facts| {
            plan(&Migration { mcuboot: None, ..*migration }, facts).unwrap()
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
        assert!(!erased.is_empty(), "{start:#x}");
        let hit = erased.iter().any(|erased| erased.overlaps(region(start, 0x1000)));
        assert!(!hit, "{start:#x}: {erased:?}");
    }
}
