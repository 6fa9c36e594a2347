//! The fields of a group with their values, and below them the help of the one under the cursor.

use bootswap_migration::keys::NONE;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

use super::super::menu::{Edit, Menu, Mode, Row};
use super::style;
use super::words::{cell, first_shown, wrapped};

/// Columns of a field's title, with the mark before it.
const TITLE_COLUMNS: usize = 23;
const MARK_COLUMNS: usize = 3;
/// Lines of help, with the line above it.
const HELP_ROWS: u16 = 5;

/// Draws both.
pub(super) fn draw(frame: &mut Frame<'_>, menu: &Menu, area: Rect) {
    let [list, help] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(HELP_ROWS)]).areas(area);
    draw_list(frame, menu, list);
    draw_help(frame, menu, help);
}

fn draw_list(frame: &mut Frame<'_>, menu: &Menu, area: Rect) {
    let width = usize::from(area.width);
    let mut lines: Vec<Line<'_>> = Vec::new();
    let (mut cursor_line, mut edited) = (0, None);
    for (index, row) in menu.rows().iter().enumerate() {
        let is_cursor = index == menu.at();
        if is_cursor {
            cursor_line = lines.len();
        }
        match (row, menu.mode()) {
            (Row::Field { field, entry, .. }, Mode::Edit(edit)) if is_cursor => {
                let title = indented(field.title, *entry);
                let (line, column) = typed(&title, field.kind.is_secret(), edit, width);
                edited = Some((lines.len(), column));
                lines.push(line);
                lines.extend(below(edit, width));
                // The error must be visible, too.
                cursor_line = lines.len() - 1;
            }
            _ => lines.push(shown(menu, row, is_cursor, width)),
        }
    }
    let count = usize::from(area.height);
    let first = first_shown(cursor_line, lines.len(), count);
    let total = lines.len();
    let visible: Vec<Line<'_>> = lines.into_iter().skip(first).take(count).collect();
    frame.render_widget(Paragraph::new(visible), area);
    if let Some((line, column)) = edited.filter(|(line, _)| (first..first + count).contains(line)) {
        let row = u16::try_from(line - first).unwrap_or(0);
        let column = u16::try_from(column).unwrap_or(0).min(area.width.saturating_sub(1));
        frame.set_cursor_position(Position::new(area.x + column, area.y + row));
    }
    mark_more(frame, area, first > 0, first + count < total);
}

/// Marks at the edge if there is more above or below.
fn mark_more(frame: &mut Frame<'_>, area: Rect, above: bool, below: bool) {
    let x = area.right().saturating_sub(1);
    for (is_there, y, mark) in [(above, area.y, "↑"), (below, area.bottom().saturating_sub(1), "↓")]
    {
        if is_there {
            let place = Rect { x, y, width: 1, height: 1 };
            frame.render_widget(Paragraph::new(mark).style(style::DIM), place);
        }
    }
}

/// A row as it is shown when it is not being edited.
fn shown(menu: &Menu, row: &Row, is_cursor: bool, width: usize) -> Line<'static> {
    let (mark, title, value, value_style) = match row {
        Row::Heading(text) => {
            return Line::styled(format!(" {text}"), style::TITLE);
        }
        Row::Add { what, .. } => {
            let text = format!("add one more {what}");
            let (mark, text_style) =
                if is_cursor { (" >+", style::CURSOR) } else { ("  +", style::DIM) };
            return Line::from(vec![Span::raw(mark), Span::styled(text, text_style)]);
        }
        Row::Field { field, path, value, entry } => {
            let is_bad = menu
                .judged()
                .field_at_fault()
                .is_some_and(|at| path.is_within(at) && !at.is_empty());
            let mark = if is_bad { "  !" } else { "   " };
            let title = indented(field.title, *entry);
            match value {
                Some(value) => (mark, title, field.kind.shown(value), Style::new()),
                None if field.is_required() => (mark, title, "(not set)".to_owned(), style::DIM),
                None if field.default == NONE => (mark, title, "-".to_owned(), style::DIM),
                None => (mark, title, format!("({})", field.default), style::DIM),
            }
        }
    };
    let title = cell(&title, TITLE_COLUMNS);
    let room = width.saturating_sub(MARK_COLUMNS + TITLE_COLUMNS + 2);
    let value = cell(&value, room);
    let mark_style = if mark.ends_with('!') { style::BAD } else { Style::new() };
    if is_cursor {
        let mark = if mark.ends_with('!') { " >!" } else { " > " };
        return Line::from(vec![
            Span::styled(mark, mark_style),
            Span::styled(format!("{title} {value}"), style::CURSOR),
        ]);
    }
    Line::from(vec![
        Span::styled(mark, mark_style),
        Span::raw(format!("{title} ")),
        Span::styled(value, value_style),
    ])
}

