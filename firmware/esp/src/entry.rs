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
    crate::polled::run(async {
        if let Some(prepared) = crate::prepare(init()).await {
            crate::go_on(prepared).await;
        }
    });
    esp_hal::system::software_reset()
}

/// The start with Wi-Fi: the radio needs threads, interrupts and a heap. Nothing of that is there
/// before the attempt is counted, so that whatever hangs of it counts.
#[cfg(feature = "wifi")]
#[esp_hal::main]
fn main() -> ! {
    use embassy_futures::block_on;
    use esp_hal::ram;
    use esp_hal::timer::timg::TimerGroup;
    use esp_rtos::embassy::Executor;
    use static_cell::StaticCell;

    static EXECUTOR: StaticCell<Executor> = StaticCell::new();

    let peripherals = init();
    // Safety: nothing else uses the software interrupt.
    let interrupt = unsafe { peripherals.FROM_CPU_INTR0.clone_unchecked() };
    // Safety: nothing else uses the timers.
    let timers = unsafe { peripherals.TIMG0.clone_unchecked() };
    let Some(prepared) = block_on(crate::prepare(peripherals)) else {
        esp_hal::system::software_reset()
    };
    // The memory that the bootloader used, and some more.
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 36 * 1024);
    esp_rtos::start(TimerGroup::new(timers).timer0, interrupt);
    EXECUTOR.init(Executor::new()).run(|spawner| match with_radio(prepared) {
        Ok(task) => spawner.spawn(task),
        // There is one task, and it is spawned once.
        Err(_) => esp_hal::system::software_reset(),
    })
}

/// What is done where interrupts and a heap are there.
#[cfg(feature = "wifi")]
#[embassy_executor::task]
async fn with_radio(prepared: crate::Prepared) {
    crate::go_on(prepared).await;
    esp_hal::system::software_reset();
}
