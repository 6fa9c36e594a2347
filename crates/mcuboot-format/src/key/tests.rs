extern crate std;

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const ECDSA: &str = include_str!("../../testdata/ecdsa-p256.pub.pem");
const ED25519: &str = include_str!("../../testdata/ed25519.pub.pem");
const RSA_2048: &str = include_str!("../../testdata/rsa-2048.pub.pem");

fn key(pem: &str) -> PublicKey {
    PublicKey::from_pem(pem).unwrap()
}

/// What `imgtool getpubhash` prints.
fn hash(hex: &str) -> [u8; 32] {
    let bytes: Vec<u8> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

const ECDSA_HASH: &str = "1f27d340cef0d8c95d6de1af22fb7ec9a6da2802747f7a1bf3bc5edb181eea3d";
const ED25519_HASH: &str = "91537e97304b52f0199b27174a8a6d76f9195096294206c8f8dead60be50b1b4";

#[test]
fn a_key_has_the_hash_that_imgtool_gives_it() {
    assert_eq!(key(ECDSA).hash(), hash(ECDSA_HASH));
    assert_eq!(key(ECDSA).kind(), KeyKind::EcdsaP256);
    assert_eq!(key(ED25519).hash(), hash(ED25519_HASH));
    assert_eq!(key(ED25519).kind(), KeyKind::Ed25519);
}

#[test]
fn keys_that_no_bootloader_holds_are_refused() {
    let error = |pem| PublicKey::from_pem(pem).unwrap_err();
    let p384 = include_str!("../../testdata/ecdsa-p384.pub.pem");
    assert!(matches!(error(p384), KeyError::Curve { .. }));
    let x25519 = include_str!("../../testdata/x25519.pub.pem");
    assert!(matches!(error(x25519), KeyError::Algorithm { .. }));
    let compressed = include_str!("../../testdata/ecdsa-p256.compressed.pub.pem");
    assert_eq!(error(compressed), KeyError::Value);
    let private = include_str!("../../testdata/ed25519.pem");
    assert_eq!(error(private), KeyError::PemLabel);
    assert_eq!(error("no key"), KeyError::Pem);
}

/// The DER in a PEM file of a test, which must not be longer than any key.
fn der_of(pem: &str) -> Vec<u8> {
    let mut der = [0; MAX_PUBLIC_DER_LEN_BYTES];
    pem_rfc7468::decode(pem.as_bytes(), &mut der).unwrap().1.to_vec()
}

#[test]
fn a_known_der_is_one_that_the_general_parser_accepts() {
    let p384 = include_str!("../../testdata/ecdsa-p384.pub.pem");
    let x25519 = include_str!("../../testdata/x25519.pub.pem");
    let compressed = include_str!("../../testdata/ecdsa-p256.compressed.pub.pem");
    for pem in [ECDSA, ED25519, RSA_2048, p384, x25519, compressed] {
        let der = der_of(pem);
        assert_eq!(PublicKey::from_known_der(&der), PublicKey::from_der(&der).ok());
    }
    let rsa_2048 = include_str!("../../testdata/rsa-2048.pkcs1.pub.pem");
    for pem in [ECDSA, ED25519, rsa_2048] {
        let good = der_of(pem);
        for len in 0..good.len() {
            assert_eq!(PublicKey::from_known_der(&good[..len]), None);
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut der = good.clone();
                der[at] ^= 1 << bit;
                let known = PublicKey::from_known_der(&der);
                assert_eq!(known, PublicKey::from_der(&der).ok(), "bit {bit} of byte {at}");
            }
        }
        let longer = [good.as_slice(), &[0]].concat();
        assert_eq!(PublicKey::from_known_der(&longer), None);
    }
}

#[cfg(all(feature = "alloc", not(feature = "rsa")))]
#[test]
fn without_private_keys_of_rsa_the_error_says_so() {
    let private = PrivateKey::from_pem(include_str!("../../testdata/rsa-2048.pem"));
    assert_eq!(private.err(), Some(KeyError::RsaNotBuiltIn));
}

#[cfg(feature = "alloc")]
mod signing {
    use super::*;

    const DIGEST: [u8; 32] = [0xa5; 32];

    fn private(pem: &str) -> PrivateKey {
        PrivateKey::from_pem(pem).unwrap()
    }

