//! Prints a plan, or the reasons for a refusal, for people: at most 100 columns wide.

use std::fmt::{self, Write};

use esp_idf_format::image::FlashSize;
use esp_idf_format::partition::TABLE_ADDR;

use super::cost::{CostReport, WindowEstimate};
use super::flash_layout::FlashLayout;
use super::report::{DeviceReport, PlanReport, ReasonReport, StageReport, StepReport};
use crate::words::{COLUMNS, wrapped};

/// Columns of a step in words; its cost follows.
const STEP_COLUMNS: usize = 56;
/// Columns of what is in flash at one moment: a line has three of them and two addresses.
const CELL_COLUMNS: usize = 24;

impl fmt::Display for PlanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.device)?;
        if !self.reasons.is_empty() {
            writeln!(f, "refused:")?;
            self.reasons.iter().try_for_each(|reason| reason_line(f, reason, 2))?;
            return self.assumptions(f);
        }
        let mut steps = (1..).zip(&self.steps);
        for stage in &self.stages {
            stage_header(f, stage)?;
            for (number, step) in steps.by_ref().take(stage.steps) {
                cost_lines(f, &format!("{number:>3}"), &step.text, &step.cost)?;
            }
            if stage.checkpoints.erase_4k > 0 {
                cost_lines(f, "   ", "checkpoints on the way", &stage.checkpoints)?;
            }
            writeln!(f)?;
        }
        if let Some(cost) = &self.cost {
            cost_lines(f, "all", "until the reset", cost)?;
        }
        if let (Some(swap), Some(whole)) = (&self.swap, &self.until_target) {
            if swap.max_ms > 0.0 {
                cost_lines(f, "   ", "MCUboot's swap after it", swap)?;
            }
            cost_lines(f, "   ", "until the target runs", whole)?;
        }
        writeln!(f, "\nif power is lost")?;
        for (range, message) in self.ways_back() {
            paragraph(f, &format!("  in {range:<7} "), message)?;
        }
        if let Some(window) = &self.commit_window {
            writeln!(f)?;
            self.window(f, window)?;
        }
        for (index, part) in self.given_up.iter().enumerate() {
            let heading = if index == 0 { "\noverwritten    " } else { "               " };
            writeln!(f, "{heading}{part}")?;
        }
        self.assumptions(f)?;
        writeln!(f)?;
        paragraph(
            f,
            "",
            "Costs until the reset are an upper estimate: all that is overwritten is assumed to be \
             full of old data. Times are those of a W25Q32JV, without reads and network.",
        )?;
        match &self.flash_map {
            Some(map) => write!(f, "\n{map}"),
            None => Ok(()),
        }
    }
}

impl PlanReport {
    /// Ranges of steps that have the same way back, with that way.
    fn ways_back(&self) -> Vec<(String, &str)> {
        let numbered: Vec<(usize, &StepReport)> = (1..).zip(&self.steps).collect();
        let runs = numbered.chunk_by(|(_, a), (_, b)| a.way_back == b.way_back);
        let range = |run: &[(usize, &StepReport)]| match (run.first(), run.last()) {
            (Some((first, _)), Some((last, _))) if first < last => format!("{first} to {last}"),
            (Some((only, _)), _) => only.to_string(),
            _ => String::new(),
        };
        let told = runs.filter_map(|run| {
            let (_, step) = run.first()?;
            Some((range(run), step.way_back.message.as_str()))
        });
        told.collect()
    }

    /// What could not be checked.
    fn assumptions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, assumption) in self.assumed.iter().enumerate() {
            let heading = if index == 0 { "\nassumed        " } else { "               " };
            paragraph(f, heading, &assumption.to_string())?;
        }
        Ok(())
    }

    /// The length of the commit window, and the steps that it is in.
    fn window(&self, f: &mut fmt::Formatter<'_>, window: &WindowEstimate) -> fmt::Result {
        let WindowEstimate { erase_ops, pages, typ_ms, max_ms, .. } = window;
        if self.steps.iter().any(|step| step.action == "host") {
            let words = "none: the old bootloader stays, and one of the two entries of otadata is \
                         good at every moment";
            return paragraph(f, "commit window  ", words);
        }
        let mut text = format!(
            "{typ_ms:.1} ms typically, {max_ms:.0} ms at most: erases {erase_ops}, pages {pages}"
        );
        if let Some(commit) = &self.commit {
            let end = commit.offset.saturating_add(commit.size);
            write!(text, ", nothing outside of {:#x}..{end:#x}", commit.offset)?;
        }
        if let (Some(blank), Some(otherwise_ms)) = (&window.assumed_blank, window.typ_ms_otherwise)
        {
            let end = blank.offset.saturating_add(blank.size);
            write!(
                text,
                "; {otherwise_ms:.1} ms if {:#x}..{end:#x}, which is unused, is not blank",
                blank.offset
            )?;
        }
        paragraph(f, "commit window  ", &text)
    }
}

