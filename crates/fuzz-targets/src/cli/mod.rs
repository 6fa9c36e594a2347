//! What the program `bootswap` reads.
//!
//! - [`migration_toml`]: a migration as its owner writes it, against what TOML says there is;
//! - [`sweep_case`]: a case of a sweep, as it is typed to be replayed;
//! - [`file_info`]: any file, and a device's flash with that in it.

mod case;
mod info;
mod migration;

pub use case::sweep_case;
pub use info::file_info;
pub use migration::migration_toml;
