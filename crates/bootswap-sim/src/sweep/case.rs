//! One case of a sweep, and its notation for replaying it.
//!
//! ```text
//! case  = item { "," item }
//! item  = "cut:" OP ":" phase             power goes at flash operation OP, from 0, since it came
//!       | "op:" OP ":" failure            the migrator's flash operation OP goes wrong
//!       | "read:" N ":" failure           the migrator's read N goes wrong
//!       | "stuck:" ADDR ":" BIT ":" 0|1   a bit of flash that never changes
//!       | "net:" FAULT                    a fault of the server, as `bootswap serve` takes it
//! phase = "before" | "middle:" SEED | "after"
//! ```
//!
//! A cut ends an *episode*: items before it, since the last cut, happen in that episode; items
//! after the last cut happen in the recovery. `cut:1234:middle:7,cut:15:after` loses power in the
//! middle of operation 1234, and again right after operation 15 of the recovery.

use std::fmt;
use std::str::FromStr;

use bootswap_serve::ServerFault;
use nor_sim::{Cut, Phase};

use super::flash_fault::FlashFault;

/// What happens to a device: episodes from power on to power off, and a last one without end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Case {
    /// What happens before each cut, and the cut.
    pub interrupted: Vec<(Hazards, Cut)>,
    /// What happens after the last cut.
    pub last: Hazards,
}

/// Faults while there is power.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hazards {
    /// Of the flash.
    pub flash: Option<FlashFault>,
    /// Of the server, in the order in which it tries the rules.
    pub network: Vec<ServerFault>,
}

impl Case {
    /// Power lost, and lost again in each recovery.
    #[must_use]
    pub fn cuts(cuts: &[Cut]) -> Self {
        let interrupted = cuts.iter().map(|cut| (Hazards::default(), *cut)).collect();
        Self { interrupted, last: Hazards::default() }
    }

    /// The flash fails, power stays.
    #[must_use]
    pub fn flash(fault: FlashFault) -> Self {
        let last = Hazards { flash: Some(fault), network: Vec::new() };
        Self { interrupted: Vec::new(), last }
    }

    /// The server fails after power was lost, or without that.
    #[must_use]
    pub fn network(cut: Option<Cut>, network: Vec<ServerFault>) -> Self {
        let last = Hazards { flash: None, network };
        let interrupted = cut.into_iter().map(|cut| (Hazards::default(), cut)).collect();
        Self { interrupted, last }
    }
}

impl fmt::Display for Hazards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flash = self.flash.iter().map(ToString::to_string);
        let items: Vec<String> =
            flash.chain(self.network.iter().map(|fault| format!("net:{fault}"))).collect();
        f.write_str(&items.join(","))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut items = Vec::new();
        for (hazards, cut) in &self.interrupted {
            items.push(hazards.to_string());
            items.push(cut_text(*cut));
        }
        items.push(self.last.to_string());
        items.retain(|item| !item.is_empty());
        f.write_str(&items.join(","))
    }
}

fn cut_text(Cut { op, phase }: Cut) -> String {
    match phase {
        Phase::Before => format!("cut:{op}:before"),
        Phase::Middle { seed } => format!("cut:{op}:middle:{seed}"),
        Phase::After => format!("cut:{op}:after"),
    }
}

/// Why a text is not a case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadCase {
    item: String,
    why: String,
}

impl fmt::Display for BadCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.item, self.why)
    }
}

impl std::error::Error for BadCase {}

/// What an item can be, for messages.
const ITEMS: &str = "an item is cut:OP:before, cut:OP:middle:SEED, cut:OP:after, op:OP:FAILURE, \
                     read:N:FAILURE, stuck:ADDR:BIT:VALUE or net:FAULT";

impl FromStr for Case {
    type Err = BadCase;

    fn from_str(text: &str) -> Result<Self, BadCase> {
        let mut case = Self::default();
        for item in items(text) {
            let bad = |why: String| BadCase { item: item.to_owned(), why };
            match item.split_once(':') {
                Some(("cut", rest)) => {
                    let cut = cut(rest).ok_or_else(|| bad(ITEMS.to_owned()))?;
                    case.interrupted.push((std::mem::take(&mut case.last), cut));
                }
                Some(("net", fault)) => {
                    let fault = fault.parse();
                    case.last.network.push(
                        fault
                            .map_err(|error: bootswap_serve::FaultError| bad(error.to_string()))?,
                    );
                }
                Some(("op" | "read" | "stuck", _)) if case.last.flash.is_some() => {
                    return Err(bad("an episode has at most one fault of flash".to_owned()));
                }
                Some(("op" | "read" | "stuck", _)) => {
                    case.last.flash = Some(item.parse().map_err(|why: &str| bad(why.to_owned()))?);
                }
                _ => return Err(bad(ITEMS.to_owned())),
            }
        }
        Ok(case)
    }
}

