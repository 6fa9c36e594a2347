extern crate std;

use std::vec;
use std::vec::Vec;

use flash_region::{FlashAddr, Region};
use proptest::prelude::*;

use super::*;
use crate::SwapKind;

const SLOT: Region = Region::clamped(FlashAddr(0x11_0000), 0x10_0000);

fn layout(config: TrailerConfig) -> TrailerLayout {
    TrailerLayout::new(SLOT, config).unwrap()
}

/// Offset from the end of the slot.
fn from_end(addr: FlashAddr) -> u32 {
    SLOT.end().bytes_since(addr)
}

#[test]
fn espressif_swap_using_scratch() {
    let layout = layout(TrailerConfig::espressif(SwapKind::Scratch));
    assert_eq!(layout.trailer().len_bytes(), 0x1830);
    assert_eq!(layout.offset_bytes(), 0xf_e7d0);
    assert_eq!(layout.status().len_bytes(), 0x1800);
    assert_eq!(layout.status_steps(), 512 * 3);
    assert_eq!(layout.status_step(1), Some(FlashAddr(0x11_0000 + 0xf_e7d4)));
    assert_eq!(layout.status_step(512 * 3), None);
    assert_eq!(layout.swap_size().map(from_end), Some(48));
    assert_eq!(layout.unprotected_tlv_sizes(), None);
    assert_eq!(from_end(layout.swap_info()), 40);
    assert_eq!(from_end(layout.copy_done()), 32);
    assert_eq!(from_end(layout.image_ok()), 24);
    assert_eq!(from_end(layout.magic()), 16);
}

#[test]
fn a_larger_max_align_spreads_the_fields_and_pads_the_magic() {
    let config =
        |max_align| TrailerConfig { max_align, ..TrailerConfig::espressif(SwapKind::Move) };
    let sixteen = layout(config(16));
    assert_eq!(sixteen.swap_size().map(from_end), Some(80));
    assert_eq!(from_end(sixteen.image_ok()), 32);
    assert_eq!(sixteen.padded_magic().len_bytes(), 16);
    let thirty_two = layout(config(32));
    assert_eq!(thirty_two.swap_size().map(from_end), Some(160));
    assert_eq!(from_end(thirty_two.swap_info()), 128);
    assert_eq!(from_end(thirty_two.copy_done()), 96);
    assert_eq!(from_end(thirty_two.image_ok()), 64);
    assert_eq!(from_end(thirty_two.magic()), 16);
    assert_eq!(thirty_two.padded_magic().len_bytes(), 32);
}

#[test]
fn offset_has_two_steps_a_sector_and_one_field_more() {
    let layout = layout(TrailerConfig::espressif(SwapKind::Offset));
    assert_eq!(layout.unprotected_tlv_sizes().map(from_end), Some(48));
    assert_eq!(layout.swap_size().map(from_end), Some(56));
    assert_eq!(layout.trailer().len_bytes(), 512 * 2 * 4 + 56);
}

#[test]
fn overwrite_has_no_status() {
    let layout = layout(TrailerConfig::espressif(SwapKind::Overwrite));
    assert!(layout.status().is_empty());
    assert_eq!(layout.swap_size(), None);
    assert_eq!(layout.trailer().start(), layout.swap_info());
    assert_eq!(layout.trailer().len_bytes(), 40);
}

#[test]
fn the_scratch_area_has_room_for_one_sector() {
    let area = Region::clamped(FlashAddr(0x21_0000), 0x4_0000);
    let config = TrailerConfig::espressif(SwapKind::Scratch);
    let layout = TrailerLayout::scratch(area, config).unwrap();
    assert_eq!(layout.trailer().len_bytes(), 3 * 4 + 48);
    assert_eq!(area.end().bytes_since(layout.magic()), 16);
}

#[test]
fn configurations_that_no_bootloader_can_have_are_refused() {
    let espressif = TrailerConfig::espressif(SwapKind::Scratch);
    let error = |slot, config| TrailerLayout::new(slot, config).unwrap_err();
    for found in [0, 4, 12, 64] {
        let config = TrailerConfig { max_align: found, ..espressif };
        assert_eq!(error(SLOT, config), TrailerError::MaxAlign { found });
    }
    for found in [0, 3, 16] {
        let config = TrailerConfig { write_unit_bytes: found, ..espressif };
        assert_eq!(error(SLOT, config), TrailerError::WriteUnit { found, max_align: 8 });
    }
    let config = TrailerConfig { max_sectors: 0, ..espressif };
    assert_eq!(error(SLOT, config), TrailerError::NoSectors);
    let slot = Region::clamped(FlashAddr(0), 0x1_0004);
    assert_eq!(error(slot, espressif), TrailerError::SlotMisaligned { slot, max_align: 8 });
    let slot = Region::clamped(FlashAddr(0), 0x1830);
    let too_small = TrailerError::SlotTooSmall { slot, trailer_len_bytes: 0x1830 };
    assert_eq!(error(slot, espressif), too_small);
    let config = TrailerConfig { max_sectors: u32::MAX, ..espressif };
    assert!(matches!(error(SLOT, config), TrailerError::SlotTooSmall { .. }));
}

