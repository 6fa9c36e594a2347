//! Keys, refusals and trailers, compared with imgtool.

// Helpers are test code as much as tests are: a failure has no caller to be reported to.
#![allow(clippy::unwrap_used, clippy::panic)]

mod mcuboot_format_support;

use mcuboot_format::builder::{SignOptions, sign};
use mcuboot_format::key::{KeyError, KeyKind, PrivateKey, PublicKey};
use mcuboot_format::trailer::{Flag, Magic, SwapInfo, SwapType, TrailerConfig, TrailerState};
use mcuboot_format::{HeaderError, SwapKind, ValidateError, validate};
use mcuboot_format_support::{Imgtool, limits, payload, trailer_config, trailer_layout, words};

const SLOT_LEN_BYTES: u32 = 0x2_0000;

#[test]
fn a_public_key_is_read_and_hashed_as_imgtool_does() {
    let imgtool = Imgtool::new();
    let keys = imgtool.keygen(&KeyKind::ALL);
    let mut commands = Vec::new();
    for kind in KeyKind::ALL {
        let of = |command: &str, encoding: &str, name: &str| {
            let key = imgtool.key(kind);
            words(&[
                command,
                "-k",
                &key,
                "-e",
                encoding,
                "-o",
                &imgtool.arg(&format!("{kind}.{name}")),
            ])
        };
        commands.push(of("getpub", "pem", "pub.pem"));
        commands.push(of("getpub", "raw", "pub.der"));
        commands.push(of("getpubhash", "raw", "hash"));
    }
    imgtool.expect(&commands);
    for (kind, private) in KeyKind::ALL.into_iter().zip(keys) {
        let public = PublicKey::from_pem(&imgtool.read_text(&format!("{kind}.pub.pem"))).unwrap();
        assert_eq!(public, private.public_key());
        assert_eq!(public.kind(), kind);
        assert_eq!(public.hash().to_vec(), imgtool.read(&format!("{kind}.hash")), "{kind}");
        let der = imgtool.read(&format!("{kind}.pub.der"));
        assert_eq!(public.to_der(), der, "{kind}");
        assert_eq!(PublicKey::from_der(&der), Ok(public), "{kind}");
    }
}

#[test]
fn a_key_that_espressifs_mcuboot_cannot_use_is_refused() {
    let imgtool = Imgtool::new();
    let path = imgtool.arg("p384.pem");
    imgtool.expect(&[words(&["keygen", "-t", "ecdsa-p384", "-k", &path])]);
    let error = PrivateKey::from_pem(&imgtool.read_text("p384.pem")).unwrap_err();
    assert!(matches!(error, KeyError::Curve { .. }), "{error}");
}

/// Images that imgtool can make and Espressif's MCUboot cannot boot are refused by name.
#[test]
fn images_of_unsupported_kinds_are_named() {
    let imgtool = Imgtool::new();
    let [ed25519, p256] = [KeyKind::Ed25519, KeyKind::EcdsaP256].map(|kind| {
        imgtool.keygen(&[kind]);
        imgtool.key(kind)
    });
    let input = imgtool.write("payload", &[0; 5000]);
    let kinds: [(&str, &[&str], &str); 7] = [
        ("sha384", &["--sha", "384"], "its hash is SHA-384"),
        ("sha512", &["--sha", "512"], "its hash is SHA-512"),
        ("default", &["-k", &ed25519, "--sha", "512"], "its hash is SHA-512"),
        ("pure", &["-k", &ed25519, "--pure"], "pure Ed25519"),
        ("lzma2", &["--compression", "lzma2"], "compressed with LZMA2"),
        ("encrypted", &["-k", &p256, "-E", &p256], "encrypted"),
        ("split", &["--non-bootable"], "marked as not bootable"),
    ];
    for (name, options, said) in kinds {
        let out = imgtool.arg(name);
        let slot = format!("{SLOT_LEN_BYTES:#x}");
        let sign = ["sign", "--align", "4", "-H", "32", "--pad-header", "-S", &slot, "-v", "1.0.0"];
        imgtool.expect(&[words(&[&sign[..], options, &[&input, &out]].concat())]);
        let layout = trailer_layout(SLOT_LEN_BYTES, trailer_config(4, SwapKind::Scratch));
        let error = validate(&imgtool.read(name), limits(&layout), None).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(said) && text.contains("not supported"), "{name}: {text}");
    }
}

#[test]
fn imgtool_refuses_our_images_where_it_should() {
    let imgtool = Imgtool::new();
    let key = &imgtool.keygen(&[KeyKind::Ed25519])[0];
    let other = imgtool.arg("other.pem");
    let espressif = SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch);
    let mut image = sign(&payload(500), &SignOptions { key: Some(key), ..espressif }).unwrap();
    let good = imgtool.write("good", &image);
    image[200] ^= 1;
    let changed = imgtool.write("changed", &image);
    let said = imgtool.run(&[
        words(&["keygen", "-t", "ed25519", "-k", &other]),
        words(&["verify", "-k", &imgtool.key(KeyKind::Ed25519), &good]),
        words(&["verify", "-k", &other, &good]),
        words(&["verify", &changed]),
    ]);
    assert!(said[0].succeeded && said[1].succeeded, "{said:?}");
    assert!(said[2].text.contains("No signature found for the given key"), "{said:?}");
    assert!(said[3].text.contains("Image has an invalid hash"), "{said:?}");
}

