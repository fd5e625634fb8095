//! Files that a configuration names, and that have to be there when their time comes: programs, certificates.
//!
//! A file may be checked on another machine than its own, and a program may come later than the file that names it. So what
//! is missing is odd, and not wrong: it is a warning, with its place. What this user may not see is not judged.

use std::{
    fs::{self, Metadata},
    io::ErrorKind,
    ops::Range,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{
    error::{Invalid, Problem, Problems},
    probe::RawProbe,
    raw::RawConfig,
    report,
    section::Said,
};

/// What is named in a file, and is not as it has to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Absent(Option<Box<Invalid>>);

impl Absent {
    /// For a person: each with its lines of the file, a caret, and what to do.
    pub fn report(&self, color: bool) -> String {
        self.0.as_ref().map_or_else(String::new, |absent| report::warnings(absent, color))
    }

    /// A line for each: `FILE:LINE:COLUMN: what is odd`.
    pub(super) fn lines(&self) -> Vec<String> {
        let text = self.0.as_ref().map_or_else(String::new, ToString::to_string);
        text.lines().map(str::to_owned).collect()
    }

    /// How many lines that are.
    pub fn len(&self) -> usize {
        self.lines().len()
    }

    /// Whether everything is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// A file, and the word that names it.
pub(super) struct Named {
    word: &'static str,
    path: PathBuf,
    purpose: Purpose,
    span: Range<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Run,
    Read,
}

/// Everything that a configuration names.
pub(super) fn named(raw: &RawConfig) -> Vec<Named> {
    let hook = raw.router.as_ref().and_then(|router| path("hook", Purpose::Run, &router.hook));
    let targets = raw.targets.value().into_iter().flatten();
    let probes = targets.map(|target| &target.probe).chain([&raw.defaults.probe]);
    hook.into_iter().chain(probes.flat_map(probe)).collect()
}

fn probe(probe: &RawProbe) -> Vec<Named> {
    let command = probe.command.here().and_then(|command| {
        let path = command.get_ref().first()?.into();
        Some(Named { word: "command", path, purpose: Purpose::Run, span: command.span() })
    });
    let own = probe.sip.own.here().into_iter().flat_map(|own| {
        let (files, span) = (own.get_ref(), own.span());
        [("certificate", &files.certificate), ("key", &files.key)].map(|(word, path)| Named {
            word,
            path: path.clone(),
            purpose: Purpose::Read,
            span: span.clone(),
        })
    });
    command.into_iter().chain(path("ca", Purpose::Read, &probe.sip.ca)).chain(own).collect()
}

fn path(word: &'static str, purpose: Purpose, said: &Said<PathBuf>) -> Option<Named> {
    let here = said.here()?;
    Some(Named { word, path: here.get_ref().clone(), purpose, span: here.span() })
}

/// Looks at each. `name` and `text` are the configuration's.
pub(super) fn absent(name: &str, text: &str, named: &[Named]) -> Absent {
    let mut problems = Problems::default();
    named.iter().filter_map(Named::problem).for_each(|problem| problems.push(problem));
    Absent((!problems.is_empty()).then(|| Box::new(Invalid::new(name, text, problems))))
}

impl Named {
    fn problem(&self) -> Option<Problem> {
        let (label, why, help) = match fs::metadata(&self.path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                ("not there", "there is no such file", "put it there, or name another one".to_owned())
            }
            Ok(found) if !found.is_file() => ("no file", "it is no file", "name a file".to_owned()),
            Ok(found) if self.purpose == Purpose::Run && !is_program(&found) => {
                let help = format!("make it executable: chmod +x {}", shown(&self.path));
                ("not executable", "nobody may execute it", help)
            }
            _ => return None,
        };
        let cannot = match self.purpose {
            Purpose::Run => "cannot be run",
            Purpose::Read => "cannot be read",
        };
        let message = format!("`{}` {} {cannot}: {why}", self.word, shown(&self.path));
        Some(Problem::new(self.span.clone(), message, label).help(help))
    }
}

fn is_program(found: &Metadata) -> bool {
    found.permissions().mode() & 0o111 != 0
}

/// In one line, and without what moves a cursor.
fn shown(path: &Path) -> String {
    path.display().to_string().escape_debug().to_string()
}
