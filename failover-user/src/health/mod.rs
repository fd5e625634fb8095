//! Health: a pure state machine for each probed service ([`machine`], with its round trips in [`rtt`] and its flap damping in
//! [`flap`]), and what its services say of a whole server ([`combine`]). Time is injected; nothing here does I/O.

pub mod combine;
pub mod flap;
pub mod machine;
pub mod rtt;

use serde::{Deserialize, Serialize};

/// What probing knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It answers.
    Up,
    /// It answered, and lately did not.
    Suspect,
    /// It does not answer.
    Down,
    /// It answers again, but not for long enough.
    Recovering,
}

impl Health {
    /// The word in events and on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Suspect => "suspect",
            Self::Down => "down",
            Self::Recovering => "recovering",
        }
    }
}

/// In JSON an unknown health is `null`.
pub mod or_null {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::Health;

    /// `Unknown` as `null`.
    pub fn serialize<S: Serializer>(health: &Health, to: S) -> Result<S::Ok, S::Error> {
        Some(*health).filter(|h| *h != Health::Unknown).serialize(to)
    }

    /// `null` as `Unknown`.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Health, D::Error> {
        Ok(Option::deserialize(from)?.unwrap_or_default())
    }
}