/// The verdict on an image that imgtool made with each of these options, signed with Ed25519.
fn outcomes(options: &[&str]) -> Vec<Result<(), ValidateError>> {
    let imgtool = Imgtool::new();
    let keys = imgtool.keygen(&[KeyKind::Ed25519, KeyKind::EcdsaP256]);
    imgtool.expect(&[words(&["keygen", "-t", "x25519", "-k", &imgtool.arg("x25519.pem")])]);
    let input = imgtool.write("payload", &[0x5a; 2000]);
    let kind = |options: &str| {
        if options.contains("--pad-sig") { KeyKind::EcdsaP256 } else { KeyKind::Ed25519 }
    };
    let command = |(at, more): (usize, &&str)| {
        let more = more.replace("X25519", &imgtool.arg("x25519.pem"));
        let common = "sign -v 1 -H 32 --pad-header -S 0x20000 --align 4 --pad";
        let mut command: Vec<String> = common.split(' ').map(str::to_owned).collect();
        command.extend(more.split_whitespace().map(str::to_owned));
        command.extend(["-k".to_owned(), imgtool.key(kind(&more))]);
        command.extend([input.clone(), imgtool.arg(&at.to_string())]);
        command
    };
    imgtool.expect(&options.iter().enumerate().map(command).collect::<Vec<_>>());
    let layout = trailer_layout(SLOT_LEN_BYTES, trailer_config(4, SwapKind::Scratch));
    let outcome = |(at, options): (usize, &&str)| {
        let key = keys.iter().find(|key| key.kind() == kind(options)).unwrap().public_key();
        let image = imgtool.read(&at.to_string());
        validate(&image, limits(&layout), Some(&key)).map(|valid| {
            assert_eq!(valid.signed_by, Some(key.hash()));
        })
    };
    options.iter().enumerate().map(outcome).collect()
}

#[test]
fn other_contents_of_imgtools_images_are_accepted() {
    let options = [
        "",
        "--boot-record NSPE",
        "--vid vendor.example --cid board",
        "--custom-tlv 0xa0 0x0102 --custom-tlv 0x1a5 text",
        "--rom-fixed 0x10000",
        "--load-addr 0x40380000",
        "-s auto",
        "--pad-sig",
        "--test",
    ];
    for (options, outcome) in options.iter().zip(outcomes(&options)) {
        assert_eq!(outcome, Ok(()), "{options}");
    }
}

#[test]
fn what_espressifs_mcuboot_cannot_boot_is_refused() {
    let options = [
        "--encrypt X25519",
        "--encrypt X25519 --encrypt-keylen 256",
        "--compression lzma2",
        "--non-bootable",
        "--pure",
        "--sha 512",
        "--public-key-format full",
        "-e big",
    ];
    let [aes128, aes256, lzma2, non_bootable, pure, sha512, public_key, big_endian] =
        outcomes(&options).try_into().unwrap();
    use ValidateError::{HashMissing, Header, PureSignature, Unsigned};
    assert!(matches!(aes128, Err(Header(HeaderError::Encrypted { .. }))), "{aes128:?}");
    assert!(matches!(aes256, Err(Header(HeaderError::Encrypted { .. }))), "{aes256:?}");
    assert!(matches!(lzma2, Err(Header(HeaderError::Compressed { .. }))), "{lzma2:?}");
    let refused = matches!(non_bootable, Err(Header(HeaderError::NonBootable { .. })));
    assert!(refused, "{non_bootable:?}");
    assert!(matches!(pure, Err(PureSignature { .. })), "{pure:?}");
    // imgtool also hashes the key with SHA-512, which is not what is wrong.
    assert!(matches!(sha512, Err(HashMissing { other: Some(_) })), "{sha512:?}");
    assert!(matches!(public_key, Err(Unsigned)), "{public_key:?}");
    assert!(matches!(big_endian, Err(Header(HeaderError::Magic { .. }))), "{big_endian:?}");
}

#[test]
fn imgtool_finds_each_field_of_a_trailer_where_we_put_it() {
    let imgtool = Imgtool::new();
    let state = TrailerState {
        magic: Magic::Good,
        swap_info: SwapInfo::new(SwapType::Permanent),
        copy_done: Flag::Set,
        image_ok: Flag::Unset,
        swap_size_bytes: Some(0x0123_4567),
        unprotected_tlv_sizes: None,
    };
    let mut commands = Vec::new();
    for max_align in [8, 16, 32] {
        let trailer = TrailerConfig { max_align, ..TrailerConfig::espressif(SwapKind::Scratch) };
        let mut image =
            sign(&payload(100), &SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch))
                .unwrap();
        image.resize(SLOT_LEN_BYTES as usize, 0xff);
        let layout = trailer_layout(SLOT_LEN_BYTES, trailer);
        let trailer_offset = layout.offset_bytes() as usize;
        state.emit(&layout, &mut image[trailer_offset..]).unwrap();
        let file = imgtool.write(&max_align.to_string(), &image);
        commands.push(words(&["dumpinfo", "-f", "json", &file]));
    }
    for (command, said) in commands.iter().zip(imgtool.run(&commands)) {
        for field in
            ["image_ok\": 255", "copy_done\": 1", "swap_info\": 3", "swap_size\": 19088743"]
        {
            assert!(said.text.contains(field), "{command:?}: no {field} in {}", said.text);
        }
    }
}
