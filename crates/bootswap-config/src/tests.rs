//! Sections as they are written, read back, damaged, and of other versions. In one file, though it
//! is long: every test begins with the same section.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

extern crate std;

use std::borrow::ToOwned;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use bootswap_plan::{
    Allow, Artifact, Blanks, CarrierContent, CommitWay, Content, MAX_ARTIFACTS, McubootMap,
    Migration, Origin, PARTITION_TABLE, Role, Staging,
};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSettings;
use flash_region::{FlashAddr, Region};
use mcuboot_format::{DowngradePrevention, ImageVersion, SwapKind};
use proptest::option;
use proptest::prelude::*;

use super::*;

type Bytes = Vec<u8>;

/// A configuration with its data.
#[derive(Clone, Debug)]
struct Owned {
    chip: Chip,
    flash_len_bytes: Option<u32>,
    table_addr: Option<u32>,
    map: Option<OwnedMap>,
    artifacts: Vec<OwnedArtifact>,
    staging: Option<Option<String>>,
    commit: CommitWay,
    test_image: bool,
    overwrite: Vec<String>,
    wifi: Vec<(Bytes, String)>,
    old_credentials: bool,
    rescue: Option<(Bytes, String)>,
    hostname: Option<String>,
    log_level: LogLevel,
}

/// Primary, secondary, scratch, swap, alignment, key and build.
type OwnedMap = (Region, Region, Option<Region>, SwapKind, u32, Option<Bytes>, Build);
/// Sectors, downgrade prevention, and whether overwriting is fast.
type Build = (u32, DowngradePrevention, bool);
/// Name, role, address, place, contents and whether it is confirmed.
type OwnedArtifact = (String, Role, Option<String>, Placed, Option<Content>, bool);
/// Destination, length of the region, length and digest.
type Placed = (Option<Region>, Option<u32>, Option<u32>, Option<[u8; 32]>);

impl Owned {
    fn with<R>(&self, use_it: impl FnOnce(&Config<'_>) -> R) -> R {
        let artifacts: Vec<_> = self.artifacts.iter().map(lend).collect();
        let overwrite: Vec<&str> = self.overwrite.iter().map(String::as_str).collect();
        let networks: Vec<_> = self.wifi.iter().map(wifi).collect();
        use_it(&Config {
            migration: Migration {
                chip: self.chip,
                flash_len_bytes: self.flash_len_bytes,
                table_addr: self.table_addr.map(FlashAddr),
                mcuboot: self.map.as_ref().map(|map| McubootMap {
                    primary: map.0,
                    secondary: map.1,
                    scratch: map.2,
                    swap: map.3,
                    max_align_bytes: map.4,
                    key_der: map.5.as_deref(),
                    max_sectors: map.6.0,
                    downgrade_prevention: map.6.1,
                    overwrites_fast: map.6.2,
                }),
                artifacts: &artifacts,
                staging: match &self.staging {
                    None => Staging::Auto,
                    Some(None) => Staging::Memory,
                    Some(Some(label)) => Staging::Label(label),
                },
                commit: self.commit,
                allow: Allow { test_image: self.test_image, overwrite: &overwrite },
                against: &[],
            },
            network: NetworkSettings {
                wifi: &networks,
                old_credentials: self.old_credentials,
                rescue: self.rescue.as_ref().map(wifi),
                hostname: self.hostname.as_deref(),
            },
            log_level: self.log_level,
        })
    }

    fn section(&self) -> Bytes {
        let mut section = vec![0; SECTION_LEN_BYTES];
        self.with(|config| encode(config, &mut section)).unwrap();
        section
    }
}

fn wifi((ssid, password): &(Bytes, String)) -> Wifi<'_> {
    Wifi::new(ssid, password).unwrap()
}

fn lend<'a>((name, role, url, placed, content, confirm): &'a OwnedArtifact) -> Artifact<'a> {
    Artifact {
        name,
        role: *role,
        origin: url.as_deref().map_or(Origin::Embedded, Origin::Url),
        dest: placed.0,
        region_len_bytes: placed.1,
        len_bytes: placed.2,
        sha256: placed.3,
        content: *content,
        confirm: *confirm,
        // Any bytes will do.
        blanks: if *confirm { Blanks::from_bytes(name.as_bytes()) } else { Blanks::NONE },
    }
}

