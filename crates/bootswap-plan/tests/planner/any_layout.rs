//! The planner with arbitrary layouts.

use proptest::strategy::Strategy as Strategy2;

use esp_idf_format::partition::{PartitionType, subtype};
use flash_region::Region;
use mcuboot_format::SwapKind;

use crate::case::*;

/// A case with an arbitrary layout, in units that may be aligned or not.
fn any_case() -> impl Strategy2<Value = Case> {
    use proptest::prelude::*;
    let place = || {
        (0u32..0x44, 1u32..0x18).prop_map(|(start, len)| region(start * 0x1_0000, len * 0x1_0000))
    };
    let map =
        (place(), 1u32..0x18, place(), 0usize..4, prop::sample::select(vec![7u32, 8, 16, 32]));
    let slots = prop::collection::vec((1u32..0x18, 0u32..4), 1..5);
    let running = 0usize..5;
    (map, slots, running, 1u32..0x17_0000, any::<[bool; 4]>(), 0u32..0xa000).prop_map(
        |((primary, len, scratch, swap, align), slots, running, image, flags, bootloader_len)| {
            let mut case = example();
            let labels = ["factory", "ota_0", "ota_1", "ota_2", "ota_3"];
            case.table.truncate(if flags[0] { 3 } else { 1 });
            let mut start = 0x1_0000;
            for (index, (len, gap)) in slots.iter().enumerate() {
                let sub =
                    if index == 0 { subtype::FACTORY } else { subtype::OTA_0 + index as u8 - 1 };
                start += gap * 0x1_0000;
                case.table.push(partition(
                    labels[index],
                    PartitionType::App,
                    sub,
                    start,
                    len * 0x1_0000,
                ));
                start += len * 0x1_0000;
            }
            case.running = labels[running.min(slots.len() - 1)];
            case.running_len_bytes = image.min(case.running().len_bytes());
            let len_bytes = len * 0x1_0000;
            let map = case.map.as_mut().unwrap();
            map.primary = Region::clamped(primary.start(), len_bytes);
            map.secondary = Region::clamped(primary.end(), len_bytes);
            map.swap = SwapKind::ALL[swap];
            map.scratch = flags[1].then_some(scratch);
            map.max_align_bytes = align;
            case.artifacts[0].len_bytes = Some(if flags[2] { len_bytes } else { APP_IMAGE_BYTES });
            case.artifacts[0].confirm = flags[3];
            case.artifacts[1].len_bytes = Some(bootloader_len);
            case
        },
    )
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4096))]

    #[test]
    fn any_layout_gets_a_safe_plan_or_reasons(case in any_case().no_shrink()) {
        match case.plan() {
            Ok(plan) => assert_safe(&case, &plan),
            Err(reasons) => proptest::prop_assert!(!reasons.is_empty()),
        }
    }
}
