//! Windows over the fields: values to choose from, questions, the list of keys.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::super::menu::{Choose, Menu, Mode, Row};
use super::style;

const KEYS: [(&str, &str); 14] = [
    ("↑ ↓  j k", "another field"),
    ("← →  Tab  1-7", "another group"),
    ("Enter", "change the value; add an entry"),
    ("Space", "switch between true and false"),
    ("d  Delete", "remove the value: its line becomes a comment"),
    ("x", "remove this entry of the list"),
    ("u", "undo"),
    ("m", "the flash map on the whole screen"),
    ("v", "the whole verdict, with the plan's steps"),
    ("r", "read all files again"),
    ("s  F2", "save"),
    ("q  Esc", "leave"),
    ("Tab ↓ ↑", "while typing: suggestions"),
    ("^U ^W ^A ^E", "while typing: as in a shell"),
];

/// Draws the window that is open, if any.
pub(super) fn draw(frame: &mut Frame<'_>, menu: &Menu) {
    match menu.mode() {
        Mode::Choose(choose) => draw_choices(frame, menu, choose),
        Mode::Keys => {
            let line = |(key, what): &(&'static str, &'static str)| {
                Line::from(vec![
                    Span::styled(format!(" {key:<15}"), style::TITLE),
                    Span::raw(*what),
                ])
            };
            window(frame, "Keys", KEYS.iter().map(line).collect());
        }
        Mode::AskQuit => {
            let text = format!(" Save {} before leaving? ", menu.name());
            window(
                frame,
                "Not saved",
                vec![
                    Line::raw(text),
                    Line::raw(""),
                    Line::raw(" y  save and leave"),
                    Line::raw(" n  leave without saving"),
                    Line::raw(" Esc  stay"),
                ],
            );
        }
        Mode::AskDisk { may_overwrite } => {
            let mut lines = vec![
                Line::raw(format!(" {} was changed by somebody else. ", menu.name())),
                Line::raw(""),
            ];
            if *may_overwrite {
                lines.push(Line::raw(" o  overwrite it with the text of this menu"));
            }
            lines.push(Line::raw(" r  read it again; u brings back the text of this menu"));
            lines.push(Line::raw(" Esc  do nothing for now"));
            window(frame, "Changed on disk", lines);
        }
        _ => {}
    }
}

fn draw_choices(frame: &mut Frame<'_>, menu: &Menu, choose: &Choose) {
    let row = menu.rows().into_iter().nth(menu.at());
    let (title, default) = match &row {
        Some(Row::Field { field, .. }) => (field.title, field.default),
        _ => ("", ""),
    };
    let lines = choose.choices.iter().enumerate().map(|(index, choice)| {
        let text = match choice {
            Some(choice) => choice.clone(),
            None => format!("not set ({default})"),
        };
        let is_cursor = index == choose.at;
        let mark = if is_cursor { ">" } else { " " };
        let line = format!(" {mark} {text} ");
        if is_cursor { Line::styled(line, style::CURSOR) } else { Line::raw(line) }
    });
    window(frame, title, lines.collect());
}

/// A window in the upper middle, so that the verdict stays visible.
fn window(frame: &mut Frame<'_>, title: &str, lines: Vec<Line<'_>>) {
    let area = frame.area();
    let widest = lines.iter().map(Line::width).chain([title.len() + 4]).max().unwrap_or(0);
    let width = u16::try_from(widest + 2).unwrap_or(u16::MAX).min(area.width);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let upper = Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area };
    let [place] = ratatui::layout::Layout::horizontal([Constraint::Length(width)])
        .flex(ratatui::layout::Flex::Center)
        .areas(upper);
    let place = Rect { height: height.min(place.height), ..place };
    let block = Block::bordered().title(format!(" {title} ")).title_style(style::TITLE);
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}
