//! `cargo xtask dist`: the folder of a release.
//!
//! ```text
//!   bootswap-VERSION-HOST/
//!     bootswap                       the command line
//!     firmware/bootswap-CHIP.bin     prebuilt; `bootswap pack` looks for them here
//!     firmware/bootswap-CHIP-loader.bin           `bootswap image carrier` uses them
//!     esp-idf/                       the component for ESP-IDF, and a project with it
//!     docs/src/                      the book, as Markdown
//!     completions/                   for bash, zsh, fish, PowerShell and Elvish
//!     man/man1/                      a page for each command
//!     README.md, CHANGELOG.md, LICENSE-*, and what the README leads to
//!     LICENSES-THIRD-PARTY.txt       of everything that was linked in
//!     SHA256SUMS
//!     SHA256SUMS.sig or .minisig     where a key is given
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::firmware::{self, CHIPS, Chip, Firmware, Network};
use crate::licences;
use crate::process::{cargo, command, output, run as run_program};
use crate::{shell_files, signature, workspace};

/// Documents that are part of a release: what every user needs, and what the README leads to.
const TEXTS: [&str; 7] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "firmware/README.md",
];
/// Folders that are part of a release: the book, and the component for ESP-IDF.
const FOLDERS: [&str; 2] = ["docs/src", "esp-idf"];
/// The file of the checksums, in the format of `sha256sum --check`.
const CHECKSUMS: &str = "SHA256SUMS";

