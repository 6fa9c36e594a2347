//! The styles of the screen.

use ratatui::style::{Color, Modifier, Style};

pub(super) const GOOD: Style = Style::new().fg(Color::Green);
pub(super) const BAD: Style = Style::new().fg(Color::Red);
pub(super) const DIM: Style = Style::new().add_modifier(Modifier::DIM);
pub(super) const TITLE: Style = Style::new().add_modifier(Modifier::BOLD);
pub(super) const CURSOR: Style = Style::new().add_modifier(Modifier::REVERSED);
