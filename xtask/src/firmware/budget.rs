//! What a firmware may take of flash and memory, with the reasons.

use super::chip::{Firmware, Network};

const KIB: usize = 1024;

/// The most of the stack that a migration may use. The emulated tests measure it on ESP32 and
/// ESP32-C3: cores of both kinds, and nothing else on the stack depends on the chip. In the
/// emulated firmware the futures are on the stack too; with a radio they are in a static.
pub(crate) const STACK_USED_BYTES: u64 = 56 * 1024;
/// What interrupts and the start of the radio may need in addition; no emulator runs them. The
/// radio's threads have their own stacks, so this is only a few frames of handlers.
const STACK_MARGIN_BYTES: u64 = 8 * 1024;

/// The limits of a firmware.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Budget {
    /// The longest image.
    pub(super) image_bytes: usize,
    /// The least memory that is left for the stack.
    pub(super) stack_bytes: u64,
    /// Addresses of memory that the mask ROM goes on using, where the linker script does not keep
    /// them free.
    pub(super) rom_memory: Option<(u64, u64)>,
}

impl Budget {
    /// The limits of a firmware.
    pub(super) fn of(firmware: Firmware) -> Self {
        let image_bytes = match (firmware.network, firmware.chip.name()) {
            // The artifacts are in the same OTA partition, which often has 1 MiB.
            (Network::None, _) => 384 * KIB,
            // With a migration of any kind in it, it has to fit OTA partitions of 1 MiB and those
            // of 768 KiB; the rest of the limit keeps it from growing unnoticed.
            (_, "esp32c3") => 720 * KIB,
            // OTA partitions of 1 MiB and those of 896 KiB. The radio's libraries of ESP32-C6 are
            // larger than those of ESP32-C3, and so is code for Xtensa cores.
            _ => 864 * KIB,
        };
        // `_stack_sentry` and what follows it in esp-rom-sys, `ld/esp32s2/rom/esp32s2.rom.ld`: the
        // ROM's stack and its data, among them what its functions know of the flash chip.
        let rom_memory = (firmware.chip.name() == "esp32s2").then_some((0x3fff_c410, 0x4000_0000));
        let stack_bytes = STACK_USED_BYTES + STACK_MARGIN_BYTES;
        Self { image_bytes, stack_bytes, rom_memory }
    }
}
