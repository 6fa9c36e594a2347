//! The screen.
//!
//! ```text
//!   bootswap config  migration.toml *                            esp32s3
//!   Device | Bootloader | Application | Staging | MCUboot map | ...
//!   > Swap              scratch                | 0x000000  bootloader  new
//!     Alignment         8                      | 0x110000  ota_0       ...
//!   Swap  mcuboot.swap                         |
//!   How MCUboot brings ...                     |
//!   ---------------------------------------------------------------------
//!   safe  secondary-and-swap: ...
//!   Enter change  ...
//! ```
//!
//! The map is left out if there is no room for it beside the fields; `m` shows it alone.

mod fields;
mod flash;
mod foot;
mod popup;
mod style;
mod words;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use bootswap_migration::keys::GROUPS;

use super::menu::{Menu, Mode};

/// Columns that the fields need at least, before the map gets any.
const FIELD_COLUMNS: u16 = 56;
/// Columns that the map needs at least.
const MAP_COLUMNS: u16 = 46;
/// Columns that the map can use.
const MAX_MAP_COLUMNS: u16 = 66;
/// Smallest usable screen.
const LEAST: (u16, u16) = (40, 14);

/// Draws the menu.
pub(super) fn draw(frame: &mut Frame<'_>, menu: &Menu) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let (columns, rows) = LEAST;
        let text = format!("make the window larger:\nat least {columns} x {rows}\n\nq to leave");
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let foot_rows = foot::rows(menu, area);
    let [title, tabs, body, verdict, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(foot_rows),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_title(frame, menu, title);
    draw_tabs(frame, menu, tabs);
    match menu.mode() {
        Mode::Map(top) => flash::alone(frame, menu, *top, body),
        Mode::Verdict(top) => foot::alone(frame, menu, *top, body),
        _ => draw_body(frame, menu, body),
    }
    foot::draw(frame, menu, verdict);
    foot::draw_keys(frame, menu, keys);
    popup::draw(frame, menu);
}

fn draw_body(frame: &mut Frame<'_>, menu: &Menu, body: Rect) {
    let fields = if body.width >= FIELD_COLUMNS + MAP_COLUMNS {
        let map = (body.width - FIELD_COLUMNS).min(MAX_MAP_COLUMNS);
        let [fields, map] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Length(map)]).areas(body);
        flash::beside(frame, menu, map);
        fields
    } else {
        body
    };
    fields::draw(frame, menu, fields);
}

fn draw_title(frame: &mut Frame<'_>, menu: &Menu, area: Rect) {
    let state = match (menu.is_new(), menu.is_modified()) {
        (true, _) => " (new, not saved yet)",
        (false, true) => " (changed)",
        (false, false) => "",
    };
    let left = Line::from(vec![
        Span::styled(" bootswap config  ", style::TITLE),
        Span::raw(menu.name().to_owned()),
        Span::raw(state),
    ]);
    let right = format!("{} ", menu.chip().unwrap_or_default());
    let room = area.width.saturating_sub(u16::try_from(right.len()).unwrap_or(u16::MAX));
    let [left_area, right_area] =
        Layout::horizontal([Constraint::Length(room), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Paragraph::new(left), left_area);
    frame.render_widget(Paragraph::new(right), right_area);
}

fn draw_tabs(frame: &mut Frame<'_>, menu: &Menu, area: Rect) {
    let mut spans = vec![Span::raw(" ")];
    for (index, group) in GROUPS.iter().enumerate() {
        if index > 0 {
            spans.push(Span::styled(" │ ", style::DIM));
        }
        if index == menu.group_index() {
            spans.push(Span::styled(group.title, style::CURSOR));
        } else {
            spans.push(Span::raw(group.title));
        }
    }
    // If not all fit, the one that is open must be visible.
    let end = GROUPS.iter().take(menu.group_index() + 1).map(|g| g.title.len() + 3).sum::<usize>();
    let scroll = end.saturating_sub(usize::from(area.width));
    let tabs = Paragraph::new(Line::from(spans));
    frame.render_widget(tabs.scroll((0, u16::try_from(scroll).unwrap_or(0))), area);
}
