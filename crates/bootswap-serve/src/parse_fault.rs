//! The text form of a fault, which the command line takes.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::fault::{Aspect, FaultKind, ServerFault};

/// Why a text is not a fault; each names the part of the text that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultError {
    /// A path does not begin with a slash.
    Path {
        /// What precedes the colon.
        found: String,
    },
    /// There is no kind of that name.
    Kind {
        /// The name.
        found: String,
    },
    /// A kind needs a number and has none, or one that is out of range.
    Value {
        /// The name of the kind.
        kind: &'static str,
        /// What the number has to be.
        expected: &'static str,
        /// What follows the equals sign.
        found: Option<String>,
    },
    /// A kind that takes no number has one.
    NoValue {
        /// The name of the kind.
        kind: &'static str,
        /// What follows the equals sign.
        found: String,
    },
    /// What follows the asterisk is not a number of requests.
    Times {
        /// What it is.
        found: String,
    },
    /// Two kinds concern the same aspect of an answer.
    Conflict {
        /// The name of the first.
        first: &'static str,
        /// The name of the second.
        second: &'static str,
    },
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { found } => {
                write!(
                    f,
                    "fault path {found:?} does not begin with a slash, as in \
                     /app_upd.bin:drop=13000"
                )
            }
            Self::Kind { found } => {
                let names = FaultKind::NAMES.join(", ");
                write!(f, "fault kind {found:?} is unknown; the kinds are {names}")
            }
            Self::Value { kind, expected, found: Some(found) } => {
                write!(f, "fault {kind} needs {expected}, found {found:?}")
            }
            Self::Value { kind, expected, found: None } => {
                write!(f, "fault {kind} needs {expected}, as in {kind}=NUMBER")
            }
            Self::NoValue { kind, found } => {
                write!(f, "fault {kind} takes no number, found {found:?}")
            }
            Self::Times { found } => write!(
                f,
                "number of requests {found:?} after the asterisk is not a whole number from 1, as \
                 in drop=13000*2"
            ),
            Self::Conflict { first, second } => {
                write!(f, "faults {first} and {second} cannot be combined in one answer")
            }
        }
    }
}

impl std::error::Error for FaultError {}

impl ServerFault {
    /// The text form in a few lines, for the help of a command line.
    pub const HELP: &str = "\
[/PATH:]KIND[=NUMBER][+KIND...][*TIMES], for example /app_upd.bin:drop=13000*2
  none               serve as usual: lets requests pass before the next rule
  status=CODE        answer with that status
  html               answer 200 with a login page
  empty              answer 200 with an empty body
  redirect=N         redirect N times, then serve
  redirect-loop      redirect for ever
  range-ignored      answer a range request with 200 and the whole file
  range-wrong        send another range than asked for, with its own Content-Range
  range-misplaced    send another range than asked for, with the Content-Range asked for
  etag-changes       send another ETag with every answer
  corrupt[=OFFSET]   flip one bit of the file
  oversize=N         append N bytes to the file
  no-length          send no Content-Length; the end of the connection ends the body
  chunked            send the body in chunks, without Content-Length
  drop[=N]           reset the connection after N body bytes; without N, instead of answering
  stall[=N]          send nothing more after N body bytes; without N, never answer
  truncate=N         close the connection after N body bytes
The first rule that matches the path and is not used up applies.";
}

impl FromStr for ServerFault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        // No kind has a colon, but a path may have one: the last colon is the separator.
        let (path, rest) = match text.rsplit_once(':') {
            Some((path, _)) if !path.starts_with('/') => {
                return Err(FaultError::Path { found: path.to_owned() });
            }
            Some((path, rest)) => (Some(path.to_owned()), rest),
            None => (None, text),
        };
        let (kinds, times) = match rest.split_once('*') {
            Some((kinds, times)) => (kinds, Some(parse_times(times)?)),
            None => (rest, None),
        };
        let kinds = kinds.split('+').map(FaultKind::from_str).collect::<Result<Vec<_>, _>>()?;
        refuse_conflicts(&kinds)?;
        Ok(Self { path, kinds, times })
    }
}