/// The items: a comma within the path of a server fault does not separate items.
fn items(text: &str) -> Vec<&str> {
    const BEGINNINGS: [&str; 5] = ["cut:", "op:", "read:", "stuck:", "net:"];
    let mut items = Vec::new();
    let mut rest = text;
    loop {
        let begins = |at: usize| {
            BEGINNINGS.iter().any(|b| rest.get(at + 1..).is_some_and(|rest| rest.starts_with(b)))
        };
        match rest.match_indices(',').find(|(at, _)| begins(*at)) {
            Some((at, _)) => {
                items.push(&rest[..at]);
                rest = &rest[at + 1..];
            }
            None => {
                items.push(rest);
                return items;
            }
        }
    }
}

fn cut(text: &str) -> Option<Cut> {
    let mut parts = text.split(':');
    let op = parts.next()?.parse().ok()?;
    let cut = match parts.next()? {
        "before" => Cut::before(op),
        "middle" => Cut::middle(op, parts.next()?.parse().ok()?),
        "after" => Cut::after(op),
        _ => return None,
    };
    parts.next().is_none().then_some(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flash_region::FlashAddr;
    use nor_sim::{OpFault, ReadFault};
    use proptest::prelude::*;

    fn any_cut() -> impl Strategy<Value = Cut> {
        (any::<u64>(), any::<u64>(), 0..3).prop_map(|(op, seed, phase)| match phase {
            0 => Cut::before(op),
            1 => Cut::middle(op, seed),
            _ => Cut::after(op),
        })
    }

    fn any_flash_fault() -> impl Strategy<Value = FlashFault> {
        let op = (any::<u64>(), any::<u64>(), 0..4).prop_map(|(op, seed, kind)| FlashFault::Op {
            op,
            fault: match kind {
                0 => OpFault::Fails,
                1 => OpFault::FailsTorn { seed },
                2 => OpFault::SilentlyTorn { seed },
                _ => OpFault::Ignored,
            },
        });
        let read = (any::<u64>(), proptest::option::of(0..8u8)).prop_map(|(read, bit)| {
            let fault = bit.map_or(ReadFault::Fails, |bit| ReadFault::Flipped(1 << bit));
            FlashFault::Read { read, fault }
        });
        let stuck = (any::<u32>(), 0..8u8, any::<bool>())
            .prop_map(|(addr, bit, value)| FlashFault::Stuck { addr: FlashAddr(addr), bit, value });
        prop_oneof![op, read, stuck]
    }

    fn any_hazards() -> impl Strategy<Value = Hazards> {
        let network = prop_oneof![
            Just("/a,b.bin:drop=13000*1"),
            Just("no-length+truncate=5*2"),
            Just("html")
        ];
        let network = network.prop_map(|text| text.parse().unwrap());
        (proptest::option::of(any_flash_fault()), proptest::collection::vec(network, 0..3))
            .prop_map(|(flash, network)| Hazards { flash, network })
    }

    proptest! {
        #[test]
        fn a_case_reads_as_written(
            interrupted in proptest::collection::vec((any_hazards(), any_cut()), 0..3),
            last in any_hazards(),
        ) {
            let case = Case { interrupted, last };
            prop_assume!(case != Case::default());
            prop_assert_eq!(case.to_string().parse(), Ok(case));
        }

        #[test]
        fn no_text_panics(text in "[a-z0-9:,=/]{0,40}") {
            let _ = text.parse::<Case>();
        }
    }

    #[test]
    fn cases_are_short() {
        let twice = Case::cuts(&[Cut::middle(1234, 7), Cut::after(15)]);
        assert_eq!(twice.to_string(), "cut:1234:middle:7,cut:15:after");
        let fault = "/app.bin:drop=13000*1".parse().unwrap();
        let both = Case::network(Some(Cut::before(3)), vec![fault]);
        assert_eq!(both.to_string(), "cut:3:before,net:/app.bin:drop=13000*1");
    }

    #[test]
    fn what_is_no_case_is_named() {
        for (text, part) in [
            ("", "an item is"),
            ("cut:7", "cut:OP:before"),
            ("cut:7:middle", "cut:OP:before"),
            ("cut:7:after:3", "cut:OP:before"),
            ("cut:3:before,op:1:melts", "op:1:melts"),
            ("net:fire", "fire"),
            ("op:1:fails,op:2:fails", "at most one"),
        ] {
            let error = text.parse::<Case>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
