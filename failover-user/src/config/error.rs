//! What can be wrong with a configuration file.

use std::{
    collections::BTreeMap,
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
    string::FromUtf8Error,
};

use super::report;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nothing is there.
    #[error("read configuration {}: there is no such file", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It is there, and not for us.
    #[error("read configuration {}: permission denied", path.display())]
    Forbidden {
        /// The file.
        path: PathBuf,
    },
    /// Another error of the system.
    #[error("read configuration {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Above [`super::MAX_BYTES`].
    #[error("read configuration {}: it is larger than 16 MiB", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Not UTF-8.
    #[error("read configuration {}: line {line}, column {column}: not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// It was read, and it is wrong.
    #[error(transparent)]
    Invalid(Box<Invalid>),
}

/// One problem, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// From 1; `None`: the file as a whole.
    pub line: Option<usize>,
    /// From 1, in characters; `None`: the file as a whole.
    pub column: Option<usize>,
    /// What is wrong, and what was expected.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl ConfigError {
    pub(super) fn unreadable(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::PermissionDenied => Self::Forbidden { path },
            _ => Self::Unreadable { path, source },
        }
    }

    pub(super) fn not_text(path: &Path, error: &FromUtf8Error) -> Self {
        let text = String::from_utf8_lossy(error.as_bytes());
        // Up to the first wrong byte, the lossy text is the file itself.
        let (line, column) = report::Places::new(&text).of(error.utf8_error().valid_up_to());
        Self::NotText { path: path.to_owned(), line, column }
    }

    /// What to do, where the file as a whole is the problem.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } => Some("write it, or name another file with `--config FILE`"),
            Self::Forbidden { .. } => {
                Some("run as root, or let this user read the file and search its folders")
            }
            Self::Unreadable { .. } => Some("name a file with `--config FILE`"),
            Self::TooLarge { .. } => {
                Some("name the right file with `--config FILE`: no configuration is that large")
            }
            Self::NotText { .. } => Some("save the file as UTF-8"),
            Self::Invalid(_) => None,
        }
    }

    /// Every problem, in order of position.
    pub fn problems(&self) -> Vec<Located> {
        let whole = |line, column| {
            vec![Located { line, column, message: self.to_string(), help: self.help().map(str::to_owned) }]
        };
        match self {
            Self::Invalid(invalid) => invalid.located(),
            Self::NotText { line, column, .. } => whole(Some(*line), Some(*column)),
            _ => whole(None, None),
        }
    }

    /// For a person: each problem with its lines of the file, a caret, and what to do. Ends with a newline.
    pub fn report(&self, color: bool) -> String {
        match self {
            Self::Invalid(invalid) => report::invalid(invalid, color),
            _ => report::plain(&self.to_string(), self.help(), color),
        }
    }
}

/// A file that was read and is wrong.
#[derive(Clone, PartialEq, Eq)]
pub struct Invalid {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) problems: Vec<Problem>,
    /// Problems beyond [`Problems::MAX`].
    pub(super) more: usize,
}

impl Invalid {
    pub(super) fn new(name: &str, text: &str, problems: Problems) -> Self {
        let Problems { kept, more } = problems;
        Self { name: name.to_owned(), text: text.to_owned(), problems: kept.into_values().collect(), more }
    }

    fn located(&self) -> Vec<Located> {
        let mut places = report::Places::new(&self.text);
        let locate = |problem: &Problem| {
            let (line, column) = places.of(problem.span.start);
            Located {
                line: Some(line),
                column: Some(column),
                message: problem.message.clone(),
                help: problem.help.clone(),
            }
        };
        self.problems.iter().map(locate).collect()
    }
}

impl std::error::Error for Invalid {}

impl fmt::Display for Invalid {
    /// A line for each problem: `FILE:LINE:COLUMN: what is wrong`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.located().iter().enumerate() {
            let (line, column) = (problem.line.unwrap_or(1), problem.column.unwrap_or(1));
            let newline = if n == 0 { "" } else { "\n" };
            write!(f, "{newline}{}:{line}:{column}: {}", self.name, problem.message)?;
        }
        if self.more > 0 { write!(f, "\nand {} more", self.more) } else { Ok(()) }
    }
}

impl fmt::Debug for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invalid")
            .field("name", &self.name)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

/// Something wrong at one place of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// In bytes of the text.
    pub span: Range<usize>,
    /// What is wrong, and what was expected.
    pub message: String,
    /// A few words beside the caret.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
    /// Another place that matters, and why.
    pub also: Option<(Range<usize>, &'static str)>,
}

impl Problem {
    pub fn new(span: Range<usize>, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { span, message: message.into(), label: label.into(), help: None, also: None }
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn also(mut self, span: Range<usize>, label: &'static str) -> Self {
        self.also = Some((span, label));
        self
    }

    /// A word of the design whose feature is not built: what is asked for, and what can be had today.
    pub fn not_yet(span: Range<usize>, what: &str, today: &str) -> Self {
        Self::new(span, format!("{what} is not supported yet"), "not supported yet").help(today)
    }
}

/// The problems of one file, in order of position, each once. Keeps the first [`Self::MAX`] and counts the rest,
/// so that a file of garbage cannot fill the memory.
#[derive(Debug, Default)]
pub(super) struct Problems {
    kept: BTreeMap<(usize, usize, String), Problem>,
    more: usize,
}

impl Problems {
    /// The most problems that are kept.
    pub const MAX: usize = 50;

    pub fn push(&mut self, problem: Problem) {
        self.kept.insert((problem.span.start, problem.span.end, problem.message.clone()), problem);
        if self.kept.len() > Self::MAX {
            self.kept.pop_last();
            self.more += 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