fn region() -> impl Strategy<Value = Region> {
    (any::<u32>(), any::<u32>()).prop_map(|(start, len)| Region::clamped(FlashAddr(start), len))
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        Just(Content::Opaque),
        (any::<u32>(), any::<[bool; 3]>(), any::<[u8; 8]>()).prop_map(
            |(image_len_bytes, flags, version)| Content::Mcuboot {
                image_len_bytes,
                padded: flags[0],
                confirmed: flags[1],
                signed: flags[2],
                version: ImageVersion::from_bytes(version),
            }
        ),
        (any::<u16>(), any::<u32>(), any::<Option<u32>>()).prop_map(
            |(chip_id, image_len_bytes, flash_len_bytes)| Content::EspImage {
                chip_id,
                image_len_bytes,
                flash_len_bytes,
            }
        ),
        (any::<(u16, [u8; 2], Option<u32>)>(), any::<u32>(), any::<bool>()).prop_map(
            |((chip_id, settings, otadata), secure_version, has_trial)| Content::Carrier(
                CarrierContent {
                    chip_id,
                    settings: FlashSettings::from_bytes(settings),
                    otadata: otadata.map(FlashAddr),
                    secure_version,
                    has_trial,
                }
            )
        ),
    ]
}

fn network() -> impl Strategy<Value = (Bytes, String)> {
    let text = "[a-zäß ]{1,16}".prop_map(String::into_bytes);
    let ssid = prop_oneof![text, proptest::collection::vec(1u8.., 1..=32)];
    (ssid, prop_oneof!["", "[ -~]{8,63}", "[0-9a-f]{64}"])
}

