//! Cases of sweeps, as they are typed to replay them.

use arbitrary::{Result, Unstructured};
use bootswap_serve::{FaultKind, ServerFault};
use bootswap_sim::sweep::{Case, FlashFault, Hazards};
use flash_region::FlashAddr;
use nor_sim::{Cut, OpFault, Phase, ReadFault};

/// Reads a case, writes it and reads it again; then does the same with one that is made up.
///
/// The input is a text.
pub fn sweep_case(input: &[u8]) {
    if let Ok(text) = core::str::from_utf8(input) {
        typed(text);
    }
    if let Ok(case) = built(&mut Unstructured::new(input)) {
        // A case without hazards has no text.
        let reads_back = case == Case::default() || case.to_string().parse().as_ref() == Ok(&case);
        assert!(reads_back, "{case:?} is written as {case}");
    }
}

fn typed(text: &str) {
    let case = match text.parse::<Case>() {
        Ok(case) => case,
        Err(error) => return assert!(error.to_string().len() > 20),
    };
    let written = case.to_string();
    assert_eq!(written.parse().as_ref(), Ok(&case), "written as {written}");
    // A comma in a path is not a separator.
    if text.contains('/') {
        return;
    }
    let items: Vec<Vec<&str>> = text.split(',').map(|item| item.split(':').collect()).collect();
    let ends: Vec<usize> = (0..items.len()).filter(|index| items[*index][0] == "cut").collect();
    assert_eq!(case.interrupted.len(), ends.len());
    let mut from = 0;
    for ((hazards, cut), end) in case.interrupted.iter().zip(&ends) {
        check_hazards(hazards, &items[from..*end]);
        from = end + 1;
        let (phase, seed) = match cut.phase {
            Phase::Before => ("before", None),
            Phase::Middle { seed } => ("middle", Some(seed)),
            Phase::After => ("after", None),
        };
        assert_eq!(items[*end][1].parse(), Ok(cut.op));
        assert_eq!(items[*end][2], phase);
        assert_eq!(items[*end].get(3).map(|seed| seed.parse()), seed.map(Ok));
    }
    check_hazards(&case.last, &items[from..]);
}

/// Checks that an episode has the hazards before its cut, and no others.
fn check_hazards(hazards: &Hazards, items: &[Vec<&str>]) {
    let network = items.iter().filter(|item| item[0] == "net").count();
    assert_eq!(hazards.network.len(), network);
    assert_eq!(items.len() - network, usize::from(hazards.flash.is_some()));
    let Some(flash) = hazards.flash else { return };
    let item = items.iter().find(|item| item[0] != "net").expect("counted");
    match flash {
        FlashFault::Op { op, fault } => {
            let kind = match fault {
                OpFault::Fails => "fails",
                OpFault::FailsTorn { .. } => "fails-torn",
                OpFault::SilentlyTorn { .. } => "silently-torn",
                OpFault::Ignored => "ignored",
            };
            assert_eq!((item[0], item[2]), ("op", kind));
            assert_eq!(item[1].parse(), Ok(op));
        }
        FlashFault::Read { read, fault } => {
            assert_eq!((item[0], item[1].parse()), ("read", Ok(read)));
            match fault {
                ReadFault::Fails => assert_eq!(item[2], "fails"),
                ReadFault::Flipped(bits) => {
                    assert_eq!((item[2], item[3].parse()), ("flips", Ok(bits.trailing_zeros())));
                    assert_eq!(bits.count_ones(), 1);
                }
            }
        }
        FlashFault::Stuck { addr, bit, value } => {
            assert_eq!((item[0], item[2].parse()), ("stuck", Ok(bit)));
            let digits = item[1].strip_prefix("0x").expect("hexadecimal");
            assert_eq!(u32::from_str_radix(digits, 16), Ok(addr.get()));
            assert_eq!(item[3], if value { "1" } else { "0" });
        }
    }
}

fn built(u: &mut Unstructured<'_>) -> Result<Case> {
    let mut interrupted = Vec::new();
    for _ in 0..u.int_in_range(0..=3)? {
        let phase = match u.int_in_range(0..=2)? {
            0 => Phase::Before,
            1 => Phase::Middle { seed: u.arbitrary()? },
            _ => Phase::After,
        };
        interrupted.push((hazards(u)?, Cut { op: u.arbitrary()?, phase }));
    }
    Ok(Case { interrupted, last: hazards(u)? })
}

fn hazards(u: &mut Unstructured<'_>) -> Result<Hazards> {
    let flash = match u.int_in_range(0..=7)? {
        0 => Some(FlashFault::Op { op: u.arbitrary()?, fault: OpFault::Fails }),
        1 => Some(FlashFault::Op { op: u.arbitrary()?, fault: OpFault::Ignored }),
        2 => {
            let fault = OpFault::FailsTorn { seed: u.arbitrary()? };
            Some(FlashFault::Op { op: u.arbitrary()?, fault })
        }
        3 => {
            let fault = OpFault::SilentlyTorn { seed: u.arbitrary()? };
            Some(FlashFault::Op { op: u.arbitrary()?, fault })
        }
        4 => {
            let flipped = ReadFault::Flipped(1 << u.int_in_range(0..=7)?);
            let fault = if u.arbitrary()? { flipped } else { ReadFault::Fails };
            Some(FlashFault::Read { read: u.arbitrary()?, fault })
        }
        5 => {
            let (addr, bit) = (FlashAddr(u.arbitrary()?), u.int_in_range(0..=7)?);
            Some(FlashFault::Stuck { addr, bit, value: u.arbitrary()? })
        }
        _ => None,
    };
    let mut network = Vec::new();
    for _ in 0..u.int_in_range(0..=2)? {
        let path = *u.choose(&[None, Some("/app.bin"), Some("/a,b:c*d+e.bin"), Some("/cut")])?;
        let kinds = [FaultKind::Drop(None), FaultKind::Truncate(u.arbitrary()?), FaultKind::Html];
        let (kinds, times) = (vec![*u.choose(&kinds)?], u.arbitrary()?);
        network.push(ServerFault { path: path.map(str::to_owned), kinds, times });
    }
    Ok(Hazards { flash, network })
}
