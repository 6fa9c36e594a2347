//! Trailers: where their fields are, what they mean, and how they are written.

use arbitrary::{Result, Unstructured};
use flash_region::{FlashAddr, Region};
use mcuboot_format::trailer::{
    Flag, Magic, SwapType, TrailerConfig, TrailerError, TrailerLayout, TrailerState,
    confirmed_trailer, magic_bytes,
};
use mcuboot_format::{SlotLimits, SwapKind};

/// Lays out a trailer, reads it and writes it again.
///
/// The input is slot and configuration, then the last bytes of the slot.
pub fn mcuboot_trailer(input: &[u8]) {
    let _ = run(&mut Unstructured::new(input));
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let config = TrailerConfig {
        write_unit_bytes: if u.ratio(7, 8)? { 1 << u.int_in_range(0..=6)? } else { u.arbitrary()? },
        max_align: if u.ratio(7, 8)? { *u.choose(&[8, 16, 32])? } else { u.arbitrary()? },
        max_sectors: if u.ratio(7, 8)? { u.int_in_range(0..=600)? } else { u.arbitrary()? },
        swap: *u.choose(&SwapKind::ALL)?,
    };
    let slot = |u: &mut Unstructured<'_>| {
        let len_bytes =
            if u.ratio(7, 8)? { u.int_in_range(0..=0x4000)? * 8 } else { u.arbitrary()? };
        Ok(Region::clamped(FlashAddr(u.arbitrary()?), len_bytes))
    };
    let (first, second) = (slot(u)?, slot(u)?);
    let is_scratch: bool = u.arbitrary()?;
    let make = if is_scratch { TrailerLayout::scratch } else { TrailerLayout::new };
    match (make(first, config), make(second, config)) {
        (Ok(layout), other) => {
            check_layout(&layout);
            check_state(&layout, u.bytes(u.len())?);
            if let Ok(other) = other {
                check_limits(&layout, &other);
            }
        }
        (Err(error), _) => check_error(&error, config, first),
    }
    Ok(())
}

fn check_error(error: &TrailerError, config: TrailerConfig, slot: Region) {
    assert!(!error.to_string().is_empty());
    let is_known = matches!(config.max_align, 8 | 16 | 32)
        && matches!(config.write_unit_bytes, 1 | 2 | 4 | 8 | 16 | 32)
        && config.write_unit_bytes <= config.max_align
        && config.max_sectors > 0;
    let is_small = matches!(error, TrailerError::SlotTooSmall { .. });
    let is_misaligned = !slot.len_bytes().is_multiple_of(config.max_align.max(1));
    assert!(!is_known || is_small || is_misaligned, "{error}");
}

/// Checks that each field follows the one before it, aligned, up to the slot's end.
fn check_layout(layout: &TrailerLayout) {
    let (slot, config) = (layout.slot(), layout.config());
    let (trailer, status, fields) = (layout.trailer(), layout.status(), layout.fields());
    assert!(slot.contains_region(trailer) && trailer != slot);
    assert_eq!((trailer.start(), trailer.end()), (status.start(), slot.end()));
    assert_eq!((status.end(), fields.end()), (fields.start(), slot.end()));
    assert_eq!(layout.offset_bytes(), trailer.start().bytes_since(slot.start()));

    let from_end = |addr: FlashAddr| slot.end().bytes_since(addr);
    let magic_len_bytes = 16u32.next_multiple_of(config.max_align);
    let nth = |n: u32| magic_len_bytes + n * config.max_align;
    assert_eq!(from_end(layout.magic()), 16);
    assert_eq!(from_end(layout.padded_magic().start()), magic_len_bytes);
    assert_eq!(from_end(layout.image_ok()), nth(1));
    assert_eq!(from_end(layout.copy_done()), nth(2));
    assert_eq!(from_end(layout.swap_info()), nth(3));
    let sizes = [layout.unprotected_tlv_sizes(), layout.swap_size()].into_iter().flatten();
    let mut count = 3;
    for (field, n) in sizes.zip(4..) {
        assert_eq!(from_end(field), nth(n));
        count = n;
    }
    assert_eq!(from_end(fields.start()), nth(count));

    let steps = layout.status_steps();
    assert_eq!(layout.status_step(steps), None);
    if let Some(last) = steps.checked_sub(1).and_then(|last| layout.status_step(last)) {
        assert_eq!(last.get() + config.write_unit_bytes, status.end().get());
        assert_eq!(layout.status_step(0), Some(status.start()));
    }
}

fn check_state(layout: &TrailerLayout, tail: &[u8]) {
    let needed = layout.fields().len_bytes() as usize;
    let Ok(state) = TrailerState::parse(layout, tail) else {
        assert!(tail.len() < needed);
        let mut out = tail.to_vec();
        let emitted = TrailerState::PENDING.emit(layout, &mut out);
        assert!(matches!(emitted, Err(TrailerError::BufferTooShort { .. })) && out == tail);
        return;
    };
    let byte = |addr: FlashAddr| tail[tail.len() - layout.slot().end().bytes_since(addr) as usize];
    let flag = |addr| match byte(addr) {
        0x01 => Flag::Set,
        0xff => Flag::Unset,
        _ => Flag::Bad,
    };
    assert_eq!(
        (state.image_ok, state.copy_done),
        (flag(layout.image_ok()), flag(layout.copy_done()))
    );
    assert_eq!(state.swap_info.0, byte(layout.swap_info()));
    let swap_type = state.swap_info.swap_type();
    assert!(swap_type == SwapType::None || swap_type as u8 == byte(layout.swap_info()) & 0xf);
    let magic = &tail[tail.len() - 16..];
    let is_good = magic == magic_bytes(layout.config().max_align);
    assert_eq!(state.magic == Magic::Good, is_good);
    assert_eq!(state.magic == Magic::Unset, magic == [0xff; 16]);

    let mut out = tail.to_vec();
    assert_eq!(state.emit(layout, &mut out), Ok(()));
    assert_eq!(TrailerState::parse(layout, &out), Ok(state));
    assert!(flash_region::is_blank(&out[..tail.len() - needed]), "the status is not cleared");
    assert_eq!(confirmed_trailer(layout, &mut out), Ok(()));
    assert_eq!(TrailerState::parse(layout, &out), Ok(TrailerState::CONFIRMED));
}

fn check_limits(primary: &TrailerLayout, secondary: &TrailerLayout) {
    for sector_len_bytes in [0, 1, 4096, u32::MAX] {
        let limits = SlotLimits::new(primary, secondary, sector_len_bytes);
        for layout in [primary, secondary] {
            assert!(limits.slot_len_bytes <= layout.slot().len_bytes());
            assert!(limits.max_image_len_bytes <= layout.offset_bytes());
        }
    }
}
