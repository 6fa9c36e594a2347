//! Runs one future for as long as there is power.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use crate::Power;

/// Polls `future` until it is ready, and returns its value, or `None` once there is no `power`.
///
/// The asynchronous methods of [`Driver`](crate::Driver) stay pending for ever once power is lost,
/// so no code of the future runs any more, not even its error handling; the future is then dropped.
/// If the future completes although power was lost meanwhile, that is `None` too, because no code
/// would have seen its result. While there is power, the future is polled without waiting for a
/// wake-up.
pub fn run_until_powered_off<F: Future>(future: F, power: &Power) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    while power.is_on() {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return power.is_on().then_some(value),
            Poll::Pending => std::thread::yield_now(),
        }
    }
    None
}