fn parse_times(text: &str) -> Result<NonZeroU32, FaultError> {
    text.parse().map_err(|_| FaultError::Times { found: text.to_owned() })
}

fn refuse_conflicts(kinds: &[FaultKind]) -> Result<(), FaultError> {
    for (index, second) in kinds.iter().enumerate() {
        let conflicts = |first: &&FaultKind| {
            first.aspect() == second.aspect()
                || [first.aspect(), second.aspect()].contains(&Aspect::Nothing)
        };
        if let Some(first) = kinds.iter().take(index).find(conflicts) {
            return Err(FaultError::Conflict { first: first.name(), second: second.name() });
        }
    }
    Ok(())
}

impl FromStr for FaultKind {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let unknown = || FaultError::Kind { found: name.to_owned() };
        let kind = Self::NAMES.into_iter().find(|known| *known == name).ok_or_else(unknown)?;
        let part = Part { kind, value };
        match kind {
            "none" => part.bare(Self::Pass),
            "html" => part.bare(Self::Html),
            "empty" => part.bare(Self::Empty),
            "redirect-loop" => part.bare(Self::RedirectLoop),
            "range-ignored" => part.bare(Self::RangeIgnored),
            "range-wrong" => part.bare(Self::RangeWrong),
            "range-misplaced" => part.bare(Self::RangeMisplaced),
            "etag-changes" => part.bare(Self::EtagChanges),
            "no-length" => part.bare(Self::NoLength),
            "chunked" => part.bare(Self::Chunked),
            "status" => part.status().map(Self::Status),
            "redirect" => part.hops().map(Self::Redirect),
            "oversize" => part.oversize().map(Self::Oversize),
            "truncate" => part.bytes().map(Self::Truncate),
            "corrupt" => part.bytes_if_any().map(Self::Corrupt),
            "drop" => part.bytes_if_any().map(Self::Drop),
            "stall" => part.bytes_if_any().map(Self::Stall),
            _ => Err(unknown()),
        }
    }
}

/// A kind's name with what follows its equals sign.
#[derive(Clone, Copy)]
struct Part<'a> {
    kind: &'static str,
    value: Option<&'a str>,
}

