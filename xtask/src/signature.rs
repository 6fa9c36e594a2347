//! Signs the checksums of a release, with the program that the key belongs to.
//!
//! ```text
//!   SHA256SUMS --minisign--> SHA256SUMS.minisig    a key that begins with "untrusted comment:"
//!              --cosign----> SHA256SUMS.sig        SIGSTORE PRIVATE KEY in its first line
//!              --openssl---> SHA256SUMS.sig        any other PEM: Ed25519, ECDSA or RSA
//! ```
//!
//! The programs ask for a key's password themselves. Users verify with the public key, which they
//! need to have from elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{find, run};

/// The program that a key belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Minisign,
    Cosign,
    Openssl,
}

impl Kind {
    fn of(key: &str) -> Option<Self> {
        let first = key.lines().next().unwrap_or_default();
        Some(match first {
            _ if first.starts_with("untrusted comment:") => Self::Minisign,
            _ if first.contains("SIGSTORE PRIVATE KEY") => Self::Cosign,
            _ if first.starts_with("-----BEGIN ") && first.contains("PRIVATE KEY") => Self::Openssl,
            _ => return None,
        })
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Minisign => "minisign",
            Self::Cosign => "cosign",
            Self::Openssl => "openssl",
        }
    }
}

/// Signs a file with the key in another file; returns the path of the signature and how it is
/// verified.
///
/// # Errors
///
/// If that is no private key, or if its program is missing or fails.
pub(crate) fn sign(file: &Path, key: &Path) -> Result<(PathBuf, String)> {
    let text = fs::read_to_string(key).with_context(|| key.display().to_string())?;
    let Some(kind) = Kind::of(&text) else {
        bail!("{} is not a private key of minisign, of cosign, or in PEM", key.display());
    };
    let program = kind.program();
    find(program).with_context(|| format!("{} needs {program}, install it", key.display()))?;
    let ending = if kind == Kind::Minisign { "minisig" } else { "sig" };
    let signature = PathBuf::from(format!("{}.{ending}", file.display()));
    let mut command = Command::new(program);
    match kind {
        Kind::Minisign => command.arg("-S").arg("-s").arg(key).arg("-m").arg(file),
        Kind::Cosign => {
            command.arg("sign-blob").arg("--yes").arg("--key").arg(key);
            command.arg("--output-signature").arg(&signature).arg(file)
        }
        Kind::Openssl => {
            command.args(["pkeyutl", "-sign", "-rawin", "-inkey"]).arg(key);
            command.arg("-in").arg(file).arg("-out").arg(&signature)
        }
    };
    run(&mut command)?;
    let how = match kind {
        Kind::Minisign => "minisign -V -p PUBLIC.pub -m SHA256SUMS",
        Kind::Cosign => "cosign verify-blob --key PUBLIC.pub --signature SHA256SUMS.sig SHA256SUMS",
        Kind::Openssl => {
            "openssl pkeyutl -verify -rawin -pubin -inkey PUBLIC.pem -sigfile SHA256SUMS.sig -in \
             SHA256SUMS"
        }
    };
    Ok((signature, how.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{command, works};
    use crate::workspace;

    #[test]
    fn the_program_of_a_key_is_found() {
        let kind = |text| Kind::of(text);
        assert_eq!(kind("untrusted comment: minisign secret key\nRWR"), Some(Kind::Minisign));
        let cosign = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n";
        assert_eq!(kind(cosign), Some(Kind::Cosign));
        assert_eq!(kind("-----BEGIN PRIVATE KEY-----\n"), Some(Kind::Openssl));
        assert_eq!(kind("-----BEGIN PUBLIC KEY-----\n"), None);
        assert_eq!(kind(""), None);
    }

    /// The signature of each kind of key is good, and bad after a change of the file.
    #[test]
    fn openssl_verifies_what_was_signed() {
        let folder = workspace::target("signature-test").unwrap();
        fs::create_dir_all(&folder).unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        let (key, public, file) = (path("key.pem"), path("public.pem"), path("SHA256SUMS"));
        for algorithm in [
            &["-algorithm", "ed25519"][..],
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        ] {
            fs::write(&file, "abc  file\n").unwrap();
            let mut make = command("openssl", &["genpkey", "-out", &key]);
            run(make.args(algorithm)).unwrap();
            run(&mut command("openssl", &["pkey", "-in", &key, "-pubout", "-out", &public]))
                .unwrap();
            let (signature, how) = sign(Path::new(&file), Path::new(&key)).unwrap();
            assert_eq!(signature.display().to_string(), format!("{file}.sig"));
            // What a user is told to run, with these files.
            let how = how.replace("PUBLIC.pem", "public.pem");
            let words: Vec<&str> = how.split_whitespace().skip(1).collect();
            let verifies = || works(command("openssl", &words).current_dir(&folder));
            assert!(verifies(), "{how}");
            fs::write(&file, "abd  file\n").unwrap();
            assert!(!verifies(), "{how}");
        }
        assert!(sign(Path::new(&file), Path::new(&public)).is_err());
    }
}
