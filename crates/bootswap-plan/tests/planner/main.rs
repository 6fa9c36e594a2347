//! The planner over tables of layouts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::result_large_err, reason = "reasons travel by value")]

use bootswap_plan::*;

mod any_layout;
mod builds;
mod case;
mod commits;
mod example;
mod hosted;
mod layouts;
mod odd_tables;
mod reach;
mod real_maps;
mod real_tables;
mod refusals;
mod staging;
/// The example, shared with the crate's own tests.
#[allow(dead_code, reason = "the crate's own tests use the rest")]
#[path = "../../src/test_support.rs"]
mod test_support;