fn some<T>(list: &'static [T]) -> impl Strategy<Value = T>
where
    T: Copy + std::fmt::Debug,
{
    proptest::sample::select(list)
}

prop_compose! {
    fn migration()(
        chip in some(&Chip::ALL),
        flash_len_bytes in any::<Option<u32>>(),
        table_addr in any::<Option<u32>>(),
        map in option::of((
            region(), region(), option::of(region()), some(&SwapKind::ALL), any::<u32>(),
            option::of(proptest::collection::vec(any::<u8>(), 0..300)),
            (any::<u32>(), some(&DowngradePrevention::ALL), any::<bool>()),
        )),
        artifacts in proptest::collection::vec((
            "[a-z]{0,20}",
            some(&[Role::Application, Role::Bootloader, Role::Other]),
            option::of("https?://[a-z./]{1,80}"),
            (
                option::of(region()),
                any::<Option<u32>>(),
                any::<Option<u32>>(),
                any::<Option<[u8; 32]>>(),
            ),
            option::of(content()),
            any::<bool>(),
        ), 0..=MAX_ARTIFACTS),
        staging in option::of(option::of("[a-z_0-9]{0,16}")),
        commit in some(&CommitWay::ALL),
        test_image in any::<bool>(),
        overwrite in proptest::collection::vec("[a-z]{1,16}", 0..=MAX_LABELS),
    ) -> Owned {
        Owned {
            chip, flash_len_bytes, table_addr, map, artifacts, staging, commit, test_image,
            overwrite,
            wifi: vec![],
            old_credentials: false,
            rescue: None,
            hostname: None,
            log_level: LogLevel::Off,
        }
    }
}

prop_compose! {
    fn config()(
        migration in migration(),
        wifi in proptest::collection::vec(network(), 0..=MAX_NETWORKS),
        old_credentials in any::<bool>(),
        rescue in option::of(network()),
        hostname in option::of("[a-z0-9][a-z0-9-]{0,30}[a-z0-9]"),
        log_level in some(&LogLevel::ALL),
    ) -> Owned {
        Owned { wifi, old_credentials, rescue, hostname, log_level, ..migration }
    }
}

/// The migration of the example, with two networks.
fn example() -> Owned {
    let slot = |start| Region::clamped(FlashAddr(start), 0x10_0000);
    let url = |file| Some(format!("http://192.168.100.101:8070/{file}"));
    let app = Content::Mcuboot {
        image_len_bytes: 0x24a00,
        padded: true,
        confirmed: true,
        signed: false,
        version: ImageVersion::new(1, 2, 3),
    };
    let bootloader =
        Content::EspImage { chip_id: 5, image_len_bytes: 27_376, flash_len_bytes: Some(1 << 22) };
    Owned {
        chip: Chip::Esp32c3,
        flash_len_bytes: Some(1 << 22),
        table_addr: None,
        map: Some((
            slot(0x1_0000),
            slot(0x11_0000),
            Some(Region::clamped(FlashAddr(0x21_0000), 0x4_0000)),
            SwapKind::Scratch,
            8,
            Some(vec![0x30; 91]),
            (976, DowngradePrevention::Version, true),
        )),
        artifacts: vec![
            (
                "app".to_owned(),
                Role::Application,
                url("app_upd.bin"),
                (None, None, Some(1 << 20), Some([0xa5; 32])),
                Some(app),
                false,
            ),
            (
                "bootloader".to_owned(),
                Role::Bootloader,
                url("mcuboot-esp32c3.bin"),
                (None, Some(0xf000), Some(27_376), Some([0x5a; 32])),
                Some(bootloader),
                false,
            ),
        ],
        staging: None,
        commit: CommitWay::Replace,
        test_image: false,
        overwrite: vec![PARTITION_TABLE.to_owned()],
        wifi: vec![
            (b"fleet".to_vec(), "correct horse".to_owned()),
            (b"workshop".to_vec(), String::new()),
        ],
        old_credentials: true,
        rescue: Some((b"rescue".to_vec(), "0123456789abcdef".repeat(4))),
        hostname: Some("sensor-17".to_owned()),
        log_level: LogLevel::Debug,
    }
}

fn decoded(section: &[u8]) -> Result<(String, String), ConfigError> {
    let mut storage = Storage::default();
    decode(section, &mut storage).map(|config| said(&config))
}

/// Everything in a configuration, with the passwords, which `Debug` hides.
fn said(config: &Config<'_>) -> (String, String) {
    let network = &config.network;
    let wifi = network.wifi.iter().chain(&network.rescue);
    let passwords: Vec<_> = wifi.map(Wifi::password).collect();
    (format!("{config:?}"), passwords.join(" "))
}

/// A valid section with this payload.
fn section_of(payload: &[u8]) -> Bytes {
    let header = section::Header {
        section_len_bytes: HEADER_LEN_BYTES + payload.len() + 8,
        payload_len_bytes: payload.len(),
        payload_crc: crc32fast::hash(payload),
    };
    [&header.emit()[..], payload, &[0xff; 8]].concat()
}

fn payload(section: &[u8]) -> Bytes {
    section::payload(section).unwrap().to_vec()
}

proptest! {
    #[test]
    fn reads_what_it_writes(owned in config()) {
        let mut section = vec![0; 2 * SECTION_LEN_BYTES];
        let written = owned.with(|config| {
            encode(config, &mut section).unwrap();
            said(config)
        });
        prop_assert_eq!(decoded(&section), Ok(written));
    }

    #[test]
    fn any_bytes_are_refused_as_a_section(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decoded(&bytes).is_err());
        let mut headed = SECTION_MAGIC.to_vec();
        headed.extend(&bytes);
        prop_assert!(decoded(&headed).is_err());
    }

    #[test]
    fn any_bytes_are_refused_as_a_payload(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decoded(&section_of(&bytes)).is_err());
    }

    #[test]
    fn a_changed_byte_is_refused_or_still_valid(at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = payload(&example().section());
        *at.get_mut(&mut bytes) = byte;
        // The payload may still be valid, with another value somewhere. Then it can be written
        // again.
        let section = section_of(&bytes);
        let mut storage = Storage::default();
        if let Ok(config) = decode(&section, &mut storage) {
            let mut again = vec![0; SECTION_LEN_BYTES];
            encode(&config, &mut again).unwrap();
            prop_assert_eq!(decoded(&again), Ok(said(&config)));
        }
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let sound = example().section();
    for section in [sound, Section::empty().bytes().to_vec()] {
        let mut damaged = section.clone();
        for bit in 0..section.len() * 8 {
            damaged[bit / 8] ^= 1 << (bit % 8);
            let error = decoded(&damaged).unwrap_err();
            assert!(error.is_damage() || error == ConfigError::NoMagic, "bit {bit}: {error:?}");
            damaged[bit / 8] = section[bit / 8];
        }
    }
}

#[test]
fn a_section_cut_short_is_found() {
    let section = example().section();
    for len_bytes in 0..section.len() {
        let needed_bytes =
            if len_bytes < HEADER_LEN_BYTES { HEADER_LEN_BYTES } else { SECTION_LEN_BYTES };
        let error = ConfigError::TooShort { len_bytes, needed_bytes };
        assert_eq!(decoded(&section[..len_bytes]), Err(error));
    }
}

#[test]
fn the_example_is_small() {
    let mut section = vec![0; SECTION_LEN_BYTES];
    let len = example().with(|config| encode(config, &mut section)).unwrap();
    assert!(len < 700, "{len} bytes");
}

