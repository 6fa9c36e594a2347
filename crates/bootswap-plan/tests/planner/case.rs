//! One case for the planner, to be changed by a test, and the judge of its plan.

use std::fmt;

use bootswap_plan::*;
use esp_idf_format::image::FlashSettings;
use esp_idf_format::partition::{Partition, PartitionType, TABLE_ADDR, subtype};
use esp_idf_format::{Chip, FixedText};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

pub(crate) const MIB: u32 = 0x10_0000;
pub(crate) const APP_IMAGE_BYTES: u32 = 150_000;

pub(crate) fn region(start: u32, len_bytes: u32) -> Region {
    Region::from_len(FlashAddr(start), len_bytes).unwrap()
}

pub(crate) fn partition(
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
pub(crate) fn example_table() -> Vec<Partition> {
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
pub(crate) struct Case {
    pub(crate) chip: Chip,
    pub(crate) device_chip: Chip,
    pub(crate) wanted_flash_bytes: Option<u32>,
    pub(crate) map: Option<McubootMap<'static>>,
    pub(crate) artifacts: Vec<Artifact<'static>>,
    pub(crate) staging: Staging<'static>,
    pub(crate) commit: CommitWay,
    pub(crate) settings: Option<FlashSettings>,
    pub(crate) secure_version: Option<u32>,
    pub(crate) allow: Allow<'static>,
    pub(crate) table: Vec<Partition>,
    pub(crate) running: &'static str,
    pub(crate) running_len_bytes: u32,
    pub(crate) flash_len_bytes: u32,
    pub(crate) table_addr: FlashAddr,
    pub(crate) other_table_addr: Option<FlashAddr>,
    pub(crate) secure_boot: bool,
    pub(crate) flash_encryption: bool,
    pub(crate) memory_bytes: u32,
}

pub(crate) fn app() -> Artifact<'static> {
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
            version: Default::default(),
        }),
        confirm: false,
        blanks: Blanks::NONE,
    }
}

pub(crate) fn bootloader() -> Artifact<'static> {
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
        blanks: Blanks::NONE,
    }
}

pub(crate) fn other(name: &'static str) -> Artifact<'static> {
    Artifact { name, role: Role::Other, len_bytes: Some(0x1_0000), content: None, ..app() }
}

pub(crate) fn example() -> Case {
    Case {
        chip: Chip::Esp32s3,
        device_chip: Chip::Esp32s3,
        wanted_flash_bytes: Some(4 * MIB),
        map: Some(McubootMap {
            primary: region(0x1_0000, MIB),
            secondary: region(0x11_0000, MIB),
            scratch: Some(region(0x21_0000, 0x4_0000)),
            swap: SwapKind::Scratch,
            ..McubootMap::ESPRESSIF
        }),
        artifacts: vec![app(), bootloader()],
        staging: Staging::Auto,
        commit: CommitWay::Replace,
        settings: None,
        secure_version: None,
        allow: Allow::default(),
        table: example_table(),
        running: "factory",
        running_len_bytes: 0xa_0000,
        flash_len_bytes: 4 * MIB,
        table_addr: TABLE_ADDR,
        other_table_addr: None,
        secure_boot: false,
        flash_encryption: false,
        memory_bytes: 0,
    }
}

/// The example on another device, with another map. The application is padded to the length of its
/// slot, and the migrator is cut off to that of the partition it runs from.
pub(crate) fn on(
    chip: Chip,
    flash_len_bytes: u32,
    table: Vec<Partition>,
    running: &'static str,
    map: McubootMap<'static>,
) -> Case {
    let mut case = Case {
        chip,
        device_chip: chip,
        wanted_flash_bytes: Some(flash_len_bytes),
        flash_len_bytes,
        table,
        running,
        map: Some(map),
        ..example()
    };
    case.running_len_bytes = case.running_len_bytes.min(case.running().len_bytes());
    case.artifacts[0].len_bytes = Some(map.primary.len_bytes());
    case.artifacts[1].content = Some(Content::EspImage {
        chip_id: chip.image_chip_id(),
        image_len_bytes: 27_376,
        flash_len_bytes: Some(flash_len_bytes),
    });
    case
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "running {} ({:#x} bytes), map {:?}",
            self.running, self.running_len_bytes, self.map
        )?;
        self.table.iter().try_for_each(|p| writeln!(f, "{} {}", p.label, p.region))
    }
}

impl Case {
    pub(crate) fn running(&self) -> Region {
        let named = self.table.iter().find(|p| p.label.as_str() == Some(self.running));
        named.map_or(region(0x39_0000, 0x1_0000), |p| p.region)
    }

    /// Lends the case as the planner takes it.
    pub(crate) fn with<T>(&self, use_it: impl FnOnce(&Migration<'_>, &DeviceFacts<'_>) -> T) -> T {
        let migration = Migration {
            chip: self.chip,
            flash_len_bytes: self.wanted_flash_bytes,
            table_addr: None,
            mcuboot: self.map,
            artifacts: &self.artifacts,
            staging: self.staging,
            commit: self.commit,
            allow: self.allow,
            against: &[],
        };
        let facts = DeviceFacts {
            chip: self.device_chip,
            chip_revision: None,
            flash_len_bytes: self.flash_len_bytes,
            table_addr: self.table_addr,
            other_table_addr: self.other_table_addr,
            partitions: &self.table,
            running: self.running(),
            running_len_bytes: self.running_len_bytes,
            previous: None,
            bootloader_flash_len_bytes: None,
            bootloader_flash_mode: None,
            bootloader_settings: self.settings,
            secure_version: self.secure_version,
            secure_boot: self.secure_boot,
            flash_encryption: self.flash_encryption,
            staging_memory_len_bytes: self.memory_bytes,
            primary: None,
        };
        use_it(&migration, &facts)
    }

    pub(crate) fn plan(&self) -> Result<Plan, Reasons> {
        self.with(plan)
    }

    pub(crate) fn steps(&self) -> Vec<String> {
        let plan = self.plan().unwrap();
        let name =
            |step: &Step| step.artifact().map_or("", |a| self.artifacts[usize::from(a.0)].name);
        plan.steps.iter().map(|step| step.describe(name(step)).to_string()).collect()
    }

    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.plan().expect_err("refused").iter().map(Reason::code).collect()
    }
}

/// What must hold for every plan, whatever it was made from.
pub(crate) fn assert_safe(case: &Case, plan: &Plan) {
    case.with(|migration, facts| plan_judge::assert_safe(migration, facts, plan));
}

/// Regions that a plan may change before its commit.
pub(crate) fn changed_before_commit(plan: &Plan) -> Vec<Region> {
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
            | Step::Host { .. }
            | Step::Commit { .. }
            | Step::Reset => {}
        }
    }
    regions
}
