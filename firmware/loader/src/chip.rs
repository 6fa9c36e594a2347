//! What differs from chip to chip: its number, its memory, the places of its registers.

use carrier_format::LoaderMemory;
use esp_idf_format::Chip;
use flash_region::FlashAddr;

/// The chip that this loader is for.
pub const CHIP: Chip = if cfg!(feature = "esp32c3") {
    Chip::Esp32c3
} else if cfg!(feature = "esp32c6") {
    Chip::Esp32c6
} else {
    Chip::Esp32h2
};

/// Where its mask ROM starts a bootloader.
pub const BOOTLOADER_ADDR: FlashAddr = CHIP.bootloader_addr();

/// Its memory.
pub const MEMORY: LoaderMemory = match LoaderMemory::of(CHIP) {
    Some(memory) => memory,
    // Evaluated by the compiler: such a loader does not build.
    None => panic!("there is no loader for this chip"),
};

/// Registers of the watchdog that runs in the low-power domain, each a word's address.
pub struct WatchdogRegisters {
    /// Enabled or not, and what its stages do.
    pub config0: u32,
    /// After how many ticks stage 0 acts.
    pub config1: u32,
    /// Starts counting anew.
    pub feed: u32,
    /// Opens the others for writing.
    pub write_protect: u32,
}

/// `RTC_CNTL_WDT*_REG`, `components/soc/esp32c3/include/soc/rtc_cntl_reg.h` of `espressif/esp-idf`.
#[cfg(feature = "esp32c3")]
pub const WATCHDOG: WatchdogRegisters = WatchdogRegisters {
    config0: 0x6000_8090,
    config1: 0x6000_8094,
    feed: 0x6000_80a4,
    write_protect: 0x6000_80a8,
};

/// `LP_WDT_*_REG`, `components/soc/esp32c6/include/soc/lp_wdt_reg.h` of `espressif/esp-idf`.
#[cfg(feature = "esp32c6")]
pub const WATCHDOG: WatchdogRegisters = WatchdogRegisters {
    config0: 0x600b_1c00,
    config1: 0x600b_1c04,
    feed: 0x600b_1c14,
    write_protect: 0x600b_1c18,
};

/// `LP_WDT_*_REG`, `components/soc/esp32h2/include/soc/lp_wdt_reg.h` of `espressif/esp-idf`: with a
/// fifth configuration that ESP32-C6 does not have.
#[cfg(feature = "esp32h2")]
pub const WATCHDOG: WatchdogRegisters = WatchdogRegisters {
    config0: 0x600b_1c00,
    config1: 0x600b_1c04,
    feed: 0x600b_1c18,
    write_protect: 0x600b_1c1c,
};

/// Writes a register.
///
/// # Safety
///
/// It is the address of a register of this chip, and nothing else that runs relies on what it
/// holds.
pub unsafe fn write(register: u32, value: u32) {
    // Safety: the caller's.
    unsafe { (register as *mut u32).write_volatile(value) };
}

/// Reads a register.
///
/// # Safety
///
/// It is the address of a register or variable of this chip, and reading it changes nothing.
pub unsafe fn read(register: u32) -> u32 {
    // Safety: the caller's.
    unsafe { (register as *const u32).read_volatile() }
}