#[test]
fn an_image_as_built_says_to_pack_it() {
    static CONFIG: Section = Section::empty();
    let error = decoded(CONFIG.bytes()).unwrap_err();
    assert_eq!(error, ConfigError::Empty);
    assert!(error.to_string().contains("run `bootswap pack`"));
    assert_eq!(std::mem::align_of::<Section>(), SECTION_ALIGN_BYTES);
}

#[test]
fn the_section_is_found_in_an_image() {
    let mut image: Bytes = (0..50_000u32).map(|n| (n * 7 % 251) as u8).collect();
    assert_eq!(find_section(&image), Err(ConfigError::NoSection));
    // The magic as code that compares it has it.
    image[1000..1016].copy_from_slice(&SECTION_MAGIC);
    assert!(matches!(find_section(&image), Err(ConfigError::HeaderCrc { .. })));
    let at = 20_000..20_000 + SECTION_LEN_BYTES;
    image[at.clone()].copy_from_slice(Section::empty().bytes());
    assert_eq!(find_section(&image), Ok(at.clone()));
    image[at.clone()].copy_from_slice(&example().section());
    assert_eq!(find_section(&image), Ok(at.clone()));
    let needed_bytes = SECTION_LEN_BYTES;
    let error = ConfigError::TooShort { len_bytes: needed_bytes - 1, needed_bytes };
    assert_eq!(find_section(&image[..at.end - 1]), Err(error));
    image[40_000..40_000 + SECTION_LEN_BYTES].copy_from_slice(Section::empty().bytes());
    let error = ConfigError::TwoSections { first: 20_000, second: 40_000 };
    assert_eq!(find_section(&image), Err(error));
}

/// The section with another version in its header.
fn versioned(section: &[u8], major: u16, minor: u16) -> Bytes {
    let mut section = section.to_vec();
    section[16..18].copy_from_slice(&major.to_le_bytes());
    section[18..20].copy_from_slice(&minor.to_le_bytes());
    let crc = crc32fast::hash(&section[..32]);
    section[32..36].copy_from_slice(&crc.to_le_bytes());
    section
}

#[test]
fn another_major_version_is_refused_before_its_contents_are_looked_at() {
    for major in [0, MAJOR_VERSION + 1, u16::MAX] {
        let section = versioned(&example().section(), major, 7);
        let error = ConfigError::Version { major, minor: 7 };
        assert_eq!(decoded(&section), Err(error));
        assert_eq!(find_section(&section), Err(error));
        assert!(error.to_string().contains(&format!("version {major}.7")));
    }
}

#[test]
fn unknown_keys_of_a_newer_minor_version_are_ignored() {
    // The root's two entries are followed by a third: key 15, which is reserved for a signature,
    // with a map of values of every type.
    let mut bytes = payload(&example().section());
    assert_eq!(bytes[0], 0xa2, "a map of two entries");
    bytes[0] = 0xa3;
    bytes.extend([0x0f, 0xa2, 0x01, 0x42, 0xaa, 0xbb, 0x62, b'h', b'i', 0x82, 0x20, 0xf6]);
    let section = versioned(&section_of(&bytes), MAJOR_VERSION, MINOR_VERSION + 3);
    let same = example().with(said);
    assert_eq!(decoded(&section), Ok(same));
}

#[test]
fn errors_in_a_payload_have_their_offset() {
    let refused = |payload: &[u8]| decoded(&section_of(payload)).unwrap_err();
    let cbor = |offset, found| ConfigError::Cbor { offset: HEADER_LEN_BYTES + offset, found };
    assert_eq!(refused(&[0xa1]), cbor(1, Malformed::End));
    assert_eq!(refused(&[0x80]), cbor(0, Malformed::Type));
    assert!(matches!(refused(&[0xa0]), ConfigError::Cbor { found: Malformed::Missing, .. }));
    let mut more = payload(&example().section());
    let len = more.len();
    more.push(0);
    assert_eq!(refused(&more), cbor(len, Malformed::More));
}

/// A root with this migration and this device, each given as a map.
fn root(migration: &[u8], device: &[u8]) -> Bytes {
    section_of(&[&[0xa2, 0], migration, &[1], device].concat())
}

/// A migration for ESP32-C3 with nothing in it.
const NOTHING: [u8; 3] = [0xa1, 0, 5];
/// A device with nothing but the old credentials.
const SILENT: [u8; 5] = [0xa2, 1, 0xf5, 4, 0];

