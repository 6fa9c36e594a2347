//! The HTTP server: what it reads, what it answers, and how it fails on request.
//!
//! - [`serve_faults`]: the text form of faults, and for how many requests each applies;
//! - [`serve_requests`]: for any bytes, in any pieces, the answers are well-formed;
//! - [`serve_answers`]: good requests and faults, and the answer that each has to get.

mod answers;
mod ask;
mod expected;
mod faults;
mod requests;

pub use expected::serve_answers;
pub use faults::serve_faults;
pub use requests::serve_requests;

use std::time::{Duration, SystemTime};

use bootswap_serve::{File, Files};

use crate::noise;

/// A name that needs percent-encoding.
const SPACED: &str = "/dir/b 1.bin";

/// When every file was last modified: 22 November 2026, 10:00 UTC.
fn modified() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_341_600)
}

/// The same in HTTP's format.
const MODIFIED: &str = "Sun, 22 Nov 2026 10:00:00 GMT";
const BEFORE: &str = "Sun, 22 Nov 2026 09:59:59 GMT";

/// The files of a server: their paths and bytes.
fn files(len_bytes: u32) -> [(&'static str, Vec<u8>); 2] {
    [("/app.bin", noise(1, len_bytes)), (SPACED, noise(2, 700))]
}

fn content(files: &[(&'static str, Vec<u8>)]) -> Files {
    let file = |bytes: &Vec<u8>| File::new(bytes.clone(), modified());
    Files::memory(files.iter().map(|(path, bytes)| (*path, file(bytes))))
}
