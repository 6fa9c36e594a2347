//! Keys in PEM and DER.

use mcuboot_format::key::{KeyError, KeyKind, PrivateKey, PublicKey};
use pem_rfc7468::LineEnding;
use sha2::{Digest, Sha256};

/// Reads a key in every form, and again what was read.
///
/// The input is a key: PEM, or the DER that a PEM of any label would hold.
pub fn mcuboot_keys(input: &[u8]) {
    if let Ok(pem) = core::str::from_utf8(input) {
        public(PublicKey::from_pem(pem), input);
        private(PrivateKey::from_pem(pem));
    }
    public(PublicKey::from_der(input), input);
    private(PrivateKey::from_pkcs8_der(input));
    for label in ["PUBLIC KEY", "RSA PUBLIC KEY"] {
        if let Ok(pem) = pem_rfc7468::encode_string(label, LineEnding::LF, input) {
            let in_pem = PublicKey::from_pem(&pem);
            assert!(in_pem == PublicKey::from_der(input) || in_pem == Err(KeyError::Pem));
        }
    }
    for label in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"] {
        if let Ok(pem) = pem_rfc7468::encode_string(label, LineEnding::LF, input) {
            private(PrivateKey::from_pem(&pem));
        }
    }
}

fn public(key: Result<PublicKey, KeyError>, signature: &[u8]) {
    match key {
        Ok(key) => {
            let der = key.to_der();
            assert_eq!(PublicKey::from_der(&der), Ok(key.clone()));
            assert_eq!(key.hash(), <[u8; 32]>::from(Sha256::digest(&der)));
            // The input as a signature: a good one of a fixed hash cannot be found.
            assert!(!key.verifies(&[0x5a; 32], signature));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn private(key: Result<PrivateKey, KeyError>) {
    match key {
        Ok(key) => {
            assert_eq!(key.kind(), key.public_key().kind());
            assert!(format!("{key:?}").ends_with("secret)"));
            // RSA is slow, and does not depend on the form of the key.
            if matches!(key.kind(), KeyKind::EcdsaP256 | KeyKind::Ed25519) {
                let signature = key.sign(&[0x5a; 32]).expect("these keys always can");
                assert!(key.public_key().verifies(&[0x5a; 32], &signature));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
