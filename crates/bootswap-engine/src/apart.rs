//! Futures whose code stays separate from the code that awaits them.
//!
//! A compiler inlines the code of a future into the one place that polls it, and so the code of all
//! steps into one function. Such a large function has a stack frame that is too large for the short
//! forms of RISC-V's loads and stores, and must save and reload its values all the time: 47,900
//! bytes of the migrator for ESP32-C3 were that function.

use core::pin::Pin;
use core::task::{Context, Poll};

/// Awaits a future whose code becomes a separate function. This pays off for the large futures of
/// [`Engine`](crate::Engine) and its callers.
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
