//! What the conformance tests share: third-party programs, ready to run.
//!
//! The tests compare the project's code with those programs. They are a crate of their own, so that
//! no other crate needs Python or a web server for its tests. `cargo xtask test` installs the
//! programs and names those that it could not get.
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
    conformance.parent().expect("this crate is a folder of the workspace").to_path_buf()
}