#[test]
fn an_impossible_value_is_named_with_its_field() {
    assert!(decoded(&root(&NOTHING, &SILENT)).is_ok());
    let refused = |migration: &[u8], device: &[u8]| match decoded(&root(migration, device)) {
        Err(ConfigError::Field { name, index, problem }) => (name, index, problem),
        other => panic!("{other:?}"),
    };
    let unknown = |found| FieldProblem::Unknown { found };
    assert_eq!(refused(&[0xa1, 0, 23], &SILENT), ("chip", None, unknown(23)));
    assert_eq!(refused(&NOTHING, &[0xa2, 1, 0xf5, 4, 6]), ("log.level", None, unknown(6)));
    // Key 3: one artifact "a" with role 3.
    let role = [0xa2, 0, 5, 3, 0x81, 0xa2, 0, 0x61, b'a', 1, 3];
    assert_eq!(refused(&role, &SILENT), ("artifacts.role", Some(0), unknown(3)));
    // The same with role 2 and a region of 2 bytes at the last address.
    let high = [0x82, 0x1a, 0xff, 0xff, 0xff, 0xff, 2];
    let dest = [&[0xa2, 0, 5, 3, 0x81, 0xa3, 0, 0x61, b'a', 1, 2, 3][..], &high].concat();
    let problem = FieldProblem::Region { start: u32::MAX, len_bytes: 2 };
    assert_eq!(refused(&dest, &SILENT), ("artifacts.dest", Some(0), problem));
    // Key 0: two networks, of which the second has no name.
    let networks = [0xa3, 0, 0x82, 0xa1, 0, 0x61, b'a', 0xa1, 0, 0x60, 1, 0xf5, 4, 0];
    let problem = FieldProblem::Wifi(WifiError::NoSsid);
    assert_eq!(refused(&NOTHING, &networks), ("network.wifi", Some(1), problem));
    let hostname = [0xa3, 1, 0xf5, 3, 0x61, b'-', 4, 0];
    assert_eq!(refused(&NOTHING, &hostname), ("network.hostname", None, FieldProblem::Hostname));
    let labels = [&[0xa2, 0, 5, 6, 0x91][..], &[0x61, b'l'].repeat(17)].concat();
    let problem = FieldProblem::TooMany { most: MAX_LABELS };
    assert_eq!(refused(&labels, &SILENT), ("allow.overwrite", Some(MAX_LABELS), problem));
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let mut section = vec![0; SECTION_LEN_BYTES];
    let mut refused =
        |owned: &Owned| owned.with(|config| encode(config, &mut section)).unwrap_err();
    let artifact = example().artifacts[0].clone();
    let many = Owned { artifacts: vec![artifact; 9], ..example() };
    let error = EncodeError::TooMany { what: "artifacts", found: 9, most: MAX_ARTIFACTS };
    assert_eq!(refused(&many), error);
    let network = (b"net".to_vec(), String::new());
    let many = Owned { wifi: vec![network; 9], ..example() };
    let error = EncodeError::TooMany { what: "networks", found: 9, most: MAX_NETWORKS };
    assert_eq!(refused(&many), error);
    let many = Owned { overwrite: vec!["nvs".to_owned(); 17], ..example() };
    let error = EncodeError::TooMany { what: "labels to overwrite", found: 17, most: MAX_LABELS };
    assert_eq!(refused(&many), error);
    let named = Owned { hostname: Some("a b".to_owned()), ..example() };
    assert_eq!(refused(&named), EncodeError::Hostname);
}

#[test]
fn a_configuration_that_does_not_fit_says_how_much_it_needs() {
    let owned = example();
    let mut section = vec![0; SECTION_LEN_BYTES];
    let needed_bytes = owned.with(|config| encode(config, &mut section)).unwrap();
    let mut exact = vec![0; needed_bytes];
    assert_eq!(owned.with(|config| encode(config, &mut exact)), Ok(needed_bytes));
    assert!(decoded(&exact).is_ok());
    for section_len_bytes in [needed_bytes - 1, HEADER_LEN_BYTES, HEADER_LEN_BYTES - 1, 0] {
        let mut short = vec![0; section_len_bytes];
        let error = EncodeError::TooLarge { needed_bytes, section_len_bytes };
        assert_eq!(owned.with(|config| encode(config, &mut short)), Err(error));
    }
}

#[test]
fn a_storage_can_be_used_again() {
    let (first, second) = (example().section(), Owned { wifi: vec![], ..example() }.section());
    let mut storage = Storage::default();
    assert_eq!(decode(&first, &mut storage).unwrap().network.wifi.len(), 2);
    assert_eq!(decode(&second, &mut storage).unwrap().network.wifi.len(), 0);
}
