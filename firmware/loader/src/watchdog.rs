//! The RTC watchdog, which ESP-IDF's bootloader leaves running, with nine seconds unless it was
//! built otherwise.
//!
//! An MCUboot that handles it configures it again. One that does not would let it run, and be reset
//! in the middle of a swap. So it is stopped, as such an MCUboot stops the ROM's watchdog, or set
//! to the time of a trial.

use crate::chip::{WATCHDOG, write};

/// Opens the registers, `RTC_CNTL_WDT_WKEY_VALUE` or `LP_WDT_WKEY_VALUE`
/// (`components/hal/CHIP/include/hal/rwdt_ll.h` or `lpwdt_ll.h` of `espressif/esp-idf`).
const KEY: u32 = 0x50d8_3aa1;
/// Fields of the first register, the same on the three chips (`rtc_cntl_reg.h`, `lp_wdt_reg.h`):
/// enabled; stage 0 resets the chip and the low-power domain (`WDT_STAGE_ACTION_RESET_RTC`,
/// `components/hal/include/hal/wdt_types.h`); the longest reset signals; paused in sleep.
const ENABLED: u32 = 1 << 31 | 4 << 28 | 7 << 16 | 7 << 13 | 1 << 9;
/// Its feed, `RTC_CNTL_WDT_FEED`.
const FEED: u32 = 1 << 31;
/// Ticks of the slow clock in a millisecond (`SOC_CLK_RC_SLOW_FREQ_APPROX`,
/// `components/soc/CHIP/include/soc/clk_tree_defs.h`), halved: stage 0 counts each at least twice
/// (`lpwdt_ll_config_stage`).
const TICKS_PER_MS: u32 = 136 / 2;

/// Makes it reset the chip after this time, or stops it if the time is 0.
pub fn set(timeout_ms: u32) {
    // Safety: registers of the watchdog, which nothing else uses meanwhile; the order is that of
    // `wdt_hal_init`, stopped before it is set up.
    unsafe {
        write(WATCHDOG.write_protect, KEY);
        write(WATCHDOG.config0, 0);
        if timeout_ms != 0 {
            write(WATCHDOG.config1, timeout_ms.saturating_mul(TICKS_PER_MS));
            write(WATCHDOG.config0, ENABLED);
            write(WATCHDOG.feed, FEED);
        }
        write(WATCHDOG.write_protect, 0);
    }
}
