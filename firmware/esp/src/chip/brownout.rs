//! The brownout detector: resets the chip while the supply is too low.
//!
//! A flash chip whose supply sags may program and erase anything. The level stays as the bootloader
//! and the chip set it.

/// Cycles of the slow clock for which the chip stays in reset: the most.
const RESET_WAIT: u16 = 0x3ff;

/// Lets a brownout reset the chip.
#[cfg(any(feature = "esp32c3", feature = "esp32s3"))]
pub fn reset_on_brownout() {
    // Safety: the value fits its ten bits.
    esp_hal::peripherals::LPWR::regs().brown_out().modify(|_, w| unsafe {
        w.brown_out_close_flash_ena().set_bit();
        w.brown_out_pd_rf_ena().set_bit();
        w.brown_out_rst_wait().bits(RESET_WAIT);
        w.brown_out_rst_sel().set_bit();
        w.brown_out_rst_ena().set_bit();
        w.brown_out_ena().set_bit()
    });
}

/// Lets a brownout reset the chip.
#[cfg(feature = "esp32s2")]
pub fn reset_on_brownout() {
    // Safety: the value fits its ten bits.
    esp_hal::peripherals::LPWR::regs().brown_out().modify(|_, w| unsafe {
        w.close_flash_ena().set_bit();
        w.pd_rf_ena().set_bit();
        w.rst_wait().bits(RESET_WAIT);
        w.rst_sel().set_bit();
        w.rst_ena().set_bit();
        w.ena().set_bit()
    });
}

/// Lets a brownout reset the chip.
#[cfg(feature = "esp32")]
pub fn reset_on_brownout() {
    // Safety: the value fits its ten bits.
    esp_hal::peripherals::LPWR::regs().brown_out().modify(|_, w| unsafe {
        w.close_flash_ena().set_bit();
        w.pd_rf_ena().set_bit();
        w.rst_wait().bits(RESET_WAIT);
        w.rst_ena().set_bit();
        w.ena().set_bit()
    });
}

/// Lets a brownout reset the chip.
#[cfg(any(feature = "esp32c6", feature = "esp32h2"))]
pub fn reset_on_brownout() {
    // Safety: the value fits its ten bits.
    esp_hal::peripherals::LP_ANA::regs().bod_mode0_cntl().modify(|_, w| unsafe {
        w.bod_mode0_close_flash_ena().set_bit();
        w.bod_mode0_pd_rf_ena().set_bit();
        w.bod_mode0_reset_wait().bits(RESET_WAIT);
        w.bod_mode0_reset_sel().set_bit();
        w.bod_mode0_reset_ena().set_bit()
    });
}
