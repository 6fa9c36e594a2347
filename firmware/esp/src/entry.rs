//! Where the program starts, and how it ends: with a reset.

use esp_hal::clock::CpuClock;
use esp_hal::peripherals::Peripherals;
#[cfg(feature = "wifi")]
use esp_hal::peripherals::{FROM_CPU_INTR0, TIMG0};

fn init() -> Peripherals {
    #[cfg(feature = "stack-use")]
    crate::stack_use::paint();
    crate::chip::enable_floating_point();
    esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()))
}

/// The start without Wi-Fi: everything is polled.
#[cfg(not(feature = "wifi"))]
#[esp_hal::main]
fn main() -> ! {
    if let Some(prepared) = prelude() {
        migrate(prepared);
    }
    esp_hal::system::software_reset()
}

/// Prepares the migration. A function of its own, so that the stack that it needs is free again.
#[cfg(not(feature = "wifi"))]
#[inline(never)]
fn prelude() -> Option<crate::Prepared> {
    crate::polled::run(async { crate::prepare(init()).await })
}

/// Does the rest. A function of its own, so that what it needs is not on the stack before.
#[cfg(not(feature = "wifi"))]
#[inline(never)]
fn migrate(prepared: crate::Prepared) {
    crate::polled::run(crate::go_on(prepared));
}

/// The start with Wi-Fi: the radio needs threads, interrupts and a heap. None of them exists before
/// the attempt is counted, so an attempt in which one of them hangs counts.
#[cfg(feature = "wifi")]
#[esp_hal::main]
fn main() -> ! {
    use esp_hal::ram;
    use esp_hal::timer::timg::TimerGroup;
    use esp_rtos::embassy::Executor;
    use static_cell::StaticCell;

    static EXECUTOR: StaticCell<Executor> = StaticCell::new();

    let Some(Prelude { prepared, interrupt, timers }) = prelude() else {
        esp_hal::system::software_reset()
    };
    // The memory that the bootloader used, and some more where that is not enough.
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: HEAP_BYTES - HEAP_BESIDE_STACK_BYTES);
    #[cfg(not(feature = "esp32s2"))]
    esp_alloc::heap_allocator!(size: HEAP_BESIDE_STACK_BYTES);
    esp_rtos::start(TimerGroup::new(timers).timer0, interrupt);
    EXECUTOR.init(Executor::new()).run(|spawner| match with_radio(prepared) {
        Ok(task) => spawner.spawn(task),
        // There is one task, and it is spawned once.
        Err(_) => esp_hal::system::software_reset(),
    })
}

/// Bytes of the radio's heap.
#[cfg(feature = "wifi")]
const HEAP_BYTES: usize = 100 * 1024;
/// Bytes of it that lie in the memory of the stack. ESP32-S2 has none to spare there, but twice as
/// much as the others where the bootloader was (`memory.x` of esp-hal).
#[cfg(feature = "wifi")]
const HEAP_BESIDE_STACK_BYTES: usize = if cfg!(feature = "esp32s2") { 0 } else { 36 * 1024 };

/// What there is before threads.
#[cfg(feature = "wifi")]
struct Prelude {
    prepared: crate::Prepared,
    interrupt: FROM_CPU_INTR0<'static>,
    timers: TIMG0<'static>,
}

/// Prepares the migration. A function of its own, so that the stack that it needs is free again.
#[cfg(feature = "wifi")]
#[inline(never)]
fn prelude() -> Option<Prelude> {
    let peripherals = init();
    // Safety: nothing else uses the software interrupt.
    let interrupt = unsafe { peripherals.FROM_CPU_INTR0.clone_unchecked() };
    // Safety: nothing else uses the timers.
    let timers = unsafe { peripherals.TIMG0.clone_unchecked() };
    let prepared = embassy_futures::block_on(crate::prepare(peripherals))?;
    Some(Prelude { prepared, interrupt, timers })
}

/// What is done where interrupts and a heap are there.
#[cfg(feature = "wifi")]
#[embassy_executor::task]
async fn with_radio(prepared: crate::Prepared) {
    crate::go_on(prepared).await;
    esp_hal::system::software_reset();
}
