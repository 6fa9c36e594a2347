//! The file of a public key, in the forms that MCUboot's tools write.
//!
//! ```text
//!   imgtool getpub -e pem     PUBLIC KEY, RSA PUBLIC KEY     taken
//!   imgtool getpub -e raw     DER                            taken
//!   imgtool getpub            source in C or Rust            refused: PEM is asked for
//!   imgtool keygen            PRIVATE KEY                    refused: its public half is asked for
//!   imgtool getpubhash        32 bytes, or their source      refused: no signature can be checked
//! ```

use std::fmt;

use mcuboot_format::key::{KeyError, PublicKey};

/// Bytes of a key's hash.
const HASH_LEN_BYTES: usize = 32;

/// Why a file does not hold a public key that can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It has no bytes.
    Empty,
    /// It is a private key as PEM.
    Private,
    /// It is the hash of a key.
    Hash,
    /// It is source code with the key or its hash in it.
    Source,
    /// It is none of that, or the key is of a kind that MCUboot does not use.
    Key(KeyError),
}

/// Reads a public key: PEM, or DER as it is compiled into a bootloader.
///
/// # Errors
///
/// A [`KeyFileError`].
pub fn public_key(file: &[u8]) -> Result<PublicKey, KeyFileError> {
    if file.is_empty() {
        return Err(KeyFileError::Empty);
    }
    // DER begins with the tag of a SEQUENCE, which is the digit 0 of a text; no PEM or source does.
    if file.len() == HASH_LEN_BYTES {
        return Err(KeyFileError::Hash);
    }
    let Ok(text) = str::from_utf8(file) else {
        return PublicKey::from_der(file).map_err(KeyFileError::Key);
    };
    if text.contains("PRIVATE KEY-----") {
        return Err(KeyFileError::Private);
    }
    // In C the name of the array is in small letters, in Rust in capitals.
    if text.to_ascii_lowercase().contains("_pub_key") && text.contains("0x") {
        return Err(KeyFileError::Source);
    }
    match PublicKey::from_pem(text) {
        // DER that happens to be a text.
        Err(KeyError::Pem) if !text.contains("-----BEGIN") => {
            PublicKey::from_der(file).map_err(|_| KeyFileError::Key(KeyError::Pem))
        }
        key => key.map_err(KeyFileError::Key),
    }
}

impl KeyFileError {
    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Private => {
                "name its public half, as `imgtool getpub --encoding pem` writes it; keep the \
                 private one away from here"
            }
            Self::Hash => {
                "name the key itself, as `imgtool getpub --encoding pem` writes it; a hash checks \
                 no signature"
            }
            Self::Source => "write it with `imgtool getpub --encoding pem`",
            Self::Key(KeyError::Algorithm { .. } | KeyError::Curve { .. }) => {
                "name the key that the bootloader was built with: ECDSA P-256, Ed25519, RSA-2048 \
                 or RSA-3072"
            }
            Self::Empty | Self::Key(_) => {
                "name a public key as PEM or DER, as `imgtool getpub --encoding pem` writes it of \
                 a private one"
            }
        }
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::Private => f.write_str("it is a private key, and a public one is wanted"),
            Self::Hash => f.write_str("it has 32 bytes, which are the hash of a key and no key"),
            Self::Source => f.write_str("it is source code with a key in it"),
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyFileError {}
