//! Images of imgtool and of this project: each accepts the other's, and they are the same bytes
//! unless something in them is random.

// Helpers are test code as much as tests are: a failure has no caller to be reported to.
#![allow(clippy::unwrap_used, clippy::panic)]

mod mcuboot_format_support;

use mcuboot_format::builder::{Padding, SignOptions, confirm, sign};
use mcuboot_format::key::{KeyKind, PrivateKey};
use mcuboot_format::tlv::{Dependency, TlvType, Tlvs};
use mcuboot_format::trailer::TrailerState;
use mcuboot_format::{ImageHeader, ImageVersion, SwapKind, validate};
use mcuboot_format_support::{Imgtool, limits, payload, trailer_config, trailer_layout, words};

const SLOT_LEN_BYTES: u32 = 0x2_0000;

/// An image, by our options.
struct Case<'a> {
    name: String,
    options: SignOptions<'a>,
}

impl Case<'_> {
    /// The command for the same image, from `payload` to the file with the case's name.
    fn command(&self, imgtool: &Imgtool, payload: &str) -> Vec<String> {
        let SignOptions { version, header_len_bytes, trailer, security_counter, .. } = self.options;
        let mut command = words(&["sign", "-v", &version.to_string()]);
        let mut option = |name: &str, value: &str| command.extend(words(&[name, value]));
        option("-H", &header_len_bytes.to_string());
        option("-S", &self.options.slot_len_bytes.to_string());
        option("--align", &trailer.write_unit_bytes.to_string());
        option("--max-align", &trailer.max_align.to_string());
        option("-M", &trailer.max_sectors.to_string());
        if let Some(counter) = security_counter {
            option("-s", &counter.to_string());
        }
        if let Some(key) = self.options.key {
            option("-k", &imgtool.key(key.kind()));
        }
        let dependencies: Vec<String> = self
            .options
            .dependencies
            .iter()
            .map(|needed| format!("({}, {})", needed.image_id, needed.min_version))
            .collect();
        if !dependencies.is_empty() {
            option("-d", &dependencies.join(", "));
        }
        let flags = [
            (self.options.pad_header, "--pad-header"),
            (trailer.swap == SwapKind::Overwrite, "--overwrite-only"),
            (self.options.padding == Padding::Pending, "--pad"),
            (self.options.padding == Padding::Confirmed, "--confirm"),
        ];
        command.extend(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_owned()));
        command.extend([payload.to_owned(), imgtool.arg(&self.name)]);
        command
    }
}

/// Makes each image twice and compares.
fn compare(imgtool: &Imgtool, cases: &[Case<'_>]) {
    let mut bytes = vec![0; 0x200];
    bytes.extend(payload(3001));
    let with_zeros = imgtool.write("payload", &bytes);
    let commands: Vec<_> = cases.iter().map(|case| case.command(imgtool, &with_zeros)).collect();
    imgtool.expect(&commands);
    let mut verify = Vec::new();
    for case in cases {
        let theirs = imgtool.read(&case.name);
        let ours = sign(&bytes, &case.options).unwrap();
        check_theirs(case, &theirs);
        check_same(case, &theirs, &ours);
        let mut command = words(&["verify", &imgtool.write(&format!("{}.ours", case.name), &ours)]);
        if let Some(key) = case.options.key {
            command.extend(["-k".to_owned(), imgtool.key(key.kind())]);
        }
        verify.push(command);
    }
    imgtool.expect(&verify);
}

/// Checks that imgtool's image is what was asked for.
fn check_theirs(case: &Case<'_>, theirs: &[u8]) {
    let (name, options) = (&case.name, &case.options);
    let layout = trailer_layout(options.slot_len_bytes, options.trailer);
    let public = options.key.map(PrivateKey::public_key);
    let valid = validate(theirs, limits(&layout), public.as_ref())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(valid.header.version, options.version, "{name}");
    assert_eq!(valid.security_counter, options.security_counter, "{name}");
    assert_eq!(valid.dependencies.as_slice(), options.dependencies, "{name}");
    assert_eq!(valid.signed_by, public.map(|key| key.hash()), "{name}");
    let expected = match options.padding {
        Padding::None => {
            assert_eq!(theirs.len(), valid.image_end_bytes as usize, "{name}");
            return;
        }
        Padding::Confirmed if options.trailer.swap != SwapKind::Overwrite => {
            TrailerState::CONFIRMED
        }
        Padding::Pending | Padding::Confirmed => TrailerState::PENDING,
    };
    assert_eq!(theirs.len(), options.slot_len_bytes as usize, "{name}");
    assert_eq!(TrailerState::parse(&layout, theirs), Ok(expected), "{name}");
}

/// Checks that both images are the same, but for signatures that are random in imgtool's.
fn check_same(case: &Case<'_>, theirs: &[u8], ours: &[u8]) {
    let random = case.options.key.filter(|key| key.kind() != KeyKind::Ed25519);
    let Some(key) = random else {
        assert!(theirs == ours, "{}: not the same bytes", case.name);
        return;
    };
    let parts = |image: &[u8]| {
        let header = ImageHeader::parse(image).unwrap();
        let tlvs = Tlvs::parse(image, &header).unwrap();
        let hashed = image[..header.hashed_len_bytes().unwrap() as usize].to_vec();
        let behind = image[tlvs.end_bytes() as usize..].to_vec();
        let others: Vec<_> = tlvs
            .iter()
            .filter(|tlv| tlv.tlv_type != key.kind().signature_tlv())
            .map(|tlv| (tlv.tlv_type, tlv.value.to_vec()))
            .collect();
        let types: Vec<TlvType> = tlvs.iter().map(|tlv| tlv.tlv_type).collect();
        // An ECDSA signature's length is random too, and with it the padding's.
        (
            hashed,
            others,
            types,
            behind.into_iter().skip_while(|byte| *byte == 0xff).collect::<Vec<_>>(),
        )
    };
    assert!(parts(theirs) == parts(ours), "{}: differ in more than the signature", case.name);
}

#[test]
fn every_key_alignment_and_padding() {
    let imgtool = Imgtool::new();
    let keys = imgtool.keygen(&KeyKind::ALL);
    let mut cases = Vec::new();
    for key in keys.iter().map(Some).chain([None]) {
        for write_unit_bytes in [4, 8, 16, 32] {
            for padding in [Padding::None, Padding::Pending, Padding::Confirmed] {
                let kind = key.map_or("unsigned", |key| key.kind().name());
                cases.push(Case {
                    name: format!("{kind}-{write_unit_bytes}-{padding:?}"),
                    options: SignOptions {
                        version: "1.2.3+4".parse().unwrap(),
                        trailer: trailer_config(write_unit_bytes, SwapKind::Scratch),
                        padding,
                        key,
                        ..SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch)
                    },
                });
            }
        }
    }
    assert_eq!(cases.len(), 5 * 4 * 3);
    compare(&imgtool, &cases);
}

