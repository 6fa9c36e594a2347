//! What the planner says that MCUboot does until the target runs is what the model of MCUboot does:
//! over kinds of swap, sizes and positions of slots and scratch, lengths of images, and builds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bootswap_plan::{
    Artifact, Content, Cost, CostModel, McubootMap, Migration, Origin, Plan, Role, Strategy,
};
use esp_idf_format::Chip;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_boot::{BootConfig, FlashMap, boot};
use mcuboot_format::SwapKind;
use mcuboot_format::builder::{Padding, SignOptions, sign};
use nor_sim::{Counted, Counts, Driver, NorMemory};
use proptest::prelude::*;

const FLASH_BYTES: u32 = 4 << 20;

/// A bootloader, and an application for it.
#[derive(Clone, Copy, Debug)]
struct Case {
    swap: SwapKind,
    slot_sectors: u32,
    scratch_sectors: u32,
    /// Sectors before the primary slot, and between the three areas.
    gaps: [u32; 3],
    max_align: u32,
    max_sectors: u32,
    overwrites_fast: bool,
    confirmed: bool,
    straight: bool,
    /// Of what there is room for, in 1/1000.
    image_permille: u32,
}

impl Case {
    fn map(&self) -> McubootMap<'static> {
        let [before, between, behind] = self.gaps;
        let area = |first: u32, sectors: u32| {
            Region::clamped(FlashAddr(first * SECTOR_BYTES), sectors * SECTOR_BYTES)
        };
        let (primary, second) = (16 + before, 16 + before + self.slot_sectors + between);
        let scratch = area(second + self.slot_sectors + behind, self.scratch_sectors);
        McubootMap {
            primary: area(primary, self.slot_sectors),
            secondary: area(second, self.slot_sectors),
            scratch: (self.swap == SwapKind::Scratch).then_some(scratch),
            swap: self.swap,
            max_align_bytes: self.max_align,
            max_sectors: self.max_sectors,
            overwrites_fast: self.overwrites_fast,
            ..McubootMap::ESPRESSIF
        }
    }

    /// What MCUboot does before it starts the application.
    fn done(&self, map: &McubootMap<'_>, image_len_bytes: u32, file: &[u8]) -> Counts {
        let flash =
            FlashMap { primary: map.primary, secondary: map.secondary, scratch: map.scratch };
        let config = BootConfig::new(flash, map.trailer_config()).unwrap();
        let config = config.with_fast_overwrite(self.overwrites_fast);
        let mut memory = NorMemory::erased(FLASH_BYTES);
        // Old contents, but for the primary's trailer, which a migration has made blank.
        let trailer = map.trailer_area(map.primary).unwrap();
        let old = vec![0x5a; (trailer.start().bytes_since(map.primary.start())) as usize];
        memory.load(map.primary.start(), &old);
        memory.load(if self.straight { map.primary } else { map.secondary }.start(), file);
        let mut driver = Driver::new(Counted::new(memory));
        let outcome = boot(&mut driver, &config, &mut |_| ()).unwrap();
        assert!(outcome.running().is_some(), "{self:?}, {image_len_bytes} bytes: {outcome:?}");
        driver.into_device().counts()
    }

    /// What the planner says.
    fn said(&self, map: &McubootMap<'_>, image_len_bytes: u32) -> Cost {
        let app = Artifact {
            len_bytes: Some(map.primary.len_bytes()),
            content: Some(Content::Mcuboot {
                image_len_bytes,
                padded: true,
                confirmed: self.confirmed,
                signed: false,
                version: Default::default(),
            }),
            ..Artifact::new("app", Role::Application, Origin::Embedded)
        };
        let artifacts = [app, Artifact::new("mcuboot", Role::Bootloader, Origin::Embedded)];
        let migration =
            Migration { mcuboot: Some(*map), ..Migration::new(Chip::Esp32c3, &artifacts) };
        let strategy =
            if self.straight { Strategy::StraightToPrimary } else { Strategy::SecondaryAndSwap };
        CostModel::new(&migration).swap(&Plan { strategy, ..Plan::default() })
    }

    /// Compares the two; whether there is such an image.
    fn check(&self) -> bool {
        let map = self.map();
        let Some(limits) = map.limits() else { return false };
        let most = limits.max_image_len_bytes;
        let padding = if self.confirmed { Padding::Confirmed } else { Padding::Pending };
        let options = SignOptions {
            padding,
            trailer: map.trailer_config(),
            ..SignOptions::espressif(map.primary.len_bytes(), self.swap)
        };
        // Header and TLVs of an image without a key.
        let Some(room) = most.checked_sub(32 + 4 + 4 + 32) else { return false };
        let payload =
            vec![0xa5; (u64::from(room) * u64::from(self.image_permille) / 1000) as usize];
        let Ok(file) = sign(&payload, &options) else { return false };
        let info = mcuboot_format::validate(&file, limits, None).unwrap();
        let done = self.done(&map, info.image_end_bytes, &file);
        let said = self.said(&map, info.image_end_bytes);
        let Cost { erase_4k, erase_32k, erase_64k, pages } = said;
        assert_eq!((erase_32k, erase_64k), (0, 0));
        let found = (done.erase_4k, done.pages_programmed);
        assert_eq!((erase_4k.into(), pages.into()), found, "{self:?}, {}", info.image_end_bytes);
        assert_eq!((done.erase_32k, done.erase_64k), (0, 0));
        true
    }
}

