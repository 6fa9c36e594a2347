//! No network: what the migrator places, it carries with it.

/// The radio that is not there.
pub struct Radio;

impl Radio {
    /// Goes silent, which it is.
    pub async fn off(&self) {}
}
