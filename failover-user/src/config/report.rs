//! How a person is shown what is wrong: file, line, caret, and what to do.
//!
//! The text is hostile: what is shown of it holds no control characters, and a line too long for a screen is named
//! by its number alone.

use std::{error::Error, fmt, ops::Range};

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceCode,
};

use super::error::{Invalid, Problem};

/// The widest line of a file that is shown, in bytes.
const WIDEST: usize = 400;

/// The report of a file that was read and is wrong.
pub(super) fn invalid(invalid: &Invalid, color: bool) -> String {
    all(invalid, Severity::Error, color)
}

/// The report of a file that is right, and in which something is odd.
pub(super) fn warnings(odd: &Invalid, color: bool) -> String {
    all(odd, Severity::Warning, color)
}

fn all(invalid: &Invalid, severity: Severity, color: bool) -> String {
    let mut parts = Vec::new();
    let mut places = Places::new(&invalid.text);
    let source = NamedSource::new(&invalid.name, printable(&invalid.text));
    for problem in &invalid.problems {
        let shown = shows(&invalid.text, &problem.span).then_some(&source);
        let mut message = problem.message.clone();
        if shown.is_none() {
            let (line, column) = places.of(problem.span.start);
            message = format!("{}:{line}:{column}: {message}", invalid.name);
        }
        let also = problem.also.as_ref().filter(|(span, _)| shows(&invalid.text, span));
        let shown = Shown { problem, also, message: &message, source: shown, severity };
        parts.push(render(&shown, color));
    }
    if invalid.more > 0 {
        parts.push(format!("and {} more problems in {}\n", invalid.more, invalid.name));
    }
    parts.join("\n")
}

/// The report of a file that could not be read.
pub(super) fn plain(message: &str, help: Option<&str>, color: bool) -> String {
    let mut problem = Problem::new(0..0, message, "");
    problem.help = help.map(str::to_owned);
    let severity = Severity::Error;
    render(&Shown { problem: &problem, also: None, message, source: None, severity }, color)
}

fn render(shown: &Shown<'_>, color: bool) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
    let mut out = String::new();
    if handler.render_report(&mut out, shown).is_err() {
        // A place that miette cannot draw must not hide what is wrong there.
        out.push_str(shown.message);
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// Lines and columns of ascending places: one walk over the text, however many are asked for.
pub(super) struct Places<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    line_start: usize,
}

impl<'t> Places<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0, line: 1, line_start: 0 }
    }

    /// Line and column of a byte, both from 1, the column in characters.
    pub fn of(&mut self, byte: usize) -> (usize, usize) {
        let byte = self.text.floor_char_boundary(byte);
        if byte < self.at {
            *self = Self::new(self.text);
        }
        for (n, _) in self.text[self.at..byte].match_indices('\n') {
            self.line += 1;
            self.line_start = self.at + n + 1;
        }
        self.at = byte;
        (self.line, self.text[self.line_start..byte].chars().count() + 1)
    }
}

/// Whether the lines around `span` are short enough to be shown.
fn shows(text: &str, span: &Range<usize>) -> bool {
    let (start, end) = (text.floor_char_boundary(span.start), text.floor_char_boundary(span.end));
    let before = text[..start].rsplit('\n').take(2).all(|line| line.len() <= WIDEST);
    let after = text[end..].split('\n').take(2).all(|line| line.len() <= WIDEST);
    before && after && end - start <= WIDEST
}

/// The same text, byte for byte as long, without control characters other than newline and tab.
fn printable(text: &str) -> String {
    let replace = |c: char| match c {
        '\n' | '\t' => c,
        '\r' => ' ',
        c if c.is_control() && c.len_utf8() == 1 => '?',
        c if c.is_control() => '¿',
        // Would show the rest of the line in another order than it is read.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c => c,
    };
    text.chars().map(replace).collect()
}

/// A problem in miette's words.
struct Shown<'a> {
    problem: &'a Problem,
    also: Option<&'a (Range<usize>, &'static str)>,
    message: &'a str,
    source: Option<&'a NamedSource<String>>,
    severity: Severity,
}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source?;
        let own =
            LabeledSpan::new_primary_with_span(Some(self.problem.label.clone()), self.problem.span.clone());
        let also = self.also.map(|(span, label)| LabeledSpan::at(span.clone(), *label));
        Some(Box::new(std::iter::once(own).chain(also)))
    }
}

impl Error for Shown<'_> {}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