    /// A signature verifies, under its own key and digest only, and is the same the next time.
    fn signs(private: &PrivateKey, public: &PublicKey) {
        assert_eq!(&private.public_key(), public);
        let signature = private.sign(&DIGEST).unwrap();
        assert!(private.kind().allows_signature_len(signature.len() as u16));
        assert!(public.verifies(&DIGEST, &signature));
        assert!(!public.verifies(&[0; 32], &signature));
        for at in [0, signature.len() / 2, signature.len() - 1] {
            let mut other = signature.clone();
            other[at] ^= 0x10;
            assert!(!public.verifies(&DIGEST, &other), "byte {at} changed");
        }
        assert!(!public.verifies(&DIGEST, &[]));
        assert!(!public.verifies(&DIGEST, &signature[1..]));
        assert_eq!(private.sign(&DIGEST), Some(signature));
    }

    #[test]
    fn ecdsa() {
        let private_key = private(include_str!("../../testdata/ecdsa-p256.pem"));
        signs(&private_key, &key(ECDSA));
        let sec1 = private(include_str!("../../testdata/ecdsa-p256.sec1.pem"));
        assert_eq!(sec1.public_key(), key(ECDSA));
        assert_eq!(PublicKey::from_der(&key(ECDSA).to_der()), Ok(key(ECDSA)));
        assert_eq!(PrivateKey::ecdsa_p256([0; 32]).err(), Some(KeyError::Value));
    }

    #[test]
    fn ed25519() {
        signs(&private(include_str!("../../testdata/ed25519.pem")), &key(ED25519));
        assert_eq!(PublicKey::from_der(&key(ED25519).to_der()), Ok(key(ED25519)));
        let encrypted = PrivateKey::from_pem(include_str!("../../testdata/ed25519.encrypted.pem"));
        assert_eq!(encrypted.err(), Some(KeyError::Encrypted));
        assert_eq!(PrivateKey::from_pem(ED25519).err(), Some(KeyError::PemLabel));
    }

    #[test]
    fn zeros_after_an_ecdsa_signature_are_ignored() {
        let private_key = private(include_str!("../../testdata/ecdsa-p256.pem"));
        let mut signature = private_key.sign(&DIGEST).unwrap();
        signature.extend([0, 0]);
        assert!(key(ECDSA).verifies(&DIGEST, &signature));
        signature.push(1);
        assert!(!key(ECDSA).verifies(&DIGEST, &signature));
    }

    #[test]
    fn a_private_key_is_not_printed() {
        let key = PrivateKey::ed25519([7; 32]);
        assert_eq!(std::format!("{key:?}"), "PrivateKey(ed25519, secret)");
    }

    #[cfg(feature = "rsa")]
    #[test]
    fn rsa() {
        signs(&private(include_str!("../../testdata/rsa-2048.pem")), &key(RSA_2048));
        let rsa_3072 = key(include_str!("../../testdata/rsa-3072.pub.pem"));
        signs(&private(include_str!("../../testdata/rsa-3072.pem")), &rsa_3072);
        assert_eq!(rsa_3072.kind(), KeyKind::Rsa3072);
        assert_eq!(
            rsa_3072.hash(),
            hash("052e11038a51c7a4535a92d3444cacfda370b8774bc2ddcce3d6135528691307")
        );
        assert_eq!(
            key(RSA_2048).hash(),
            hash("3066afa4e76ada118be195dccc2a2204807b942420cd575005d2065b28689f7a")
        );
    }

    #[cfg(feature = "rsa")]
    #[test]
    fn rsa_in_pkcs1() {
        let private_key = private(include_str!("../../testdata/rsa-2048.pkcs1.pem"));
        assert_eq!(private_key.public_key(), key(RSA_2048));
        assert_eq!(key(include_str!("../../testdata/rsa-2048.pkcs1.pub.pem")), key(RSA_2048));
        assert_eq!(PublicKey::from_der(&key(RSA_2048).to_der()), Ok(key(RSA_2048)));
        let small = PublicKey::from_pem(include_str!("../../testdata/rsa-1024.pub.pem"));
        assert_eq!(small, Err(KeyError::RsaSize { bits: 1024 }));
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(at: prop::sample::Index, by: u8, keep: prop::sample::Index) {
        for pem in [ECDSA, ED25519, RSA_2048] {
            let mut der = [0; 512];
            let (_, der) = pem_rfc7468::decode(pem.as_bytes(), &mut der).unwrap();
            let mut der = der.to_vec();
            let at = at.index(der.len());
            der[at] ^= by;
            der.truncate(keep.index(der.len() + 1));
            if let Ok(key) = PublicKey::from_der(&der) {
                prop_assert!(!key.verifies(&[0; 32], &der));
            }
        }
    }
}