#[test]
fn a_confirmed_trailer_is_image_ok_and_magic() {
    let layout = layout(TrailerConfig::espressif(SwapKind::Scratch));
    let mut out = [0u8; 0x1830];
    confirmed_trailer(&layout, &mut out).unwrap();
    assert_eq!(out[..0x1818], [0xff; 0x1818]);
    assert_eq!(out[0x1818], 0x01);
    assert_eq!(out[0x1819..0x1820], [0xff; 7]);
    assert_eq!(out[0x1820..0x1824], [0x77, 0xc2, 0x95, 0xf3]);
    assert_eq!(TrailerState::parse(&layout, &out), Ok(TrailerState::CONFIRMED));
}

#[test]
fn the_magic_of_another_max_align_is_bad() {
    let narrow = layout(TrailerConfig::espressif(SwapKind::Scratch));
    let wide = layout(TrailerConfig { max_align: 32, ..narrow.config() });
    let mut out = [0u8; 256];
    confirmed_trailer(&wide, &mut out).unwrap();
    assert_eq!(out[240..244], [32, 0, 0x2d, 0xe1]);
    assert_eq!(TrailerState::parse(&narrow, &out).unwrap().magic, Magic::Bad);
}

#[test]
fn too_few_bytes_are_refused_and_left_alone() {
    let layout = layout(TrailerConfig::espressif(SwapKind::Scratch));
    let short = TrailerError::BufferTooShort { len_bytes: 47, needed_bytes: 48 };
    let mut out = [0u8; 47];
    assert_eq!(TrailerState::parse(&layout, &out), Err(short));
    assert_eq!(confirmed_trailer(&layout, &mut out), Err(short));
    assert_eq!(out, [0; 47]);
}

#[test]
fn swap_info_is_decoded_as_bootutil_does() {
    assert_eq!(SwapInfo(0x13).swap_type(), SwapType::Permanent);
    assert_eq!(SwapInfo(0x13).image_num(), 1);
    assert_eq!(SwapInfo::UNSET.swap_type(), SwapType::None);
    assert_eq!(SwapInfo::UNSET.image_num(), 0);
    assert_eq!(SwapInfo(0x15).swap_type(), SwapType::None);
    assert_eq!(SwapInfo::new(SwapType::Revert), SwapInfo(4));
}

fn configs() -> impl Strategy<Value = TrailerConfig> {
    let swap = prop::sample::select(SwapKind::ALL.to_vec());
    (0u32..6, 3u32..6, 1u32..600, swap).prop_map(|(write, align, max_sectors, swap)| {
        TrailerConfig {
            write_unit_bytes: 1 << write.min(align),
            max_align: 1 << align,
            max_sectors,
            swap,
        }
    })
}

fn states() -> impl Strategy<Value = TrailerState> {
    let magic = prop::sample::select(vec![Magic::Good, Magic::Bad, Magic::Unset]);
    let flag = prop::sample::select(vec![Flag::Set, Flag::Bad, Flag::Unset]);
    let sizes = prop::option::of(0u32..u32::MAX);
    (magic, any::<u8>(), flag.clone(), flag, sizes.clone(), sizes).prop_map(
        |(magic, swap_info, copy_done, image_ok, swap_size_bytes, unprotected_tlv_sizes)| {
            TrailerState {
                magic,
                swap_info: SwapInfo(swap_info),
                copy_done,
                image_ok,
                swap_size_bytes,
                unprotected_tlv_sizes,
            }
        },
    )
}

proptest! {
    #[test]
    fn parse_undoes_emit(config in configs(), state in states(), more in 0usize..40) {
        let layout = layout(config);
        let state = TrailerState {
            swap_size_bytes: layout.swap_size().and(state.swap_size_bytes),
            unprotected_tlv_sizes: layout.unprotected_tlv_sizes().and(state.unprotected_tlv_sizes),
            ..state
        };
        let mut tail = vec![0x55; layout.fields().len_bytes() as usize + more];
        state.emit(&layout, &mut tail).unwrap();
        prop_assert_eq!(TrailerState::parse(&layout, &tail), Ok(state));
    }

    #[test]
    fn fields_follow_each_other_without_touching(config in configs()) {
        let layout = layout(config);
        let starts: Vec<FlashAddr> = [layout.swap_size(), layout.unprotected_tlv_sizes()]
            .into_iter()
            .flatten()
            .chain([layout.swap_info(), layout.copy_done(), layout.image_ok()])
            .chain([layout.padded_magic().start()])
            .collect();
        prop_assert_eq!(starts.first().copied(), Some(layout.fields().start()));
        for pair in starts.windows(2) {
            prop_assert_eq!(pair[1].bytes_since(pair[0]), config.max_align);
        }
        prop_assert_eq!(layout.status().end(), layout.fields().start());
        prop_assert_eq!(layout.fields().end(), SLOT.end());
        prop_assert!(SLOT.contains_region(layout.trailer()));
    }

    #[test]
    fn no_bytes_panic(config in configs(), tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let layout = layout(config);
        let parsed = TrailerState::parse(&layout, &tail);
        prop_assert_eq!(parsed.is_ok(), tail.len() >= layout.fields().len_bytes() as usize);
    }
}
