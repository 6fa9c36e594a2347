//! Bytes as hexadecimal digits, for messages.

use core::fmt;

/// Bytes that print as hexadecimal digits, two each, without anything between them.
///
/// ```
/// assert_eq!(flash_region::Hex(&[0x0a, 0xff]).to_string(), "0aff");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