/// The example: 1,994 operations, as with the real bootutil.
#[test]
fn the_example_is_swapped_as_said() {
    let example = Case {
        swap: SwapKind::Scratch,
        slot_sectors: 256,
        scratch_sectors: 64,
        gaps: [0, 0, 0],
        max_align: 8,
        max_sectors: 512,
        overwrites_fast: false,
        confirmed: true,
        straight: false,
        image_permille: 145,
    };
    assert!(example.check());
    let said = example.said(&example.map(), 149_944);
    assert_eq!((said.erase_4k, said.pages), (206, 1788));
    let straight = Case { straight: true, ..example };
    assert_eq!(straight.said(&straight.map(), 149_944), Cost::NONE);
    assert!(straight.check());
}

/// Images around the end of what there is room for, where the trailer's sectors are swapped too.
#[test]
fn images_that_fill_their_slot_are_swapped_as_said() {
    let mut checked = 0;
    for swap in [SwapKind::Scratch, SwapKind::Overwrite] {
        for image_permille in [985, 990, 995, 998, 1000] {
            for (slot_sectors, max_sectors) in [(16, 16), (32, 512), (33, 100), (64, 976)] {
                for (scratch_sectors, overwrites_fast) in [(1, false), (3, true), (64, true)] {
                    let case = Case {
                        swap,
                        slot_sectors,
                        scratch_sectors,
                        gaps: [1, 0, 2],
                        max_align: 8,
                        max_sectors,
                        overwrites_fast,
                        confirmed: true,
                        straight: false,
                        image_permille,
                    };
                    checked += u32::from(case.check());
                }
            }
        }
    }
    assert_eq!(checked, 120);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_application_is_swapped_in_as_said(
        swap in 0usize..4,
        slot_sectors in 8u32..80,
        scratch_sectors in 1u32..70,
        gaps in proptest::array::uniform3(0u32..8),
        max_align in prop::sample::select(vec![8u32, 16, 32]),
        max_sectors in prop::sample::select(vec![80u32, 512, 976]),
        overwrites_fast: bool,
        confirmed: bool,
        straight: bool,
        image_permille in 1u32..=1000,
    ) {
        let swap = SwapKind::ALL[swap];
        // A migration never leaves it to these to install the application.
        let straight = straight || matches!(swap, SwapKind::Move | SwapKind::Offset);
        // Nor is one that is not confirmed put straight into the primary slot.
        let confirmed = confirmed || straight;
        Case {
            swap, slot_sectors, scratch_sectors, gaps, max_align, max_sectors, overwrites_fast,
            confirmed, straight, image_permille,
        }
        .check();
    }
}
