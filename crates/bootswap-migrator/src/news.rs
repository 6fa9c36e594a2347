//! Events for boards that show them in another way than on the console.

use core::fmt;

use bootswap_engine::Event;
use bootswap_plan::{Plan, Reasons};

/// An event for a [`Hardware`](crate::Hardware), at the time when the console prints it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum News<'a> {
    /// There is a plan.
    Planned(&'a Plan),
    /// There is none.
    Refused(&'a Reasons),
    /// An event of the engine.
    Event(&'a Event<'a>),
    /// The engine has failed.
    Failed(&'a dyn fmt::Display),
}
