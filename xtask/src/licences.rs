//! Licences of all third-party packages that are linked in: they go along with each release.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{cargo, output};

/// Beginnings of the names of files that hold a licence, or have to go along with one.
const NAMES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];

/// A text with name, version, licence and licence texts of every third-party package in these
/// workspaces.
///
/// # Errors
///
/// If cargo does not list the packages.
pub(crate) fn of(manifests: &[&Path]) -> Result<String> {
    let mut packages = BTreeMap::new();
    for manifest in manifests {
        let mut metadata = cargo();
        metadata.args(["metadata", "--locked", "--format-version", "1", "--manifest-path"]);
        let answer: Value = serde_json::from_str(&output(metadata.arg(manifest))?)?;
        let found = answer["packages"].as_array().context("cargo metadata lists no packages")?;
        for package in found {
            // Packages without a source are this project's own.
            let Some(_) = package["source"].as_str() else { continue };
            let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
            packages.insert((text("name"), text("version")), package.clone());
        }
    }
    let mut all = String::new();
    for ((name, version), package) in &packages {
        let licence = package["license"].as_str().unwrap_or("see its licence file");
        all += &format!("{name} {version}: {licence}\n");
    }
    for ((name, version), package) in &packages {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        for (file, text) in texts(manifest)? {
            all += &format!("\n{:=<80}\n{name} {version}: {file}\n\n{}\n", "", text.trim_end());
        }
    }
    Ok(all)
}

/// Licence files beside a package's manifest.
fn texts(manifest: &Path) -> Result<Vec<(String, String)>> {
    let folder = manifest.parent().context("a manifest lies in a folder")?;
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_one = NAMES.iter().any(|start| name.to_uppercase().starts_with(start));
        if is_one && path.is_file() {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            texts.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    texts.sort();
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn every_third_party_package_is_listed_with_its_licence() {
        let manifest = workspace::root().unwrap().join("Cargo.toml");
        let text = of(&[&manifest]).unwrap();
        assert!(text.lines().any(|line| line.starts_with("heapless 0.9") && line.contains("MIT")));
        assert!(text.contains("Permission is hereby granted, free of charge"));
        assert!(!text.contains("bootswap"), "the project's own packages are not third-party");
    }
}
