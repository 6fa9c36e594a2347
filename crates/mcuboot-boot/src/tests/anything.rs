//! Flash with any contents: a boot ends, and nothing outside of the slots changes.

use std::vec::Vec;

use flash_region::Region;
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::{Flag, Magic, SwapInfo, TrailerConfig, TrailerState};
use nor_sim::{Driver, NorMemory, WordDriver};
use proptest::prelude::*;

use super::bench::{Device, config, equal, image};
use crate::{AreaName, boot};

fn flag() -> impl Strategy<Value = Flag> {
    prop_oneof![2 => Just(Flag::Unset), 2 => Just(Flag::Set), 1 => Just(Flag::Bad)]
}

fn trailer() -> impl Strategy<Value = TrailerState> {
    let magic = prop_oneof![4 => Just(Magic::Good), 2 => Just(Magic::Unset), 1 => Just(Magic::Bad)];
    let swap_info = prop_oneof![Just(0xff), 0u8..=6, any::<u8>()].prop_map(SwapInfo);
    let size = prop_oneof![Just(None), (0u32..0x7000).prop_map(Some), any::<u32>().prop_map(Some)];
    let tlvs = prop_oneof![Just(None), any::<u32>().prop_map(Some)];
    (magic, swap_info, flag(), flag(), size, tlvs).prop_map(
        |(magic, swap_info, copy_done, image_ok, swap_size_bytes, unprotected_tlv_sizes)| {
            TrailerState {
                magic,
                swap_info,
                copy_done,
                image_ok,
                swap_size_bytes,
                unprotected_tlv_sizes,
            }
        },
    )
}

/// The contents of an area: the length of its image, which byte of that is wrong, the entries of
/// its status and where they begin, and its trailer.
type Contents = (u32, Option<u32>, u8, u32, TrailerState);

fn contents() -> impl Strategy<Value = Contents> {
    let image = prop_oneof![1 => Just(0), 4 => 73u32..0x5000];
    (image, proptest::option::of(0u32..0x3000), 0u8..40, 0u32..200, trailer())
}

fn device(swap: SwapKind, areas: [Contents; 3]) -> Device {
    let trailer = TrailerConfig { max_sectors: 64, ..TrailerConfig::espressif(swap) };
    let mut device = Device::new(config(trailer, equal(6, 2)));
    let names = [AreaName::Primary, AreaName::Secondary, AreaName::Scratch];
    for (area, (image_len, flaw, entries, from, trailer)) in names.into_iter().zip(areas) {
        let Some(layout) = device.config.layout(area).copied() else { continue };
        let before_trailer = layout.offset_bytes();
        if image_len > 0 {
            let mut bytes = image(area as u8 + 1, image_len.min(before_trailer));
            if let Some(byte) = flaw.and_then(|at| bytes.get_mut(at as usize)) {
                *byte = !*byte;
            }
            device.put(area, 0, &bytes);
        }
        for step in from..from + u32::from(entries) {
            if let Some(addr) = layout.status_step(step) {
                device.put(area, addr.bytes_since(layout.slot().start()), &[1]);
            }
        }
        device.set_trailer(area, trailer);
    }
    device
}

fn slots(device: &Device) -> Vec<Region> {
    let names = [AreaName::Primary, AreaName::Secondary, AreaName::Scratch];
    names.iter().filter_map(|area| Some(device.config.layout(*area)?.slot())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_boot_ends_and_keeps_to_its_areas(
        swap in proptest::sample::select(SwapKind::ALL.to_vec()),
        areas in [contents(), contents(), contents()],
    ) {
        let mut device = device(swap, areas);
        let slots = slots(&device);
        for _ in 0..3 {
            let boot = device.boot();
            prop_assert!(boot.ops.len() < 4000);
            for op in boot.ops.ops() {
                prop_assert!(slots.iter().any(|slot| slot.contains_region(op.region())), "{op:?}");
            }
        }
    }

    #[test]
    fn a_driver_of_words_makes_no_difference(
        swap in proptest::sample::select(SwapKind::ALL.to_vec()),
        areas in [contents(), contents(), contents()],
    ) {
        let mut device = device(swap, areas);
        let mut bytes = Driver::new(device.flash.clone());
        let mut words: WordDriver<_> = WordDriver::with_alignment(device.flash.clone());
        let by_bytes = boot(&mut bytes, &device.config, &mut |_| {});
        let by_words = boot(&mut words, &device.config, &mut |_| {});
        prop_assert_eq!(by_bytes, by_words);
        for slot in slots(&device) {
            let mut left = |flash: NorMemory| {
                device.flash = flash;
                device.bytes(slot)
            };
            let flashes = (bytes.device().clone(), words.device().clone());
            prop_assert!(left(flashes.0) == left(flashes.1));
        }
    }
}
