//! Reading one TOML table: which words it may hold, of what type each is, and where it stands in the file.
//!
//! Serde's derive stops at the first thing that is wrong. This walk over the same spanned document goes on, so that
//! a person sees all of a file's problems at once.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::error::{Problem, Problems};

/// What the file says about one word.
#[derive(Clone, Debug, Default)]
pub(super) enum Said<T> {
    /// Nothing.
    #[default]
    Nothing,
    /// Something wrong, already reported.
    Wrong,
    /// This, here.
    This(Spanned<T>),
}

impl<T> Said<T> {
    /// What `self` says; where it says nothing, what `default` says.
    pub fn or<'a>(&'a self, default: &'a Self) -> &'a Self {
        if matches!(self, Self::Nothing) { default } else { self }
    }

    /// The value and its place, where there is one.
    pub fn here(&self) -> Option<&Spanned<T>> {
        match self {
            Self::This(value) => Some(value),
            _ => None,
        }
    }

    /// The value, where there is one.
    pub fn value(&self) -> Option<&T> {
        self.here().map(Spanned::get_ref)
    }

    /// The value or, where the file says nothing or something wrong, `built_in`.
    pub fn unwrap_or(&self, built_in: T) -> T
    where
        T: Clone,
    {
        self.value().cloned().unwrap_or(built_in)
    }
}

/// The words that one kind of table may hold.
pub(super) struct Words {
    /// How the table is written in the file.
    pub table: &'static str,
    /// What can be used.
    pub known: &'static [&'static str],
    /// What belongs to the design but is not built: the word, and what can be had today.
    pub later: &'static [(&'static str, &'static str)],
    /// What is at home elsewhere: the word, and where.
    pub foreign: &'static [(&'static str, &'static str)],
}

impl Words {
    fn all(&self) -> impl Iterator<Item = &'static str> {
        self.known.iter().copied().chain(self.later.iter().map(|(word, _)| *word))
    }
}

/// One table of the file.
#[derive(Clone)]
pub(super) struct Section<'t> {
    /// Its header, or all of an inline table.
    pub span: Range<usize>,
    table: &'t DeTable<'t>,
    known: &'static [&'static str],
}

/// One `word = value` of a table, or one element of a list.
#[derive(Clone)]
pub(super) struct Word<'t> {
    /// The word.
    pub name: &'static str,
    /// Where the value stands.
    pub span: Range<usize>,
    value: &'t DeValue<'t>,
}

impl<'t> Section<'t> {
    /// Opens `table`, and reports every word in it that is unknown (`elsewhere`: the tables where it may belong) or
    /// not supported yet.
    pub fn open(
        table: &'t DeTable<'t>,
        span: Range<usize>,
        words: &Words,
        elsewhere: &[&Words],
        problems: &mut Problems,
    ) -> Self {
        for key in table.keys() {
            let word: &str = key.get_ref();
            if words.known.contains(&word) {
                continue;
            }
            problems.push(match words.later.iter().find(|(later, _)| *later == word) {
                Some((_, today)) => Problem::not_yet(key.span(), &format!("`{word}`"), today),
                None => unknown(word, key.span(), words, elsewhere),
            });
        }
        Self { span, table, known: words.known }
    }

    /// The word and its value, where it is there and at home.
    pub fn word(&self, name: &'static str) -> Option<Word<'t>> {
        let value = self.known.contains(&name).then(|| self.table.get(name))??;
        Some(Word { name, span: value.span(), value: value.get_ref() })
    }

    /// Reads one word.
    pub fn read<T>(
        &self,
        name: &'static str,
        problems: &mut Problems,
        read: impl FnOnce(&Word<'t>, &mut Problems) -> Option<T>,
    ) -> Said<T> {
        let Some(word) = self.word(name) else { return Said::Nothing };
        read(&word, problems).map_or(Said::Wrong, |value| Said::This(Spanned::new(word.span, value)))
    }
}

impl<'t> Word<'t> {
    /// Reports that the value is not of the right type.
    pub fn expected(&self, what: &str, problems: &mut Problems) {
        let message = format!("`{}` must be {what}, not {}", self.name, with_article(self.value.type_str()));
        let mut problem = Problem::new(self.span.clone(), message, format!("expected {what}"));
        if let DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) = self.value
            && what.contains('"')
        {
            problem = problem.help("write the value in quotes, as in the example");
        }
        problems.push(problem);
    }

    /// A string; `what` says what is expected, with an example.
    pub fn text(&self, what: &str, problems: &mut Problems) -> Option<&'t str> {
        if let DeValue::String(text) = self.value {
            return Some(text);
        }
        self.expected(what, problems);
        None
    }

