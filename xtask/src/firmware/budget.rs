//! What a firmware may take of flash and memory, with the reasons.

use super::chip::{Firmware, Network};

const KIB: usize = 1024;

/// The limits of a firmware.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Budget {
    /// The longest image.
    pub(super) image_bytes: usize,
    /// The least memory that is left for the stack.
    pub(super) stack_bytes: u64,
}

impl Budget {
    /// The limits of a firmware.
    pub(super) fn of(firmware: Firmware) -> Self {
        let image_bytes = match (firmware.network, firmware.chip.name()) {
            // The artifacts are in the same OTA partition, which often has 1 MiB.
            (Network::None, _) => 384 * KIB,
            // With a migration of any kind in it, it has to fit OTA partitions of 1 MiB and those
            // of 768 KiB; the rest keeps it from growing unseen.
            (_, "esp32c3") => 684 * KIB,
            // OTA partitions of 1 MiB and those of 896 KiB. The radio's libraries of ESP32-C6 are
            // larger than those of ESP32-C3, and so is code for Xtensa cores.
            _ => 832 * KIB,
        };
        Self { image_bytes, stack_bytes: 0 }
    }
}
