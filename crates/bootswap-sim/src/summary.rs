//! A report as a table for people.

use std::fmt::{self, Write as _};

use crate::report::{PartitionReport, ReplayReport, Report};

/// What Espressif's C component does to flash for the same migration.
///
/// Measured: esp-self-reflasher 1.0.1 with its unmodified source against a NOR flash model, the
/// example's default configuration, 64 KiB block erases where the driver would use them, times of
/// the W25Q32JV datasheet. Until the target runs, the swap of a real MCUboot is added: 206 erases
/// of 4 KiB and 1,788 pages.
#[derive(Clone, Copy, Debug)]
pub struct Baseline {
    /// Erases of 4 KiB.
    pub erase_4k: u64,
    /// Erases of 64 KiB.
    pub erase_64k: u64,
    /// Pages programmed.
    pub pages_programmed: u64,
    /// Bytes downloaded.
    pub downloaded_bytes: u64,
    /// Modelled time in milliseconds, typical.
    pub typ_ms: f64,
    /// The same, at most.
    pub max_ms: f64,
    /// Modelled time until the target runs, in milliseconds, typical.
    pub target_typ_ms: f64,
    /// The same, at most.
    pub target_max_ms: f64,
    /// Commit window in milliseconds, typical.
    pub window_typ_ms: f64,
    /// The same, at most.
    pub window_max_ms: f64,
}

/// The C component's figures.
pub const C_COMPONENT: Baseline = Baseline {
    erase_4k: 15,
    erase_64k: 48,
    pages_programmed: 8406,
    downloaded_bytes: 1_075_952,
    typ_ms: 11_237.0,
    max_ms: 127_218.0,
    target_typ_ms: 21_223.0,
    target_max_ms: 214_982.0,
    window_typ_ms: 718.0,
    window_max_ms: 6321.0,
};

/// The report as text, with a baseline beside it for the example.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// What to show.
    pub report: &'a Report,
    /// What to compare with.
    pub baseline: Option<&'a Baseline>,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { flash, until_target, commit_window, download, .. } = self.report;
        writeln!(f, "outcome            {}", self.report.detail)?;
        for reason in &self.report.reasons {
            writeln!(f, "  {}: {}", reason.code, reason.message)?;
        }
        for assumption in &self.report.assumed {
            writeln!(f, "  assumed: {assumption}")?;
        }
        let base = |of: fn(&Baseline) -> f64| self.baseline.map(of);
        let header = if self.baseline.is_some() { "   C component" } else { "" };
        writeln!(f, "\n{:<28}{:>14}{header}", "", "bootswap")?;
        row(f, "erases, 4 KiB", count(flash.erase_4k), base(|b| count(b.erase_4k)))?;
        row(f, "erases, 32 KiB", count(flash.erase_32k), base(|_| 0.0))?;
        row(f, "erases, 64 KiB", count(flash.erase_64k), base(|b| count(b.erase_64k)))?;
        row(
            f,
            "pages programmed",
            count(flash.pages_programmed),
            base(|b| count(b.pages_programmed)),
        )?;
        row(f, "bytes read", count(flash.bytes_read), None)?;
        if let Some(download) = download {
            row(f, "bytes downloaded", count(download.bytes), base(|b| count(b.downloaded_bytes)))?;
        }
        row(f, "flash time, typical (ms)", flash.typ_ms, base(|b| b.typ_ms))?;
        row(f, "flash time, at most (ms)", flash.max_ms, base(|b| b.max_ms))?;
        if let Some(target) = until_target {
            row(f, "until target, typical (ms)", target.typ_ms, base(|b| b.target_typ_ms))?;
            row(f, "until target, at most (ms)", target.max_ms, base(|b| b.target_max_ms))?;
        }
        if let Some(window) = commit_window {
            row(f, "commit window, typical (ms)", window.typ_ms, base(|b| b.window_typ_ms))?;
            row(f, "commit window, at most (ms)", window.max_ms, base(|b| b.window_max_ms))?;
        }
        let (kept, lost): (Vec<_>, Vec<_>) = self.report.kept.iter().partition(|kept| kept.intact);
        let names = |list: &[&super::report::KeptReport]| {
            let labels: Vec<&str> = list.iter().map(|kept| kept.label.as_str()).collect();
            labels.join(", ")
        };
        if !kept.is_empty() {
            writeln!(f, "\nunchanged          {}", names(&kept))?;
        }
        if !lost.is_empty() {
            writeln!(f, "CHANGED            {}", names(&lost))?;
        }
        let Report { power_cuts, flash_faults, network_faults, replayed, .. } = self.report;
        if let Some(power_cuts) = power_cuts {
            power_cuts.fmt(f)?;
        }
        if let Some(faults) = flash_faults {
            faults.titled("flash faults").fmt(f)?;
        }
        if let Some(faults) = network_faults {
            faults.titled("network faults").fmt(f)?;
        }
        if self.report.partitions.len() > 1 {
            writeln!(f, "\nmigrator in       outcome")?;
            for partition in &self.report.partitions {
                let PartitionReport { running, next_update, detail, .. } = partition;
                let note = if *next_update { "    (the next update is written there)" } else { "" };
                let codes: Vec<&str> = partition.reasons.iter().map(|reason| reason.code).collect();
                let colon = if codes.is_empty() { "" } else { ": " };
                let failed = partition.failed_cases();
                let failed = if failed == 0 { String::new() } else { format!(", FAILED {failed}") };
                let codes = codes.join(", ");
                writeln!(f, "  {running:<16}{detail}{colon}{codes}{failed}{note}")?;
            }
        }
        if let Some(ReplayReport { case, in_commit_window, missing }) = replayed {
            let place = if *in_commit_window { ", power lost in the commit window" } else { "" };
            writeln!(f, "\nreplayed           {case}{place}")?;
            if let Some(missing) = missing {
                writeln!(f, "MISSING            {missing} is not as it should be")?;
            }
        }
        Ok(())
    }
}

/// Counts of a migration are far below the 53 bits that a double holds exactly.
fn count(value: u64) -> f64 {
    value as f64
}

fn row(f: &mut fmt::Formatter<'_>, what: &str, value: f64, base: Option<f64>) -> fmt::Result {
    let mut line = format!("{what:<28}{:>14}", number(value));
    if let Some(base) = base {
        write!(line, "{:>14}", number(base))?;
    }
    writeln!(f, "{line}")
}

/// A number with thousands separators, and one decimal if it is not an integer.
pub fn number(value: f64) -> String {
    let rounded = format!("{value:.1}");
    let (digits, tenth) = rounded.split_once('.').unwrap_or((&rounded, "0"));
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if tenth != "0" {
        out.push('.');
        out.push_str(tenth);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_keep_their_thousands_apart() {
        assert_eq!(number(0.0), "0");
        assert_eq!(number(718.0), "718");
        assert_eq!(number(11_237.0), "11,237");
        assert_eq!(number(1_075_952.0), "1,075,952");
        assert_eq!(number(162.8), "162.8");
        assert_eq!(number(1162.96), "1,163");
    }
}
