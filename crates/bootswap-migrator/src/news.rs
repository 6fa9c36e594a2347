//! What happens, for those who show it in another way than the console does.

use core::fmt;

use bootswap_engine::Event;
use bootswap_plan::{Plan, Reasons};

/// What a [`Hardware`](crate::Hardware) hears, at the time when the console says it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum News<'a> {
    /// There is a plan.
    Planned(&'a Plan),
    /// There is none.
    Refused(&'a Reasons),
    /// The engine does something.
    Event(&'a Event<'a>),
    /// The engine could not go on.
    Failed(&'a dyn fmt::Display),
}