    /// The elements, if it is a list.
    pub fn as_list(&self) -> Option<impl ExactSizeIterator<Item = Word<'t>> + use<'t>> {
        let DeValue::Array(array) = self.value else { return None };
        let name = self.name;
        let element = move |e: &'t Spanned<DeValue<'t>>| Word { name, span: e.span(), value: e.get_ref() };
        Some(array.iter().map(element))
    }

    /// The table, if it is one.
    pub fn as_table(&self) -> Option<&'t DeTable<'t>> {
        if let DeValue::Table(table) = self.value { Some(table) } else { None }
    }

    /// A list; `what` says of what, with an example.
    pub fn list(
        &self,
        what: &str,
        problems: &mut Problems,
    ) -> Option<impl ExactSizeIterator<Item = Word<'t>> + use<'t>> {
        let list = self.as_list();
        if list.is_none() {
            self.expected(what, problems);
        }
        list
    }

    /// A table; `what` says of what, with an example.
    pub fn table(&self, what: &str, problems: &mut Problems) -> Option<&'t DeTable<'t>> {
        let table = self.as_table();
        if table.is_none() {
            self.expected(what, problems);
        }
        table
    }

    /// `true` or `false`.
    pub fn boolean(&self, problems: &mut Problems) -> Option<bool> {
        if let DeValue::Boolean(value) = self.value {
            return Some(*value);
        }
        self.expected("true or false", problems);
        None
    }

    /// A whole number in a range.
    pub fn integer(&self, range: std::ops::RangeInclusive<u32>, problems: &mut Problems) -> Option<u32> {
        let what = format!("a whole number from {} to {}", range.start(), range.end());
        let DeValue::Integer(digits) = self.value else {
            self.expected(&what, problems);
            return None;
        };
        let number = u32::from_str_radix(digits.as_str(), digits.radix()).ok().filter(|n| range.contains(n));
        if number.is_none() {
            let message = format!("`{}` must be {what}, not {}", self.name, quoted(&digits.to_string()));
            problems.push(Problem::new(self.span.clone(), message, "out of range"));
        }
        number
    }

    /// One of a few words; `later` are those whose feature is not built, with what can be had today.
    pub fn choice<T: Copy>(
        &self,
        now: &[(&str, T)],
        later: &[(&str, &str)],
        problems: &mut Problems,
    ) -> Option<T> {
        let all: Vec<&str> =
            now.iter().map(|(word, _)| *word).chain(later.iter().map(|(word, _)| *word)).collect();
        let expected = match all.as_slice() {
            [only] => format!("\"{only}\""),
            words => format!("one of \"{}\"", words.join("\", \"")),
        };
        let text = self.text(&expected, problems)?;
        if let Some((_, value)) = now.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        if let Some((word, today)) = later.iter().find(|(word, _)| *word == text) {
            problems.push(Problem::not_yet(
                self.span.clone(),
                &format!("`{} = \"{word}\"`", self.name),
                today,
            ));
            return None;
        }
        let message = format!("`{}` cannot be {}: expected {expected}", self.name, quoted(text));
        let mut problem = Problem::new(self.span.clone(), message, format!("expected {expected}"));
        problem.help = nearest(text, all.into_iter()).map(|word| format!("did you mean \"{word}\"?"));
        problems.push(problem);
        None
    }
}

/// The words and values of a table whose words are the operator's own.
pub(super) fn entries<'t>(
    table: &'t DeTable<'t>,
    name: &'static str,
) -> impl Iterator<Item = (Spanned<&'t str>, Word<'t>)> {
    table.iter().map(move |(key, value)| {
        let word = Word { name, span: value.span(), value: value.get_ref() };
        (Spanned::new(key.span(), &**key.get_ref()), word)
    })
}

/// A word that its table does not know.
fn unknown(word: &str, span: Range<usize>, words: &Words, elsewhere: &[&Words]) -> Problem {
    let message = format!("unknown word {} in {}", quoted(word), words.table);
    let problem = Problem::new(span, message, "unknown word");
    if let Some((_, home)) = words.foreign.iter().find(|(foreign, _)| *foreign == word) {
        return problem.help(*home);
    }
    if let Some(other) = elsewhere.iter().find(|other| other.all().any(|known| known == word)) {
        return problem.help(format!("`{word}` is a word of {}: move the line there", other.table));
    }
    match nearest(word, words.all()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("expected one of {}", words.known.join(", "))),
    }
}

/// The word that was probably meant.
pub(super) fn nearest<'a>(text: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Above this nothing is near, and the distance would take long to find.
    if text.len() > 64 {
        return None;
    }
    let text = text.to_lowercase().replace('-', "_");
    words
        .map(|word| (strsim::damerau_levenshtein(&text, &word.replace('-', "_")), word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// A piece of the file inside a message: no control characters, and not too long.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 64;
    let mut quoted: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}