/// Where the folder is made.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Directory in which the folder is made
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    out: PathBuf,

    /// Directory with images from `cargo xtask firmware`, which are checked and taken instead of
    /// being built
    #[arg(long, value_name = "DIR")]
    firmware: Option<PathBuf>,

    /// Private key that the checksums are signed with: of minisign, of cosign, or in PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Makes the folder, prints what is in it, and which firmware could not be built.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let out = std::path::absolute(&options.out)?;
    let key = options.key.as_deref().map(std::path::absolute).transpose()?;
    std::env::set_current_dir(workspace::root()?)?;
    let taken = options.firmware.as_deref().map(std::path::absolute).transpose()?;
    let host = output(&mut command("rustc", &["--print", "host-tuple"]))?;
    let host = host.trim();
    let musl = musl_of(host).filter(|musl| has_library(musl));
    let target = musl.as_deref().unwrap_or(host);
    let folder = out.join(format!("bootswap-{}-{target}", env!("CARGO_PKG_VERSION")));
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;

    command_line(&folder, musl.as_deref())?;
    let missing = prebuilt(&folder.join("firmware"), taken.as_deref());
    texts(&folder)?;
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
    if let (None, Some(wanted)) = (musl, musl_of(host)) {
        println!(
            "NOT STATIC: bootswap needs this host's C library\n  because the target {wanted} is \
             not installed (rustup target add {wanted})"
        );
    }
    for (name, why) in &missing {
        println!("NOT IN IT: {name}\n  because {why:#}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The target whose programs need no C library, for a host that has one.
fn musl_of(host: &str) -> Option<String> {
    host.strip_suffix("-linux-gnu").map(|start| format!("{start}-linux-musl"))
}

/// Whether the standard library for a target is installed.
fn has_library(target: &str) -> bool {
    let folder = output(&mut command("rustc", &["--print", "target-libdir", "--target", target]));
    let has_core = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    };
    folder.is_ok_and(|folder| has_core(Path::new(folder.trim())))
}

/// Copies the documents and folders of a release, each to the path that it has in the repository,
/// so that links between them lead somewhere. Only what is under version control: a build in the
/// example's folder leaves passwords there.
fn texts(folder: &Path) -> Result<()> {
    let root = workspace::root()?;
    let mut list = command("git", &["ls-files", "-z", "--"]);
    let listed = output(list.current_dir(root).args(FOLDERS))?;
    let listed = listed.split('\0').filter(|path| !path.is_empty());
    for path in TEXTS.into_iter().chain(listed) {
        copy(&root.join(path), &folder.join(path))?;
    }
    Ok(())
}

/// Builds the command line for this host, with its completions and man pages; for `musl`, if that
/// is there.
fn command_line(folder: &Path, musl: Option<&str>) -> Result<()> {
    let target_dir = workspace::target("dist-build")?;
    let mut build = cargo();
    build.args(["build", "--locked", "--quiet", "--release", "--package", "bootswap-cli"]);
    // Line numbers of the source take four fifths of the file; users do not need them.
    build.args(["--config", "profile.release.strip=\"debuginfo\""]);
    build.args(musl.iter().flat_map(|target| ["--target", target]));
    run_program(build.arg("--target-dir").arg(&target_dir))?;
    let target_dir_arg = format!("--target-dir={}", target_dir.display());
    shell_files::make(folder, &["--release", &target_dir_arg])?;
    let name = format!("bootswap{}", std::env::consts::EXE_SUFFIX);
    let built = target_dir.join(musl.unwrap_or_default()).join("release").join(&name);
    copy(&built, &folder.join(&name))
}

/// Builds the firmware of every chip, with and without its network, or takes it from a folder;
/// returns what could not be had.
fn prebuilt(folder: &Path, taken: Option<&Path>) -> Vec<(String, anyhow::Error)> {
    let mut missing = Vec::new();
    for chip in CHIPS {
        for network in [Network::Wifi, Network::None] {
            // Not every chip has Wi-Fi.
            let Ok(firmware) = Firmware::new(chip, Some(network)) else { continue };
            eprintln!("=== {}", firmware.file_name());
            let made = match taken {
                Some(from) => take(chip, &from.join(firmware.file_name()), folder),
                None => firmware::make(firmware, folder).and_then(|built| built.check(firmware)),
            };
            if let Err(error) = made {
                missing.push(left_out(folder, firmware.file_name(), error));
            }
        }
        if firmware::has_loader(chip) {
            let made = match taken {
                Some(from) => take(chip, &from.join(firmware::loader_name(chip)), folder),
                None => firmware::make_loader(chip, folder)
                    .and_then(|built| firmware::check_with_esptool(chip, &built.image)),
            };
            if let Err(error) = made {
                missing.push(left_out(folder, firmware::loader_name(chip), error));
            }
        }
    }
    missing
}

/// Takes an image that was built before into the folder, and checks what can be seen without its
/// ELF.
fn take(chip: Chip, image: &Path, folder: &Path) -> Result<()> {
    let name = image.file_name().context("an image has a name")?;
    let copied = folder.join(name);
    copy(image, &copied)?;
    firmware::check_with_esptool(chip, &copied)
}

/// Removes a file that was made and then refused from the folder.
fn left_out(folder: &Path, name: String, error: anyhow::Error) -> (String, anyhow::Error) {
    drop(fs::remove_file(folder.join(&name)));
    (name, error)
}

/// A line for every file of the folder, sorted by path.
fn checksums(folder: &Path) -> Result<String> {
    let mut sums = String::new();
    for path in files(folder)? {
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        let name = path.strip_prefix(folder)?.display();
        sums += &format!("{:x}  {name}\n", Sha256::digest(&bytes));
    }
    Ok(sums)
}

/// The files of a folder and of those in it, sorted by path.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| next.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::copy(from, to).with_context(|| from.display().to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the folder, the README's links lead to files of the folder.
    #[test]
    fn the_readme_leads_to_files_of_the_release() {
        let folder = tempfile::tempdir().unwrap();
        texts(folder.path()).unwrap();
        let readme = fs::read_to_string(folder.path().join("README.md")).unwrap();
        let links = readme.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
        let local = links.filter(|link| !link.contains("://") && !link.starts_with('#'));
        let mut count = 0;
        for link in local {
            count += 1;
            let path = link.split('#').next().unwrap();
            assert!(folder.path().join(path).exists(), "{link}");
        }
        assert!(count > 5, "{count} links");
    }

    #[test]
    fn a_static_program_is_for_linux_alone() {
        assert_eq!(
            musl_of("aarch64-unknown-linux-gnu").as_deref(),
            Some("aarch64-unknown-linux-musl")
        );
        assert_eq!(musl_of("x86_64-pc-windows-msvc"), None);
        assert!(!has_library("x86_64-no-such-musl"));
    }

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