impl fmt::Display for DeviceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chip, running, running_image_size, .. } = self;
        match FlashSize::from_bytes(self.flash_size) {
            Some(size) => writeln!(
                f,
                "device   {chip} with {size} of flash, as the {} says",
                self.known_from
            )?,
            None => writeln!(f, "device   {chip} with {:#x} bytes of flash", self.flash_size)?,
        }
        write!(f, "running  {running}, with an image of {running_image_size:#x} bytes")?;
        writeln!(f, "{}", if self.running_image_assumed { ", which is assumed" } else { "" })?;
        if let Some(previous) = &self.previous {
            writeln!(f, "before   {previous}")?;
        }
        if self.partition_table_offset != TABLE_ADDR.get() {
            writeln!(f, "table    at {:#x}", self.partition_table_offset)?;
        }
        for warning in &self.warnings {
            paragraph(f, "warning  ", warning)?;
        }
        writeln!(
            f,
            "eFuses   secure boot and flash encryption are assumed to be off; the device checks"
        )
    }
}

/// Partition, strategy and the reason for it, and the head of the stage's table.
fn stage_header(f: &mut fmt::Formatter<'_>, stage: &StageReport) -> fmt::Result {
    let StageReport { strategy, text, running, preferred, objections, .. } = stage;
    paragraph(f, &format!("from {running}: "), text)?;
    if strategy == preferred {
        writeln!(
            f,
            "  {strategy}: of all safe strategies, this one keeps most of the old contents"
        )?;
    } else if objections.is_empty() {
        writeln!(f, "  {strategy}: writes each artifact where the migration says")?;
    } else {
        writeln!(f, "  {strategy} instead of {preferred}, because")?;
        objections.iter().try_for_each(|reason| reason_line(f, reason, 4))?;
    }
    writeln!(
        f,
        "     {:<STEP_COLUMNS$}{:>4}{:>5}{:>5}{:>7}{:>9}{:>9}",
        "step", "4K", "32K", "64K", "pages", "typ ms", "max ms"
    )
}

/// A line of the table of steps, or several if the words do not fit. Zeros are left out.
fn cost_lines(
    f: &mut fmt::Formatter<'_>,
    number: &str,
    words: &str,
    cost: &CostReport,
) -> fmt::Result {
    let lines = wrapped(words, STEP_COLUMNS - 1);
    let (first, more) = lines.split_first().map_or(("", &[][..]), |(a, b)| (a.as_str(), b));
    let count = |count: u32| if count == 0 { String::new() } else { count.to_string() };
    let CostReport { erase_4k, erase_32k, erase_64k, pages_programmed, typ_ms, max_ms } = *cost;
    let times = if max_ms == 0.0 { String::new() } else { format!("{typ_ms:>9.1}{max_ms:>9.0}") };
    let line = format!(
        "{number}  {first:<STEP_COLUMNS$}{:>4}{:>5}{:>5}{:>7}{times}",
        count(erase_4k),
        count(erase_32k),
        count(erase_64k),
        count(pages_programmed),
    );
    writeln!(f, "{}", line.trim_end())?;
    more.iter().try_for_each(|line| writeln!(f, "     {line}"))
}

fn reason_line(f: &mut fmt::Formatter<'_>, reason: &ReasonReport, indent: usize) -> fmt::Result {
    let words = format!("{}: {}", reason.code, reason.message);
    for (index, line) in wrapped(&words, COLUMNS - indent - 2).iter().enumerate() {
        let indent = if index == 0 { indent } else { indent + 2 };
        writeln!(f, "{:indent$}{line}", "")?;
    }
    Ok(())
}

/// A heading followed by text, which is wrapped and indented.
fn paragraph(f: &mut fmt::Formatter<'_>, heading: &str, words: &str) -> fmt::Result {
    let indent = heading.chars().count();
    for (index, line) in wrapped(words, COLUMNS - indent).iter().enumerate() {
        if index == 0 {
            writeln!(f, "{heading}{line}")?;
        } else {
            writeln!(f, "{:indent$}{line}", "")?;
        }
    }
    Ok(())
}

impl fmt::Display for FlashLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, place: &str, cells: [&str; 3]| {
            let [before, at_commit, after] = cells.map(cell);
            let line = format!("{place:<22}{before}  {at_commit}  {after}");
            writeln!(f, "{}", line.trim_end())
        };
        line(f, "flash  (\" as before)", ["before", "at the commit", "after"])?;
        for row in &self.rows {
            let end = row.region.offset.saturating_add(row.region.size);
            let place = format!("  {:#08x}  {end:#08x}", row.region.offset);
            // Contents that stay the same are printed once.
            let at_commit = if row.at_commit == row.before { "\"" } else { &row.at_commit };
            let after = if row.after == row.at_commit { "\"" } else { &row.after };
            line(f, &place, [&row.before, at_commit, after])?;
        }
        Ok(())
    }
}

/// Text in a column, cut off if it is too long.
fn cell(words: &str) -> String {
    if words.chars().count() <= CELL_COLUMNS {
        return format!("{words:<CELL_COLUMNS$}");
    }
    let kept: String = words.chars().take(CELL_COLUMNS - 1).collect();
    format!("{kept}\u{2026}")
}
