//! `cargo xtask dist`: the folder of a release.
//!
//! ```text
//!   bootswap-VERSION-HOST/
//!     bootswap                       the command line
//!     firmware/bootswap-CHIP.bin     prebuilt; `bootswap pack` looks for them here
//!     firmware/bootswap-CHIP-loader.bin           `bootswap image carrier` uses them
//!     completions/                   for bash, zsh, fish, PowerShell and Elvish
//!     man/man1/                      a page for each command
//!     README.md, CHANGELOG.md, LICENSE-*
//!     LICENSES-THIRD-PARTY.txt       of everything that was linked in
//!     SHA256SUMS
//!     SHA256SUMS.sig or .minisig     where a key is given
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::firmware::{self, CHIPS, Firmware, Network};
use crate::licences;
use crate::process::{cargo, command, output, run as run_program};
use crate::{shell_files, signature, workspace};

/// Documents that are part of a release.
const TEXTS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];
/// The file of the checksums, in the format of `sha256sum --check`.
const CHECKSUMS: &str = "SHA256SUMS";

/// Where the folder is made.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Directory in which the folder is made
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    out: PathBuf,

    /// Private key that the checksums are signed with: of minisign, of cosign, or in PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Makes the folder, prints what is in it, and which firmware could not be built.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let out = std::path::absolute(&options.out)?;
    let key = options.key.as_deref().map(std::path::absolute).transpose()?;
    std::env::set_current_dir(workspace::root()?)?;
    let host = output(&mut command("rustc", &["--print", "host-tuple"]))?;
    let folder = out.join(format!("bootswap-{}-{}", env!("CARGO_PKG_VERSION"), host.trim()));
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;

    command_line(&folder)?;
    let missing = prebuilt(&folder.join("firmware"));
    for text in TEXTS {
        copy(Path::new(text), &folder.join(text))?;
    }
    let third_party = licences::of(&[Path::new("Cargo.toml"), Path::new("firmware/Cargo.toml")])?;
    let path = folder.join("LICENSES-THIRD-PARTY.txt");
    fs::write(&path, third_party).with_context(|| path.display().to_string())?;
    let sums = checksums(&folder)?;
    let path = folder.join(CHECKSUMS);
    fs::write(&path, &sums).with_context(|| path.display().to_string())?;

    println!("{}\n{sums}", folder.display());
    match key {
        Some(key) => {
            let (signature, how) = signature::sign(&path, &key)?;
            println!("signed: {}\n  verify it with: {how}", signature.display());
        }
        None => println!("NOT SIGNED: no --key"),
    }
    for (name, why) in &missing {
        println!("NOT BUILT: {name}\n  because {why:#}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the command line for this host, with its completions and man pages.
fn command_line(folder: &Path) -> Result<()> {
    let target_dir = workspace::target("dist-build")?;
    let mut build = cargo();
    build.args(["build", "--locked", "--quiet", "--release", "--package", "bootswap-cli"]);
    // Line numbers of the source take four fifths of the file; users do not need them.
    build.args(["--config", "profile.release.strip=\"debuginfo\""]);
    run_program(build.arg("--target-dir").arg(&target_dir))?;
    let target_dir_arg = format!("--target-dir={}", target_dir.display());
    shell_files::make(folder, &["--release", &target_dir_arg])?;
    let name = format!("bootswap{}", std::env::consts::EXE_SUFFIX);
    copy(&target_dir.join("release").join(&name), &folder.join(&name))
}

/// Builds the firmware of every chip, with and without its network; returns what could not be
/// built.
fn prebuilt(folder: &Path) -> Vec<(String, anyhow::Error)> {
    let mut missing = Vec::new();
    for chip in CHIPS {
        for network in [Network::Wifi, Network::None] {
            // Not every chip has Wi-Fi.
            let Ok(firmware) = Firmware::new(chip, Some(network)) else { continue };
            eprintln!("=== {}", firmware.file_name());
            let made = firmware::make(firmware, folder).and_then(|built| built.check(firmware));
            if let Err(error) = made {
                missing.push(left_out(folder, firmware.file_name(), error));
            }
        }
        if firmware::has_loader(chip) {
            let made = firmware::make_loader(chip, folder)
                .and_then(|built| firmware::check_with_esptool(chip, &built.image));
            if let Err(error) = made {
                missing.push(left_out(folder, firmware::loader_name(chip), error));
            }
        }
    }
    missing
}

/// Removes a file that was made and then refused from the folder.
fn left_out(folder: &Path, name: String, error: anyhow::Error) -> (String, anyhow::Error) {
    drop(fs::remove_file(folder.join(&name)));
    (name, error)
}

/// A line for every file of the folder, sorted by path.
fn checksums(folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| next.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let mut sums = String::new();
    for path in files {
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        let name = path.strip_prefix(folder)?.display();
        sums += &format!("{:x}  {name}\n", Sha256::digest(&bytes));
    }
    Ok(sums)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| from.display().to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_every_file() {
        let folder = workspace::target("dist-test").unwrap();
        fs::create_dir_all(folder.join("firmware")).unwrap();
        fs::write(folder.join("b"), "abc").unwrap();
        fs::write(folder.join("firmware/a"), "").unwrap();
        let sums = checksums(&folder).unwrap();
        // FIPS 180-4, and the empty message.
        let wanted = "\
ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  firmware/a
";
        assert_eq!(sums, wanted);
    }
}
