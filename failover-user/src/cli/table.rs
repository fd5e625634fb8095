//! Tables and colours. Colour never says anything alone: the word beside it says the same.

use anstyle::{AnsiColor, Style};
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use jiff::{Timestamp, tz::TimeZone};

use crate::health::Health;

/// What text depends on besides its value, so that tests can fix it.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// What ages count from.
    pub(super) now: Timestamp,
    /// What moments are shown in.
    pub(super) zone: TimeZone,
    /// Of the terminal; none: as wide as it gets.
    pub(super) width: Option<u16>,
}

impl View {
    /// This terminal, now.
    pub(super) fn here() -> Self {
        Self { now: Timestamp::now(), zone: TimeZone::system(), width: terminal_width() }
    }
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mood {
    /// Signalling is lost, or nearly.
    Bad,
    /// Someone should look.
    Warn,
    /// As it should be.
    Good,
    /// Says nothing about it.
    Plain,
}

impl From<Health> for Mood {
    fn from(health: Health) -> Self {
        match health {
            Health::Up => Self::Good,
            Health::Suspect | Health::Recovering => Self::Warn,
            Health::Down => Self::Bad,
            Health::Unknown => Self::Plain,
        }
    }
}

/// The width of the terminal that standard output is.
fn terminal_width() -> Option<u16> {
    Table::new().width()
}

/// A line in a mood's colour, in bold.
pub(super) fn loud(mood: Mood, line: &str) -> String {
    let color = match mood {
        Mood::Bad => AnsiColor::Red,
        Mood::Warn => AnsiColor::Yellow,
        Mood::Good => AnsiColor::Green,
        Mood::Plain => return line.to_owned(),
    };
    let style = Style::new().bold().fg_color(Some(color.into()));
    format!("{style}{line}{style:#}")
}

pub(super) fn plain(text: impl ToString) -> Cell {
    Cell::new(text)
}

pub(super) fn colored(mood: Mood, text: impl ToString) -> Cell {
    let cell = Cell::new(text);
    match mood {
        Mood::Bad => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Mood::Warn => cell.fg(Color::Yellow),
        Mood::Good => cell.fg(Color::Green),
        Mood::Plain => cell,
    }
}

/// A table without lines, its columns two blanks apart, nothing behind its last column.
pub(super) fn render(view: &View, header: &[&str], rows: Vec<Vec<Cell>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec()).add_rows(rows).enforce_styling();
    // Without it the blanks that fill a cell up would be coloured, too.
    table.style_text_only();
    if let Some(width) = view.width {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}