#[test]
fn headers_counters_dependencies_and_kinds_of_swap() {
    let imgtool = Imgtool::new();
    let dependencies = [
        Dependency { image_id: 1, min_version: "1.2.3+4".parse().unwrap() },
        Dependency { image_id: 2, min_version: ImageVersion::new(255, 255, 65535) },
    ];
    let espressif = SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch);
    let named = |name: &str, options| Case { name: name.to_owned(), options };
    let mut cases = vec![
        named("header-512", SignOptions { header_len_bytes: 0x200, ..espressif }),
        named(
            "header-64-of-payload",
            SignOptions { header_len_bytes: 64, pad_header: false, ..espressif },
        ),
        named("counter", SignOptions { security_counter: Some(u32::MAX), ..espressif }),
        named(
            "dependencies",
            SignOptions { dependencies: &dependencies, security_counter: Some(0), ..espressif },
        ),
        named(
            "max-align-above-align",
            SignOptions {
                trailer: mcuboot_format::trailer::TrailerConfig {
                    max_align: 32,
                    ..espressif.trailer
                },
                padding: Padding::Confirmed,
                ..espressif
            },
        ),
    ];
    for swap in SwapKind::ALL {
        let options = SignOptions {
            padding: Padding::Confirmed,
            ..SignOptions::espressif(SLOT_LEN_BYTES, swap)
        };
        cases.push(named(swap.name(), options));
    }
    compare(&imgtool, &cases);
}

#[test]
fn the_image_of_the_example() {
    let imgtool = Imgtool::new();
    let input = imgtool.write("nuttx.bin", &payload(149_824));
    let line = "sign --align 4 -v 1.2.3 -s auto -H 32 --pad-header -S 0x100000 --pad --confirm";
    let mut command: Vec<String> = line.split(' ').map(str::to_owned).collect();
    command.extend([input, imgtool.arg("app_upd.bin")]);
    imgtool.expect(&[command]);
    let version = ImageVersion::new(1, 2, 3);
    let options = SignOptions {
        version,
        security_counter: Some(version.security_counter()),
        padding: Padding::Confirmed,
        ..SignOptions::espressif(0x10_0000, SwapKind::Scratch)
    };
    assert!(imgtool.read("app_upd.bin") == sign(&payload(149_824), &options).unwrap());
}

#[test]
fn confirming_afterwards_gives_what_imgtool_confirms_at_once() {
    let imgtool = Imgtool::new();
    for write_unit_bytes in [4, 16, 32] {
        let trailer = trailer_config(write_unit_bytes, SwapKind::Move);
        let with = |name: &str, padding| Case {
            name: name.to_owned(),
            options: SignOptions {
                trailer,
                padding,
                ..SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Move)
            },
        };
        let cases = [with("padded", Padding::Pending), with("confirmed", Padding::Confirmed)];
        let input = imgtool.write("payload", &payload(999));
        imgtool.expect(&cases.each_ref().map(|case| case.command(&imgtool, &input)));
        let mut image = imgtool.read("padded");
        confirm(&mut image, trailer).unwrap();
        assert!(image == imgtool.read("confirmed"), "align {write_unit_bytes}");
    }
}
