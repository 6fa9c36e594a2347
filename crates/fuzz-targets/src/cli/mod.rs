//! What the program `bootswap` reads.
//!
//! - [`migration_toml`]: a migration file, compared with a TOML parser's reading of it;
//! - [`sweep_case`]: a case of a sweep, as it is typed to replay it;
//! - [`file_info`]: any file, and the flash of a device with that file in it.

mod case;
mod info;
mod migration;

pub use case::sweep_case;
pub use info::file_info;
pub use migration::migration_toml;