impl Part<'_> {
    fn bare(self, kind: FaultKind) -> Result<FaultKind, FaultError> {
        match self.value {
            None => Ok(kind),
            Some(found) => Err(FaultError::NoValue { kind: self.kind, found: found.to_owned() }),
        }
    }

    fn number(self, expected: &'static str) -> Result<u64, FaultError> {
        self.value
            .and_then(|text| match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok(),
                None => text.parse().ok(),
            })
            .ok_or_else(|| self.needs(expected))
    }

    fn bytes(self) -> Result<u64, FaultError> {
        self.number("a number of bytes")
    }

    fn oversize(self) -> Result<u64, FaultError> {
        const EXPECTED: &str = "a number of bytes up to 256 MiB";
        let bytes = self.number(EXPECTED)?;
        Some(bytes)
            .filter(|bytes| *bytes <= FaultKind::MAX_OVERSIZE_BYTES)
            .ok_or_else(|| self.needs(EXPECTED))
    }

    fn bytes_if_any(self) -> Result<Option<u64>, FaultError> {
        self.value.map(|_| self.bytes()).transpose()
    }

    fn status(self) -> Result<u16, FaultError> {
        const EXPECTED: &str = "a status from 200 to 599";
        let code = self.number(EXPECTED)?;
        u16::try_from(code)
            .ok()
            .filter(|code| (200..600).contains(code))
            .ok_or_else(|| self.needs(EXPECTED))
    }

    fn hops(self) -> Result<u32, FaultError> {
        const EXPECTED: &str = "a number of redirections from 1 to 100";
        let hops = self.number(EXPECTED)?;
        u32::try_from(hops)
            .ok()
            .filter(|hops| (1..=FaultKind::MAX_REDIRECTS).contains(hops))
            .ok_or_else(|| self.needs(EXPECTED))
    }

    fn needs(self, expected: &'static str) -> FaultError {
        FaultError::Value { kind: self.kind, expected, found: self.value.map(str::to_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(text: &str) -> String {
        text.parse::<ServerFault>().unwrap_err().to_string()
    }

    #[test]
    fn a_fault_has_path_kinds_and_times() {
        let fault: ServerFault = "/fw/a:b.bin:chunked+drop=0x10*3".parse().unwrap();
        assert_eq!(fault.path.as_deref(), Some("/fw/a:b.bin"));
        assert_eq!(fault.kinds, [FaultKind::Chunked, FaultKind::Drop(Some(16))]);
        assert_eq!(fault.times, NonZeroU32::new(3));
    }

    #[test]
    fn a_bare_kind_concerns_every_request() {
        assert_eq!("html".parse::<ServerFault>(), Ok(FaultKind::Html.into()));
        assert_eq!("stall".parse::<ServerFault>(), Ok(FaultKind::Stall(None).into()));
    }

    #[test]
    fn errors_name_the_part() {
        assert!(message("app.bin:html").contains("\"app.bin\" does not begin with a slash"));
        let unknown = message("drip=3");
        assert!(unknown.contains("\"drip\" is unknown; the kinds are none, status, html"));
        assert!(message("").contains("\"\" is unknown"));
        assert!(message("drop=3+html+").contains("\"\" is unknown"));
        assert!(message("drop=-3").contains("drop needs a number of bytes, found \"-3\""));
        assert!(message("truncate").contains("truncate needs a number of bytes, as in truncate="));
        assert!(message("html=3").contains("html takes no number, found \"3\""));
        assert!(message("status=99").contains("a status from 200 to 599, found \"99\""));
        assert!(message("redirect=0").contains("from 1 to 100, found \"0\""));
        assert!(message("oversize=0x10000001").contains("up to 256 MiB, found \"0x10000001\""));
        assert!(message("drop=3*0").contains("\"0\" after the asterisk"));
        assert!(message("drop=3*").contains("\"\" after the asterisk"));
        assert!(message("drop=3*2*2").contains("\"2*2\" after the asterisk"));
        let conflict = message("drop=1+stall=2");
        assert!(conflict.contains("drop and stall cannot be combined in one answer"));
        assert!(message("none+html").contains("none and html cannot"));
    }

    #[test]
    fn every_name_is_understood_and_printed_as_it_was_read() {
        for name in FaultKind::NAMES {
            let text = match name {
                "status" => "status=503".to_owned(),
                "redirect" | "oversize" | "truncate" => format!("{name}=7"),
                _ => name.to_owned(),
            };
            assert_eq!(text.parse::<ServerFault>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_help_knows_every_kind_in_order() {
        let named: Vec<_> = ServerFault::HELP
            .lines()
            .filter_map(|line| line.strip_prefix("  "))
            .filter_map(|line| line.split([' ', '=', '[']).next())
            .collect();
        assert_eq!(named, FaultKind::NAMES);
    }

    fn any_kind() -> impl Strategy<Value = FaultKind> {
        prop_oneof![
            (200u16..600).prop_map(FaultKind::Status),
            (1u32..=100).prop_map(FaultKind::Redirect),
            (0..=FaultKind::MAX_OVERSIZE_BYTES).prop_map(FaultKind::Oversize),
            any::<Option<u64>>().prop_map(FaultKind::Corrupt),
            any::<Option<u64>>().prop_map(FaultKind::Drop),
            any::<Option<u64>>().prop_map(FaultKind::Stall),
            any::<u64>().prop_map(FaultKind::Truncate),
            Just(FaultKind::NoLength),
            Just(FaultKind::EtagChanges),
            Just(FaultKind::RangeWrong),
        ]
    }

    proptest! {
        #[test]
        fn a_printed_fault_reads_as_the_same(
            path in proptest::option::of("/[a-z0-9:*+=/]{0,20}"),
            kinds in proptest::collection::vec(any_kind(), 1..5),
            times in any::<Option<NonZeroU32>>(),
        ) {
            prop_assume!(refuse_conflicts(&kinds).is_ok());
            let fault = ServerFault { path, kinds, times };
            prop_assert_eq!(fault.to_string().parse(), Ok(fault));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            if let Ok(fault) = text.parse::<ServerFault>() {
                prop_assert_eq!(fault.to_string().parse(), Ok(fault));
            }
        }
    }
}
