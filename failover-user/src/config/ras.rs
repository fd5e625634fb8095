//! Which answers of a gatekeeper count as life: the words of `ras.alive`.

use std::fmt;

use super::{
    error::{Problem, Problems},
    section::{Word, quoted},
};

/// Any confirmation.
const CONFIRM: &str = "confirm";
/// A rejection for any reason but the one that says "not now".
const REJECT: &str = "reject";
/// Who is in maintenance says so: alive, and wants no calls.
const WANTS_NONE: &str = "resourceUnavailable";
/// Reasons of LRJ and GRJ, as H.225.0 writes them.
const REASONS: [&str; 18] = [
    "aliasesInconsistent",
    "genericDataReason",
    "hopCountExceeded",
    "incompleteAddress",
    "invalidPermission",
    "invalidRevision",
    "neededFeatureNotSupported",
    "noRouteToDestination",
    "notRegistered",
    "requestDenied",
    WANTS_NONE,
    "routeCalltoSCN",
    "securityDHmismatch",
    "securityDenial",
    "securityError",
    "terminalExcluded",
    "unallocatedNumber",
    "undefinedReason",
];

/// A set of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RasAlive {
    confirm: bool,
    reject: bool,
    /// A bit for each of [`REASONS`].
    reasons: u32,
}

impl Default for RasAlive {
    /// `["confirm", "reject"]`.
    fn default() -> Self {
        Self { confirm: true, reject: true, reasons: 0 }
    }
}

impl RasAlive {
    /// Whether LCF or GCF counts.
    pub const fn confirms(self) -> bool {
        self.confirm
    }

    /// Whether LRJ or GRJ for that reason counts.
    pub fn rejects(self, reason: &str) -> bool {
        (self.reject && reason != WANTS_NONE) || place(reason).is_some_and(|place| self.reasons & place != 0)
    }

    /// Whether that reason says that the gatekeeper is alive, and wants no calls.
    pub fn wants_none(reason: &str) -> bool {
        reason == WANTS_NONE
    }

    /// The words.
    pub fn words(self) -> Vec<&'static str> {
        let classes = [(self.confirm, CONFIRM), (self.reject, REJECT)];
        let classes = classes.into_iter().filter(|(said, _)| *said).map(|(_, word)| word);
        let reasons = REASONS.into_iter().filter(|name| place(name).is_some_and(|at| self.reasons & at != 0));
        classes.chain(reasons).collect()
    }

    fn with(self, word: &str) -> Option<Self> {
        match word {
            CONFIRM => Some(Self { confirm: true, ..self }),
            REJECT => Some(Self { reject: true, ..self }),
            _ => place(word).map(|place| Self { reasons: self.reasons | place, ..self }),
        }
    }
}

impl fmt::Display for RasAlive {
    /// `confirm, or reject for another reason than resourceUnavailable`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let confirm = self.confirm.then(|| CONFIRM.to_owned());
        let but = if self.rejects(WANTS_NONE) { "" } else { " for another reason than resourceUnavailable" };
        let named = || Self { confirm: false, ..*self }.words().join(" or ");
        let reject = match (self.reject, self.reasons) {
            (true, _) => Some(format!("reject{but}")),
            (false, 0) => None,
            (false, _) => Some(format!("reject because of {}", named())),
        };
        let said: Vec<_> = confirm.into_iter().chain(reject).collect();
        f.write_str(&said.join(", or "))
    }
}

fn place(reason: &str) -> Option<u32> {
    REASONS.iter().position(|name| *name == reason).map(|at| 1 << at)
}

/// `["confirm", "reject", "resourceUnavailable"]`.
pub(super) fn read(word: &Word<'_>, problems: &mut Problems) -> Option<RasAlive> {
    const WHAT: &str = "\"confirm\", \"reject\", or the reason of a reject such as \"securityDenial\"";
    let list = word.list("a list of answers such as [\"confirm\", \"reject\"]", problems)?;
    let nothing = RasAlive { confirm: false, reject: false, reasons: 0 };
    if list.len() == 0 {
        let why = format!("`{}` is empty: no answer would count as alive", word.name);
        problems.push(Problem::new(word.span.clone(), why, "no answer"));
        return None;
    }
    let mut read = Some(nothing);
    for element in list {
        let Some(text) = element.text(WHAT, problems) else {
            read = None;
            continue;
        };
        if nothing.with(text).is_none() {
            problems.push(unknown(&element, text, WHAT));
        }
        read = read.and_then(|read| read.with(text));
    }
    read
}

fn unknown(element: &Word<'_>, text: &str, what: &str) -> Problem {
    let why = format!("{} is no answer of a gatekeeper: expected {what}", quoted(text));
    let problem = Problem::new(element.span.clone(), why, "not an answer");
    let text = text.to_lowercase();
    let near = |known: &&str| strsim::normalized_damerau_levenshtein(&known.to_lowercase(), &text) > 0.6;
    match [CONFIRM, REJECT].into_iter().chain(REASONS).find(near) {
        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
        None => problem.help(format!("reasons are {}", REASONS.join(", "))),
    }
}
