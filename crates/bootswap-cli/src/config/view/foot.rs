//! The bottom of the screen: the planner's verdict, and the keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

use bootswap_migration::judge::Judgement;
use bootswap_migration::plan::PlanReport;

use super::super::menu::{Menu, Mode};
use super::style;
use super::words::wrapped;

/// Lines reserved for the verdict, its title included. It also gets the lines that the fields do
/// not need.
const OWN_ROWS: u16 = 5;
const MOST_ROWS: u16 = 10;
/// Lines of everything except fields and verdict.
const OTHER_ROWS: u16 = 9;

/// How many lines the verdict gets.
pub(super) fn rows(menu: &Menu, area: Rect) -> u16 {
    let wanted = lines(menu, usize::from(area.width)).len() + 1;
    let fields = u16::try_from(menu.rows().len()).unwrap_or(u16::MAX);
    let free = area.height.saturating_sub(OTHER_ROWS).saturating_sub(fields);
    let most = free.clamp(OWN_ROWS, MOST_ROWS);
    u16::try_from(wanted).unwrap_or(most).clamp(3, most)
}

/// Draws the verdict.
pub(super) fn draw(frame: &mut Frame<'_>, menu: &Menu, area: Rect) {
    let title = if menu.is_preview() { " the planner, with this value " } else { " the planner " };
    let block = Block::new().borders(Borders::TOP).border_style(style::DIM).title(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let room = usize::from(inner.height);
    let mut lines = lines(menu, usize::from(inner.width));
    if lines.len() > room {
        let more = lines.len() - room + 1;
        lines.truncate(room.saturating_sub(1));
        lines.push(Line::styled(format!(" … {more} more lines, v shows all"), style::DIM));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Draws the whole verdict on the whole screen, from this line on.
pub(super) fn alone(frame: &mut Frame<'_>, menu: &Menu, top: usize, area: Rect) {
    let mut lines = lines(menu, usize::from(area.width));
    if let Judgement::Safe(report) = &menu.judged().judgement {
        lines.push(Line::raw(""));
        let text = report.to_string();
        lines.extend(text.lines().map(|line| Line::raw(format!(" {line}"))));
    }
    let top = top.min(lines.len().saturating_sub(usize::from(area.height)));
    frame.render_widget(Paragraph::new(lines.split_off(top)), area);
}

/// The verdict in lines.
fn lines(menu: &Menu, width: usize) -> Vec<Line<'static>> {
    match &menu.judged().judgement {
        Judgement::Unreadable { field, message, help } => {
            let words = if field.is_empty() {
                format!("{message}; {help}")
            } else {
                format!("{field}: {message}; {help}")
            };
            labelled("NOT READY", style::BAD, &words, width)
        }
        Judgement::Refused(reasons) => {
            let mut lines = Vec::new();
            for (index, reason) in reasons.iter().enumerate() {
                let words = format!("{}: {}", reason.code, reason.message);
                let heading = if index == 0 { "REFUSED" } else { "" };
                lines.extend(labelled(heading, style::BAD, &words, width));
            }
            lines
        }
        Judgement::Safe(report) => safe(report, width),
    }
}

fn safe(report: &PlanReport, width: usize) -> Vec<Line<'static>> {
    let mut words = match &report.commit_window {
        Some(window) => format!(
            "commit window {:.1} ms typically, {:.0} ms at most",
            window.typ_ms, window.max_ms
        ),
        None => "nothing that the device boots from is overwritten".to_owned(),
    };
    if let Some(commit) = &report.commit {
        let end = commit.offset.saturating_add(commit.size);
        words.push_str(&format!(", in {:#x}..{end:#x}", commit.offset));
    }
    let mut lines = labelled("SAFE", style::GOOD, &words, width);
    for stage in &report.stages {
        let words = format!("{}: {}", stage.strategy, stage.text);
        lines.extend(labelled("", Style::new(), &words, width));
    }
    for part in &report.given_up {
        lines.extend(labelled("", style::BAD, &format!("overwritten: {part}"), width));
    }
    lines
}

/// A heading followed by text, which is wrapped and indented.
fn labelled(heading: &str, heading_style: Style, words: &str, width: usize) -> Vec<Line<'static>> {
    const INDENT: usize = 11;
    let lines = wrapped(words, width.saturating_sub(INDENT + 1)).into_iter().enumerate();
    lines
        .map(|(index, line)| {
            let heading = if index == 0 { heading } else { "" };
            Line::from(vec![
                Span::styled(
                    format!(" {heading:<width$}", width = INDENT - 1),
                    heading_style.patch(style::TITLE),
                ),
                Span::raw(line),
            ])
        })
        .collect()
}

/// Draws the keys, or the last message.
pub(super) fn draw_keys(frame: &mut Frame<'_>, menu: &Menu, area: Rect) {
    if let Some(message) = menu.message() {
        let line_style = if message.is_error { style::BAD } else { style::GOOD };
        let line = Line::styled(format!(" {}", message.text), line_style);
        frame.render_widget(Paragraph::new(line), area);
        return;
    }
    let keys: &[(&str, &str)] = match menu.mode() {
        Mode::Browse => &[
            ("Enter", "change"),
            ("d", "remove"),
            ("Tab", "group"),
            ("m", "map"),
            ("v", "verdict"),
            ("s", "save"),
            ("q", "quit"),
            ("?", "keys"),
        ],
        Mode::Edit(edit) if edit.suggestions.is_empty() => {
            &[("Enter", "accept"), ("Esc", "cancel")]
        }
        Mode::Edit(_) => &[("Enter", "accept"), ("Esc", "cancel"), ("Tab", "suggest")],
        Mode::Choose(_) => &[("Enter", "accept"), ("Esc", "cancel"), ("↑↓", "choose")],
        Mode::Map(_) | Mode::Verdict(_) => &[("↑↓", "scroll"), ("Esc", "back")],
        Mode::Keys => &[("any key", "back")],
        Mode::AskQuit | Mode::AskDisk { .. } => &[],
    };
    let mut spans = vec![Span::raw(" ")];
    for (key, what) in keys {
        spans.push(Span::styled(*key, style::TITLE));
        spans.push(Span::styled(format!(" {what}  "), style::DIM));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}