/// The title of a field, indented if the field belongs to an entry.
fn indented(title: &str, entry: Option<usize>) -> String {
    format!("{}{title}", if entry.is_some() { " " } else { "" })
}

/// The row that is being edited, and the column of the cursor.
fn typed(title: &str, is_secret: bool, edit: &Edit, width: usize) -> (Line<'static>, usize) {
    let text = edit.editor.text();
    let text = if is_secret { "•".repeat(text.chars().count()) } else { text.to_owned() };
    let start = MARK_COLUMNS + TITLE_COLUMNS + 1;
    let room = width.saturating_sub(start + 1).max(1);
    // Of a long line, the part around the cursor.
    let cursor = edit.editor.cursor();
    let skipped = (cursor + 1).saturating_sub(room);
    let part: String = text.chars().skip(skipped).take(room).collect();
    let value_style = if edit.problem.is_some() { style::BAD } else { style::TITLE };
    let line = Line::from(vec![
        Span::raw(" > "),
        Span::raw(format!("{} ", cell(title, TITLE_COLUMNS))),
        Span::styled(part, value_style.patch(ratatui::style::Modifier::UNDERLINED)),
    ]);
    (line, start + cursor - skipped)
}

/// The lines below the row that is being edited: what is wrong, or how and what to type.
fn below(edit: &Edit, width: usize) -> Vec<Line<'static>> {
    let indent = " ".repeat(MARK_COLUMNS + 2);
    let room = width.saturating_sub(indent.len() + 1);
    let (text, line_style) = match (&edit.problem, edit.suggestions.as_slice(), edit.hint) {
        (Some(problem), ..) => (problem.clone(), style::BAD),
        (None, [], None) => return Vec::new(),
        (None, [], Some(hint)) => (hint.to_owned(), style::DIM),
        (None, suggestions, hint) => {
            let hint = hint.map(|hint| format!("{hint}; ")).unwrap_or_default();
            (format!("{hint}Tab: {}", suggestions.join(" ")), style::DIM)
        }
    };
    let lines = wrapped(&text, room).into_iter().take(3);
    lines.map(|line| Line::styled(format!("{indent}{line}"), line_style)).collect()
}

fn draw_help(frame: &mut Frame<'_>, menu: &Menu, area: Rect) {
    let row = menu.rows().into_iter().nth(menu.at());
    let (title, text) = match &row {
        Some(Row::Field { field, path, .. }) => {
            let default = match field.default {
                "" => "required".to_owned(),
                NONE => "may be left out".to_owned(),
                default => format!("without: {default}"),
            };
            (format!(" {path}, {default} "), field.help)
        }
        Some(Row::Add { what, help }) => (format!(" {what} "), *help),
        Some(Row::Heading(_)) | None => (String::new(), ""),
    };
    let block = Block::new().borders(Borders::TOP).border_style(style::DIM).title(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let room = usize::from(inner.width).saturating_sub(2);
    let lines = wrapped(text, room).into_iter().map(|line| Line::raw(format!(" {line}")));
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), inner);
}
