//! RSA signatures, made by the crate `rsa`, which shares nothing with what checks them here.
#![cfg(feature = "rsa")]

extern crate std;

use std::vec::Vec;

use rsa::pkcs1::EncodeRsaPublicKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::rand_core::{CryptoRng, Error, RngCore};
use rsa::{BigUint, Pss, RsaPrivateKey, traits::PublicKeyParts};
use sha2::Sha256;

use super::{KeyError, PublicKey};

const PRIVATE: [&str; 2] =
    [include_str!("../../testdata/rsa-2048.pem"), include_str!("../../testdata/rsa-3072.pem")];

/// Salts that are different each time.
struct Salts(u64);

impl RngCore for Salts {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0 ^ (self.0 >> 29)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.iter_mut().for_each(|byte| *byte = (self.next_u64() >> 32) as u8);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Salts {}

fn der_of(pem: &str) -> Vec<u8> {
    pem_rfc7468::decode_vec(pem.as_bytes()).unwrap().1
}

fn keys() -> impl Iterator<Item = (RsaPrivateKey, PublicKey)> {
    PRIVATE.into_iter().map(|pem| {
        let private = RsaPrivateKey::from_pkcs8_der(&der_of(pem)).unwrap();
        let der = private.to_public_key().to_pkcs1_der().unwrap();
        let public = PublicKey::from_known_der(der.as_bytes()).unwrap();
        assert_eq!(PublicKey::from_der(der.as_bytes()), Ok(public.clone()));
        assert_eq!(public.to_der(), der.as_bytes());
        (private, public)
    })
}

fn signed(private: &RsaPrivateKey, digest: &[u8; 32], salt_len: usize, seed: u64) -> Vec<u8> {
    let pss = Pss::new_with_salt::<Sha256>(salt_len);
    private.sign_with_rng(&mut Salts(seed), pss, digest).unwrap()
}

#[test]
fn every_signature_is_good_for_its_digest_and_key_only() {
    let all: Vec<_> = keys().collect();
    for (number, (private, public)) in all.iter().enumerate() {
        for seed in 0..40_u64 {
            let digest = [seed as u8; 32];
            let signature = signed(private, &digest, 32, seed);
            assert!(public.verifies(&digest, &signature), "{seed}");
            assert!(!public.verifies(&[0xff; 32], &signature), "{seed}");
            assert!(!all[1 - number].1.verifies(&digest, &signature), "{seed}");
        }
    }
    // Also among keys of the same size.
    let (private, public) = &all[0];
    let mut other = public.to_der();
    other[100] ^= 4;
    let other = PublicKey::from_der(&other).unwrap();
    assert!(!other.verifies(&[1; 32], &signed(private, &[1; 32], 32, 1)));
}

#[test]
fn a_changed_signature_is_refused() {
    let digest = [0x5a; 32];
    for (private, public) in keys() {
        let good = signed(&private, &digest, 32, 1);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(!public.verifies(&digest, &bad), "byte {at}");
        }
        for len in [0, 1, 32, 255, 256, 383, 384].into_iter().filter(|len| *len < good.len()) {
            assert!(!public.verifies(&digest, &good[..len]), "{len} bytes");
            assert!(!public.verifies(&digest, &good[good.len() - len..]), "last {len} bytes");
        }
        assert!(!public.verifies(&digest, &[&[0], good.as_slice()].concat()));
        for byte in [0, 1, 0xff] {
            assert!(!public.verifies(&digest, &vec_of(byte, good.len())), "all {byte:#x}");
        }
    }
}

fn vec_of(byte: u8, len: usize) -> Vec<u8> {
    core::iter::repeat_n(byte, len).collect()
}

/// The same number modulo the modulus is another signature of the same message, and refused.
#[test]
fn signatures_not_below_the_modulus_are_refused() {
    let digest = [3; 32];
    for (private, public) in keys() {
        let (n, len) = (private.n(), private.size());
        assert!(!public.verifies(&digest, &n.to_bytes_be()));
        let mut seen = 0;
        for seed in 0..200 {
            let good = signed(&private, &digest, 32, seed);
            let larger = (BigUint::from_bytes_be(&good) + n).to_bytes_be();
            if larger.len() == len {
                assert!(!public.verifies(&digest, &larger), "{seed}");
                seen += 1;
            }
        }
        assert!(seen > 0, "none of them has as many bytes");
    }
}

#[test]
fn salt_has_the_length_of_the_digest() {
    let digest = [7; 32];
    for (private, public) in keys() {
        for salt_len in [0, 1, 20, 31, 33, 48, 64, private.size() - 34] {
            let signature = signed(&private, &digest, salt_len, 9);
            assert!(!public.verifies(&digest, &signature), "{salt_len}");
        }
    }
}

/// Messages that are no encodings, each put through the private key.
#[test]
fn messages_with_another_encoding_are_refused() {
    let digest = [9; 32];
    for (private, public) in keys() {
        let good = signed(&private, &digest, 32, 2);
        let power = |number: &BigUint, exponent| number.modpow(exponent, private.n());
        let signature_of = |message: &[u8]| {
            let number = power(&BigUint::from_bytes_be(message), rsa_d(&private)).to_bytes_be();
            [vec_of(0, private.size() - number.len()), number].concat()
        };
        let number = power(&BigUint::from_bytes_be(&good), private.e()).to_bytes_be();
        let message = [vec_of(0, private.size() - number.len()), number].concat();
        assert!(public.verifies(&digest, &signature_of(&message)));
        // The end, the digest, the salt, the one before it, zeros, the bit that must not be.
        let len = message.len();
        for at in [len - 1, len - 2, len - 33, len - 34, len - 65, len - 66, len - 67, 1, 0] {
            for bit in 0..8 {
                let mut bad = message.clone();
                bad[at] ^= 1 << bit;
                assert!(!public.verifies(&digest, &signature_of(&bad)), "byte {at}, bit {bit}");
            }
        }
        assert!(!public.verifies(&digest, &signature_of(&[0x01, 0xbc])));
    }
}

fn rsa_d(private: &RsaPrivateKey) -> &BigUint {
    use rsa::traits::PrivateKeyParts;
    private.d()
}

#[test]
fn other_exponents_and_moduli_are_refused() {
    let (_, public) = keys().next().unwrap();
    let der = public.to_der();
    let error = |der: &[u8]| {
        assert_eq!(PublicKey::from_known_der(der), None);
        PublicKey::from_der(der).unwrap_err()
    };
    let mut exponent = der.clone();
    *exponent.last_mut().unwrap() = 3;
    assert_eq!(error(&exponent), KeyError::RsaExponent);
    let mut even = der.clone();
    even[264] ^= 1;
    assert_eq!(error(&even), KeyError::Value);
}
