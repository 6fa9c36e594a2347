//! What the conformance tests share: the programs that others wrote, ready to be run against.
//!
//! The tests beside this library compare the project's own code with those programs. They live in a
//! crate of their own because nothing else may need Python or a web server to be built or tested.
//! `cargo xtask test` puts the programs in place and counts those that it could not get.
// Everything here is test code: a failure has no caller to be reported to but the test's output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

pub mod program;
pub mod python;
pub mod walk_through;
pub mod web;

/// The directory of the workspace's own `Cargo.toml`.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let conformance = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    conformance.parent().expect("this crate lies in the workspace").to_path_buf()
}
