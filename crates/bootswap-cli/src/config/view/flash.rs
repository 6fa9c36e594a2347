//! The flash map.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

use bootswap_migration::judge::{MapLine, MapLines};
use bootswap_migration::keys::in_words;

use super::super::menu::Menu;
use super::style;
use super::words::cell;

/// Columns of address and size.
const PLACE_COLUMNS: usize = 20;

/// Draws the map beside the fields; if there is not enough room, unchanged lines are left out
/// first.
pub(super) fn beside(frame: &mut Frame<'_>, menu: &Menu, area: Rect) {
    let block = Block::new().borders(Borders::LEFT).border_style(style::DIM);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let room = usize::from(inner.height);
    let lines = match &menu.judged().map {
        Some(map) => {
            let all = lines(map, usize::from(inner.width));
            if all.len() <= room {
                all
            } else {
                let more = all.len() - room + 1;
                let mut some: Vec<Line<'_>> =
                    all.into_iter().take(room.saturating_sub(1)).collect();
                some.push(Line::styled(format!(" … {more} more, m shows all"), style::DIM));
                some
            }
        }
        None => unknown(),
    };
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Draws the map on the whole screen, from this line on.
pub(super) fn alone(frame: &mut Frame<'_>, menu: &Menu, top: usize, area: Rect) {
    let lines = match &menu.judged().map {
        Some(map) => lines(map, usize::from(area.width)),
        None => unknown(),
    };
    let top = top.min(lines.len().saturating_sub(usize::from(area.height)));
    let shown: Vec<Line<'_>> = lines.into_iter().skip(top).collect();
    frame.render_widget(Paragraph::new(shown), area);
}

fn unknown() -> Vec<Line<'static>> {
    vec![
        Line::styled(" flash", style::TITLE),
        Line::styled(" no map while the file cannot be read", style::DIM),
    ]
}

fn lines(map: &MapLines, width: usize) -> Vec<Line<'static>> {
    let room = width.saturating_sub(PLACE_COLUMNS + 2);
    let today_columns = room * 2 / 5;
    let then_columns = room - today_columns;
    let head = format!(
        " {}{} {}",
        cell("flash", PLACE_COLUMNS),
        cell("today", today_columns),
        cell(map.then, then_columns)
    );
    let line = |line: &MapLine| {
        let MapLine { region, today, then } = line;
        let place = format!("{:#08x} {:>9}", region.start().get(), in_words(region.len_bytes()));
        let (then, then_style) = match then {
            Some(then) => (then.as_str(), style::TITLE),
            None => ("\"", style::DIM),
        };
        Line::from(vec![
            Span::styled(format!(" {}", cell(&place, PLACE_COLUMNS)), style::DIM),
            Span::raw(format!("{} ", cell(today, today_columns))),
            Span::styled(cell(then, then_columns), then_style),
        ])
    };
    std::iter::once(Line::styled(head, style::TITLE)).chain(map.lines.iter().map(line)).collect()
}
