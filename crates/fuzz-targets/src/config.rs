//! The configuration that is packed into a migrator.

use bootswap_config::{
    Config, ConfigError, HEADER_LEN_BYTES, SECTION_LEN_BYTES, SECTION_MAGIC, Storage, decode,
    encode, find_section, is_hostname,
};

/// Reads a section, unchanged and with corrected lengths and CRCs; writes and reads its contents;
/// and searches for it in an image.
///
/// The input is a section; the erased bytes at its end may be left out.
pub fn config_section(input: &[u8]) {
    check(input);
    let payload = input.get(HEADER_LEN_BYTES..).unwrap_or_default();
    check(&section(payload));
    // A magic number inside of it counts as another section.
    if !payload.windows(SECTION_MAGIC.len()).any(|part| part == SECTION_MAGIC) {
        in_image(&section(payload), payload.len() % 64);
    }
}

/// A section with this payload and a correct header.
fn section(payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(SECTION_LEN_BYTES - HEADER_LEN_BYTES)];
    let mut section = SECTION_MAGIC.to_vec();
    section.extend([1, 0, 0, 0]);
    section.extend((SECTION_LEN_BYTES as u32).to_le_bytes());
    section.extend((payload.len() as u32).to_le_bytes());
    section.extend(crc32fast::hash(payload).to_le_bytes());
    section.extend(crc32fast::hash(&section).to_le_bytes());
    section.extend(payload);
    section.resize(SECTION_LEN_BYTES, 0xff);
    section
}

fn check(section: &[u8]) {
    let mut storage = Storage::default();
    match decode(section, &mut storage) {
        Ok(config) => check_config(&config, section),
        Err(error) => {
            assert!(error.to_string().len() > 30);
            if let ConfigError::Cbor { offset, .. } | ConfigError::Filling { offset, .. } = error {
                assert!((HEADER_LEN_BYTES..=section.len()).contains(&offset), "{error}");
            }
            assert_eq!(decode(section, &mut Storage::default()).err(), Some(error));
        }
    }
}

fn check_config(config: &Config<'_>, section: &[u8]) {
    assert!(config.network.hostname.is_none_or(is_hostname));
    let all = config.network.wifi.iter().chain(&config.network.rescue);
    assert!(all.into_iter().all(|wifi| (1..=32).contains(&wifi.ssid().len())));
    // Every text is in the section.
    for artifact in config.migration.artifacts {
        let name = artifact.name.as_bytes();
        assert!(name.is_empty() || section.windows(name.len()).any(|part| part == name));
    }
    let mut again = vec![0x5a; SECTION_LEN_BYTES + 1];
    let len = match encode(config, &mut again[..SECTION_LEN_BYTES]) {
        Ok(len) => len,
        // CBOR allows shorter forms than ours, for lengths and for what is left out.
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(again[len..SECTION_LEN_BYTES].iter().all(|byte| *byte == 0xff));
    assert_eq!(again.pop(), Some(0x5a), "written past the section");
    let mut storage = Storage::default();
    let read = decode(&again, &mut storage).expect("what was written");
    assert_eq!(format!("{:?}", read.migration), format!("{:?}", config.migration));
    assert_eq!((read.network, read.log_level), (config.network, config.log_level));
    // A changed bit is noticed, and a missing byte at the end.
    let at = section.len() % len;
    for at in [at, len - 1, SECTION_LEN_BYTES - 1] {
        let mut damaged = again.clone();
        damaged[at] ^= 1 << (section.len() % 8);
        assert!(
            decode(&damaged, &mut Storage::default()).is_err(),
            "byte {at} can change unnoticed"
        );
    }
    let short = decode(&again[..SECTION_LEN_BYTES - 1], &mut Storage::default()).err();
    assert!(short.is_some_and(|error| error.is_damage()));
}

/// A section is found anywhere in an image, and a second one is reported.
fn in_image(section: &[u8], words: usize) {
    let mut image = vec![0; words * 4];
    image.extend(section);
    image.extend([0; 5]);
    let wanted = words * 4..words * 4 + section.len();
    assert_eq!(find_section(&image), Ok(wanted.clone()));
    let second = image.len().next_multiple_of(4);
    image.resize(second, 0);
    image.extend(section);
    assert_eq!(find_section(&image), Err(ConfigError::TwoSections { first: wanted.start, second }));
}
