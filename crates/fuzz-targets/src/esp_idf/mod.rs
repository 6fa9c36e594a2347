//! Targets about what an ESP-IDF device keeps in flash.

mod image;
mod otadata;
mod partition_csv;
mod partition_table;

pub use image::esp_image;
pub use otadata::otadata;
pub use partition_csv::partition_csv;
pub use partition_table::partition_table;
