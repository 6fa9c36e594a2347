//! Futures whose code stays apart from that of who waits for them.
//!
//! A compiler puts the code of a future into that of the one place that polls it, and so the code
//! of all steps into one function. With so much in it, a stack frame is too large for the short
//! forms of RISC-V's loads and stores, and what it holds has to be saved and loaded again at every
//! turn: 47,900 bytes of the migrator for ESP32-C3 were that function.

use core::pin::Pin;
use core::task::{Context, Poll};

/// Waits for a future, whose code is a function of its own. That of [`Engine`](crate::Engine) and
/// of what drives it is large enough to be worth it.
#[macro_export]
macro_rules! apart {
    ($future:expr) => {{
        let mut future = core::pin::pin!($future);
        core::future::poll_fn(|context| $crate::poll_apart(future.as_mut(), context)).await
    }};
}

/// Polls a future, for [`apart!`].
#[doc(hidden)]
#[inline(never)]
pub fn poll_apart<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(context)
}
