extern crate std;

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::ImageHeader;

/// An area with these TLVs.
fn area(protected: bool, tlvs: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let len = 4 + tlvs.iter().map(|(_, value)| 4 + value.len()).sum::<usize>();
    let mut out = AreaHeader { protected, len_bytes: len as u16 }.to_bytes().to_vec();
    for (tlv_type, value) in tlvs {
        let header = TlvHeader { tlv_type: TlvType(*tlv_type), len_bytes: value.len() as u16 };
        out.extend(header.to_bytes());
        out.extend(value);
    }
    out
}

/// An image of no payload, its header and its TLV areas.
fn image(protected: &[(u16, Vec<u8>)], unprotected: &[(u16, Vec<u8>)]) -> (ImageHeader, Vec<u8>) {
    let first = if protected.is_empty() { vec![] } else { area(true, protected) };
    let header = ImageHeader {
        hdr_size: 32,
        protect_tlv_size: first.len() as u16,
        ..ImageHeader::default()
    };
    let mut out = header.to_bytes().to_vec();
    out.extend(first);
    out.extend(area(false, unprotected));
    (header, out)
}

fn parse<'a>(image: &'a (ImageHeader, Vec<u8>)) -> Result<Tlvs<'a>, TlvError> {
    Tlvs::parse(&image.1, &image.0)
}

#[test]
fn both_areas_are_walked_in_order() {
    let image = image(&[(0x50, vec![1, 0, 0, 0])], &[(0x10, vec![7; 32]), (0xa0, vec![])]);
    let tlvs = parse(&image).unwrap();
    let found: Vec<_> = tlvs.iter().map(|t| (t.tlv_type.0, t.protected, t.offset_bytes)).collect();
    assert_eq!(found, [(0x50, true, 36), (0x10, false, 48), (0xa0, false, 84)]);
    assert_eq!(tlvs.end_bytes(), 88);
    assert_eq!(tlvs.find(TlvType::SHA256).map(|tlv| tlv.value), Some(&[7; 32][..]));
    assert_eq!(tlvs.find(TlvType::KEYHASH), None);
}

#[test]
fn the_header_decides_whether_there_is_a_protected_area() {
    let mut absent = image(&[], &[(0x10, vec![])]);
    absent.0.protect_tlv_size = 8;
    let magic = TlvError::AreaMagic { offset_bytes: 32, found: 0x6907, expected: 0x6908 };
    assert_eq!(parse(&absent), Err(magic));

    let mut unannounced = image(&[(0x50, vec![0; 4])], &[]);
    unannounced.0.protect_tlv_size = 0;
    let magic = TlvError::AreaMagic { offset_bytes: 32, found: 0x6908, expected: 0x6907 };
    assert_eq!(parse(&unannounced), Err(magic));

    let mut longer = image(&[(0x50, vec![0; 4])], &[]);
    longer.0.protect_tlv_size = 16;
    let len = TlvError::ProtectedLen { offset_bytes: 32, found: 12, in_header: 16 };
    assert_eq!(parse(&longer), Err(len));
}

#[test]
fn a_protected_tlv_stays_in_its_area() {
    let mut spilling = image(&[(0x50, vec![0; 4])], &[(0x10, vec![0; 32])]);
    spilling.1[38] = 5;
    let overrun = TlvError::Overrun {
        offset_bytes: 36,
        tlv_type: TlvType::SEC_CNT,
        len_bytes: 5,
        area_end_bytes: 44,
    };
    assert_eq!(parse(&spilling), Err(overrun));
}

#[test]
fn half_a_tlv_header_at_an_areas_end_is_refused() {
    let (header, mut bytes) = image(&[], &[(0x10, vec![])]);
    bytes[34] = 6;
    let half = TlvError::HalfHeader { offset_bytes: 36, area_end_bytes: 38 };
    assert_eq!(Tlvs::parse(&bytes, &header), Err(half));
    bytes[34] = 3;
    let short = TlvError::AreaLen { offset_bytes: 32, found: 3 };
    assert_eq!(Tlvs::parse(&bytes, &header), Err(short));
}

fn tlvs() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..20)), 0..5)
}

proptest! {
    #[test]
    fn parse_undoes_emit(protected in tlvs(), unprotected in tlvs(), behind in 0usize..9) {
        let mut image = image(&protected, &unprotected);
        let end = image.1.len();
        image.1.resize(end + behind, 0xff);
        let parsed = parse(&image).unwrap();
        prop_assert_eq!(parsed.end_bytes() as usize, end);
        for is_protected in [true, false] {
            let found: Vec<_> = parsed
                .iter()
                .filter(|tlv| tlv.protected == is_protected)
                .map(|tlv| (tlv.tlv_type.0, tlv.value.to_vec()))
                .collect();
            prop_assert_eq!(&found, if is_protected { &protected } else { &unprotected });
        }
    }

    #[test]
    fn no_bytes_panic(protected in tlvs(), unprotected in tlvs(), at: prop::sample::Index, by: u8,
                      size: u32, keep: prop::sample::Index) {
        let (mut header, mut bytes) = image(&protected, &unprotected);
        let at = at.index(bytes.len());
        bytes[at] ^= by;
        bytes.truncate(keep.index(bytes.len() + 1));
        if size % 2 == 0 {
            header.img_size = size;
        }
        if let Ok(tlvs) = Tlvs::parse(&bytes, &header) {
            prop_assert!(tlvs.iter().all(|tlv| tlv.offset_bytes < tlvs.end_bytes()));
            prop_assert!(tlvs.end_bytes() as usize <= bytes.len());
        }
    }
}
