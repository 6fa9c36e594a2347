//! The menu's contents and its reaction to keys, without a terminal.
//!
//! ```text
//!             Enter                    Enter: value to the document
//!   Browse ----------> Edit, Choose -------------------------------> Browse
//!     | m v ?             | every key: checked, and a preview judged
//!     v                   | Esc: as it was
//!   Map, Verdict, Keys    v
//! ```

mod keys;
mod rows;
mod state;
mod typing;

pub use keys::Wish;
pub use rows::Row;
pub use state::{Choose, Edit, Menu, Mode};
