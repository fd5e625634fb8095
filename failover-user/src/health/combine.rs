//! The health of a server, from the health of its services.
//!
//! A service that never answered is most likely one that the server does not offer: it must not hold the whole
//! server down. It is left out, and named, so that an operator can be warned. Only where nothing at all ever
//! answered is silence taken at its word.

use super::Health;
use crate::config::model::Require;

/// One service, as its own machine knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// Its health.
    pub health: Health,
    /// Whether it was ever seen alive.
    pub ever_alive: bool,
}

/// What [`combine`] found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Combined {
    /// The server's health.
    pub health: Health,
    /// Indices, ascending, of the services that were tried to the end (`down`), never answered, and so have no
    /// say. A service that is still `unknown` has no say either, but is nothing to warn of yet.
    pub left_out: Vec<usize>,
}

/// The health of the server that offers `services`: under [`Require::All`] that of its worst service, under
/// [`Require::Any`] that of its best, of those that were ever alive. From worst to best: `down`, `recovering`,
/// `suspect`, `up`.
///
/// Where none was ever alive the server is `down` once every service is, and `unknown` until then. Without
/// services it is `unknown`.
pub fn combine(services: &[Part], require: Require) -> Combined {
    let lived = services.iter().filter(|part| part.ever_alive).map(|part| part.health);
    let decided = match require {
        Require::All => lived.min_by_key(|health| rank(*health)),
        Require::Any => lived.max_by_key(|health| rank(*health)),
    };
    match decided {
        Some(health) => Combined { health, left_out: silent(services) },
        None => Combined { health: never_lived(services), left_out: Vec::new() },
    }
}

fn never_lived(services: &[Part]) -> Health {
    let all_down = !services.is_empty() && services.iter().all(|part| part.health == Health::Down);
    if all_down { Health::Down } else { Health::Unknown }
}

fn silent(services: &[Part]) -> Vec<usize> {
    let is_silent = |part: &Part| !part.ever_alive && part.health == Health::Down;
    services.iter().enumerate().filter(|(_, part)| is_silent(part)).map(|(index, _)| index).collect()
}

/// Higher is better. A service that was alive is never `unknown` again.
fn rank(health: Health) -> u8 {
    match health {
        Health::Unknown | Health::Down => 0,
        Health::Recovering => 1,
        Health::Suspect => 2,
        Health::Up => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Health::{Down, Recovering, Suspect, Unknown, Up};

    const fn lived(health: Health) -> Part {
        Part { health, ever_alive: true }
    }

    const fn never(health: Health) -> Part {
        Part { health, ever_alive: false }
    }

    /// Services; the outcome under `all`; under `any`; who is left out.
    type Row = (&'static [Part], Health, Health, &'static [usize]);

    const TABLE: &[Row] = &[
        (&[], Unknown, Unknown, &[]),
        (&[never(Unknown)], Unknown, Unknown, &[]),
        (&[never(Down)], Down, Down, &[]),
        (&[never(Down), never(Unknown)], Unknown, Unknown, &[]),
        (&[never(Down), never(Down)], Down, Down, &[]),
        (&[lived(Up)], Up, Up, &[]),
        (&[lived(Down)], Down, Down, &[]),
        (&[lived(Up), never(Unknown)], Up, Up, &[]),
        (&[lived(Up), never(Down)], Up, Up, &[1]),
        (&[never(Down), lived(Suspect), never(Down)], Suspect, Suspect, &[0, 2]),
        (&[lived(Down), never(Unknown)], Down, Down, &[]),
        (&[lived(Down), never(Down)], Down, Down, &[1]),
    ];

    #[test]
    fn table() {
        for (services, all, any, left_out) in TABLE {
            let expect = |health: Health| Combined { health, left_out: left_out.to_vec() };
            assert_eq!(combine(services, Require::All), expect(*all), "all of {services:?}");
            assert_eq!(combine(services, Require::Any), expect(*any), "any of {services:?}");
        }
    }

    #[test]
    fn of_two_that_lived_all_takes_the_worse_and_any_the_better() {
        let ascending = [Down, Recovering, Suspect, Up];
        for (i, worse) in ascending.into_iter().enumerate() {
            for better in ascending.into_iter().skip(i) {
                for services in [[lived(worse), lived(better)], [lived(better), lived(worse)]] {
                    assert_eq!(combine(&services, Require::All).health, worse, "{services:?}");
                    assert_eq!(combine(&services, Require::Any).health, better, "{services:?}");
                }
            }
        }
    }
}
