//! Facts that were read from a dump or assumed.

use esp_idf_format::FixedText;
use esp_idf_format::image::ImageInfo;
use esp_idf_format::partition::{Partition, PartitionTable};

use super::error::FactsError;
use super::warning::FactsWarning;
use crate::owned::OwnedFacts;

/// Facts, and how certain they are.
#[derive(Clone, Debug)]
pub struct FoundFacts {
    /// The facts.
    pub facts: OwnedFacts,
    /// Label of the partition that the migrator runs from.
    pub running: FixedText<16>,
    /// The app image in that partition; `None` if its length is assumed.
    pub image: Option<ImageInfo>,
    /// What is wrong with the device although it boots.
    pub warnings: Vec<FactsWarning>,
}

/// The app partition with that label.
pub(super) fn find_app(table: &PartitionTable<'_>, label: &str) -> Result<Partition, FactsError> {
    let apps = || table.iter().filter(Partition::is_app).map(|p| p.label.to_string()).collect();
    match table.find_label(label) {
        None => Err(FactsError::UnknownLabel { label: label.to_owned(), apps: apps() }),
        Some(partition) if !partition.is_app() => {
            Err(FactsError::NotAnApp { label: label.to_owned(), apps: apps() })
        }
        Some(partition) => Ok(partition),
    }
}
