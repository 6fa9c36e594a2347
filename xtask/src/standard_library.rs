//! The standard library for a target without an operating system: `core` and `alloc`.
//!
//! ```text
//!   rustup target add TARGET          -->  precompiled
//!   source: rust-src of the toolchain,     built along with the crates (-Zbuild-std)
//!     BOOTSWAP_RUST_LIBRARY,
//!     ../shared/toolchain             -->
//! ```

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::archive;
use crate::process::{command, output, retry, run, works};

/// Environment variable: a directory that holds `library`, of the source of the Rust version in
/// use.
const SOURCE_VARIABLE: &str = "BOOTSWAP_RUST_LIBRARY";

/// Where the standard library for a target comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StandardLibrary {
    /// It is installed.
    Precompiled {
        /// The target's name.
        target: String,
    },
    /// It is built from source.
    Source {
        /// The target's name, or the path of its specification.
        target: String,
        /// The directory in which `library` lies; `None` for the toolchain's own.
        source: Option<PathBuf>,
    },
}

impl StandardLibrary {
    /// Gets the library for a target that rustup knows.
    ///
    /// # Errors
    ///
    /// If rustup cannot fetch it and there is no source to build it from; the message says what to
    /// run.
    pub(crate) fn obtain(target: &str) -> Result<Self> {
        let precompiled = Self::Precompiled { target: target.to_owned() };
        if is_installed(target)? {
            return Ok(precompiled);
        }
        let added = retry_twice(&["target", "add", target]);
        if added.is_ok() && is_installed(target)? {
            return Ok(precompiled);
        }
        Self::from_source(target)
            .with_context(|| format!("{target} is not installed; run: rustup target add {target}"))
    }

    /// Finds the source, for a target without a precompiled library. `target` may be the path of a
    /// specification.
    ///
    /// # Errors
    ///
    /// If there is no source; the message says what to run.
    pub(crate) fn from_source(target: &str) -> Result<Self> {
        let target = target.to_owned();
        if let Some(given) = env::var_os(SOURCE_VARIABLE) {
            let source = PathBuf::from(given);
            if !source.join("library/core").is_dir() {
                bail!("{SOURCE_VARIABLE} names {}, which has no library/core", source.display());
            }
            return Ok(Self::Source { target, source: Some(source) });
        }
        if has_rust_src()? {
            return Ok(Self::Source { target, source: None });
        }
        if let Some(source) = unpacked()? {
            return Ok(Self::Source { target, source: Some(source) });
        }
        if retry_twice(&["component", "add", "rust-src"]).is_ok() && has_rust_src()? {
            return Ok(Self::Source { target, source: None });
        }
        bail!(
            "there is no source of the standard library; run `rustup component add rust-src`, or \
             set {SOURCE_VARIABLE} to a directory that holds its `library`"
        )
    }

    /// Has cargo use it.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        match self {
            Self::Precompiled { target } => drop(cargo.args(["--target", target])),
            Self::Source { target, source } => {
                cargo.args(["--target", target, "-Zbuild-std=core,alloc"]);
                if target.ends_with(".json") {
                    cargo.arg("-Zjson-target-spec");
                }
                // What is unstable is building the library at all, not what is built.
                cargo.env("RUSTC_BOOTSTRAP", "1");
                if let Some(source) = source {
                    cargo.env("__CARGO_TESTS_ONLY_SRC_ROOT", source.join("library"));
                }
            }
        }
    }
}

fn retry_twice(rustup: &[&str]) -> Result<()> {
    if !works(&mut command("rustup", &["--version"])) {
        bail!("there is no rustup");
    }
    retry(|| run(&mut command("rustup", rustup)))
}

fn is_installed(target: &str) -> Result<bool> {
    let mut probe = command("rustc", &["--print", "target-libdir", "--target", target]);
    Ok(Path::new(output(&mut probe)?.trim()).is_dir())
}

fn has_rust_src() -> Result<bool> {
    let sysroot = output(&mut command("rustc", &["--print", "sysroot"]))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core").is_dir())
}

/// The version of the compiler, such as 1.95.0.
fn rustc_version() -> Result<String> {
    let text = output(&mut command("rustc", &["--version"]))?;
    text.split_whitespace().nth(1).map(str::to_owned).context("rustc prints no version")
}

/// An archive of the library beside the repository, unpacked under `target/`, if it is this
/// compiler's.
fn unpacked() -> Result<Option<PathBuf>> {
    archive::unpacked(&format!("rust-library-{}", rustc_version()?), "library/core")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(library: &StandardLibrary) -> Vec<String> {
        let mut cargo = Command::new("cargo");
        library.apply(&mut cargo);
        cargo.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_precompiled_library_needs_the_target_alone() {
        let library = StandardLibrary::Precompiled { target: "riscv32imc-unknown-none-elf".into() };
        assert_eq!(arguments(&library), ["--target", "riscv32imc-unknown-none-elf"]);
    }

    #[test]
    fn a_specification_has_to_be_allowed() {
        let target = "xtask/targets/xtensa-none-elf.json".to_owned();
        let library = StandardLibrary::Source { target, source: None };
        assert!(arguments(&library).contains(&"-Zjson-target-spec".to_owned()));
    }

    #[test]
    fn the_host_is_installed() {
        let host = output(&mut command("rustc", &["--print", "host-tuple"])).unwrap();
        assert!(is_installed(host.trim()).unwrap());
        assert!(rustc_version().unwrap().starts_with("1."));
    }
}
