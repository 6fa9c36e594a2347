//! Where the program starts, and how it ends: with a reset.

use esp_hal::clock::CpuClock;
use esp_hal::peripherals::Peripherals;

fn init() -> Peripherals {
    #[cfg(feature = "stack-use")]
    crate::stack_use::paint();
    esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()))
}

/// The start without Wi-Fi: everything is polled.
#[cfg(not(feature = "wifi"))]
#[esp_hal::main]
fn main() -> ! {
    crate::polled::run(crate::start(init()));
    esp_hal::system::software_reset()
}

/// The start with Wi-Fi: the radio needs threads, interrupts and a heap.
#[cfg(feature = "wifi")]
#[esp_rtos::main]
async fn main(_spawner: embassy_executor::Spawner) {
    use esp_hal::ram;
    use esp_hal::timer::timg::TimerGroup;

    // The memory that the bootloader used, and some more.
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 36 * 1024);
    let peripherals = init();
    // Safety: nothing else uses the software interrupt.
    let interrupt = unsafe { peripherals.FROM_CPU_INTR0.clone_unchecked() };
    // Safety: nothing else uses the timers.
    let timers = TimerGroup::new(unsafe { peripherals.TIMG0.clone_unchecked() });
    esp_rtos::start(timers.timer0, interrupt);
    crate::start(peripherals).await;
    esp_hal::system::software_reset();
}
