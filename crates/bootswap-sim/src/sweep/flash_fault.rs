//! A fault of the flash in one case of a sweep, and its notation.

use std::fmt;
use std::str::FromStr;

use flash_region::FlashAddr;
use nor_sim::{OpFault, ReadFault};

/// A fault of the flash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlashFault {
    /// One of the migrator's operations.
    Op {
        /// Its number, from 0.
        op: u64,
        /// How it fails.
        fault: OpFault,
    },
    /// One of the migrator's reads; a failing one fails five times in a row.
    Read {
        /// Its number, from 0.
        read: u64,
        /// How it fails.
        fault: ReadFault,
    },
    /// A bit that never changes.
    Stuck {
        /// Where.
        addr: FlashAddr,
        /// Which bit of the byte.
        bit: u8,
        /// What it reads as.
        value: bool,
    },
}

impl fmt::Display for FlashFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Op { op, fault } => {
                write!(f, "op:{op}:")?;
                match fault {
                    OpFault::Fails => f.write_str("fails"),
                    OpFault::FailsTorn { seed } => write!(f, "fails-torn:{seed}"),
                    OpFault::SilentlyTorn { seed } => write!(f, "silently-torn:{seed}"),
                    OpFault::Ignored => f.write_str("ignored"),
                }
            }
            Self::Read { read, fault: ReadFault::Fails } => write!(f, "read:{read}:fails"),
            Self::Read { read, fault: ReadFault::Flipped(bits) } => {
                write!(f, "read:{read}:flips:{}", bits.trailing_zeros())
            }
            Self::Stuck { addr, bit, value } => {
                write!(f, "stuck:{:#x}:{bit}:{}", addr.get(), u8::from(value))
            }
        }
    }
}

impl FromStr for FlashFault {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let number = |text: &str| text.parse::<u64>().ok();
        let bit = |text: &str| text.parse::<u8>().ok().filter(|bit| *bit < 8);
        let fault = match *parts.as_slice() {
            ["op", op, kind] => number(op).zip(match kind {
                "fails" => Some(OpFault::Fails),
                "ignored" => Some(OpFault::Ignored),
                _ => None,
            }),
            ["op", op, kind, seed] => number(op).zip(number(seed)).and_then(|(op, seed)| {
                Some((
                    op,
                    match kind {
                        "fails-torn" => OpFault::FailsTorn { seed },
                        "silently-torn" => OpFault::SilentlyTorn { seed },
                        _ => return None,
                    },
                ))
            }),
            ["read", read, "fails"] => {
                let read = number(read).map(|read| Self::Read { read, fault: ReadFault::Fails });
                return read.ok_or("the number of a read is a number");
            }
            ["read", read, "flips", which] => {
                let both = number(read).zip(bit(which));
                return both
                    .map(|(read, bit)| Self::Read { read, fault: ReadFault::Flipped(1 << bit) })
                    .ok_or("a flipped bit is written read:N:flips:BIT, with a bit from 0 to 7");
            }
            ["stuck", addr, which, value @ ("0" | "1")] => {
                let addr = addr.strip_prefix("0x").and_then(|a| u32::from_str_radix(a, 16).ok());
                return addr
                    .zip(bit(which))
                    .map(|(addr, bit)| Self::Stuck {
                        addr: FlashAddr(addr),
                        bit,
                        value: value == "1",
                    })
                    .ok_or(
                        "a stuck bit is written stuck:0xADDR:BIT:VALUE, with a bit from 0 to 7",
                    );
            }
            _ => None,
        };
        fault.map(|(op, fault)| Self::Op { op, fault }).ok_or(
            "a flash fault is written op:OP:fails, op:OP:fails-torn:SEED, \
             op:OP:silently-torn:SEED, \
             op:OP:ignored, read:N:fails, read:N:flips:BIT or stuck:0xADDR:BIT:VALUE",
        )
    }
}
