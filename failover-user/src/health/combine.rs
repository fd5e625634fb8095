//! The health of a server, from the health of its services at each of its addresses.
//!
//! A service that never answered is most likely one that the server does not offer: it must not hold the whole
//! server down. It is left out, and named, so that an operator can be warned. Only where nothing at all ever
//! answered is silence taken at its word. The same holds for a whole address family ([`whole`]).

use super::Health;
use crate::config::model::Require;

/// One service at one address, as its own machine knows it.
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
    /// The health of all together.
    pub health: Health,
    /// Indices, ascending, of the services that were tried to the end (`down`), never answered, and so have no
    /// say. A service that is still `unknown` has no say either, but is nothing to warn of yet.
    pub left_out: Vec<usize>,
}

/// The health of the server that offers `services` at one address: under [`Require::All`] that of its worst service, under
/// [`Require::Any`] that of its best, of those that were ever alive. From worst to best: `down`, `unknown` (after a
/// restart), `recovering`, `suspect`, `up`.
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

/// What of a server never answered, and so has no say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Silent {
    /// Every service of a family, while another family lives.
    Family(usize),
    /// A service, while another one of its family lives.
    Service {
        /// Its family.
        family: usize,
        /// The service.
        service: usize,
    },
}

/// What [`whole`] found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Whole {
    /// The server's health.
    pub health: Health,
    /// As in [`Combined::left_out`].
    pub left_out: Vec<Silent>,
}

/// The health of a server with an address in each of `families`, of which each has the same services. Its phones of
/// one family know nothing of the other, so it is as healthy as the worst of them, whatever `require` says of the
/// services of each: of those families of which anything was ever alive, as [`combine`] has it.
pub fn whole(families: &[Vec<Part>], require: Require) -> Whole {
    let combined: Vec<Combined> = families.iter().map(|services| combine(services, require)).collect();
    let part = |(services, combined): (&Vec<Part>, &Combined)| Part {
        health: combined.health,
        ever_alive: services.iter().any(|part| part.ever_alive),
    };
    let parts: Vec<Part> = families.iter().zip(&combined).map(part).collect();
    let Combined { health, left_out } = combine(&parts, Require::All);
    let services = combined.iter().enumerate().flat_map(|(family, combined)| {
        combined.left_out.iter().map(move |service| Silent::Service { family, service: *service })
    });
    Whole { health, left_out: left_out.into_iter().map(Silent::Family).chain(services).collect() }
}

fn never_lived(services: &[Part]) -> Health {
    let all_down = !services.is_empty() && services.iter().all(|part| part.health == Health::Down);
    if all_down { Health::Down } else { Health::Unknown }
}

fn silent(services: &[Part]) -> Vec<usize> {
    let is_silent = |part: &Part| !part.ever_alive && part.health == Health::Down;
    services.iter().enumerate().filter(|(_, part)| is_silent(part)).map(|(index, _)| index).collect()
}

/// Higher is better. A service that was alive is `unknown` only after a restart, until the first verdict.
fn rank(health: Health) -> u8 {
    match health {
        Health::Down => 0,
        Health::Unknown => 1,
        Health::Recovering => 2,
        Health::Suspect => 3,
        Health::Up => 4,
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
        (&[lived(Unknown), lived(Up)], Unknown, Up, &[]),
        (&[lived(Unknown), lived(Down)], Down, Unknown, &[]),
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
    fn a_server_is_as_healthy_as_its_worst_family_of_those_that_lived() {
        use Silent::{Family, Service};
        /// Two families; the outcome under `all`; under `any`; what is left out.
        type Row = ([&'static [Part]; 2], Health, Health, &'static [Silent]);
        const ROWS: &[Row] = &[
            ([&[lived(Up)], &[lived(Up)]], Up, Up, &[]),
            ([&[lived(Up)], &[lived(Suspect)]], Suspect, Suspect, &[]),
            ([&[lived(Down)], &[lived(Up)]], Down, Down, &[]),
            ([&[lived(Recovering)], &[lived(Up)]], Recovering, Recovering, &[]),
            ([&[lived(Up), lived(Down)], &[lived(Up), lived(Up)]], Down, Up, &[]),
            ([&[lived(Up), lived(Up)], &[lived(Down), lived(Down)]], Down, Down, &[]),
            ([&[never(Unknown)], &[never(Unknown)]], Unknown, Unknown, &[]),
            ([&[lived(Up)], &[never(Unknown)]], Up, Up, &[]),
            ([&[never(Down)], &[never(Unknown)]], Unknown, Unknown, &[]),
            ([&[never(Down)], &[never(Down)]], Down, Down, &[]),
            ([&[lived(Up)], &[never(Down)]], Up, Up, &[Family(1)]),
            ([&[never(Down)], &[lived(Down)]], Down, Down, &[Family(0)]),
            (
                [&[lived(Up), never(Down)], &[never(Down), lived(Suspect)]],
                Suspect,
                Suspect,
                &[Service { family: 0, service: 1 }, Service { family: 1, service: 0 }],
            ),
        ];
        for (families, all, any, left_out) in ROWS {
            let families = families.map(<[Part]>::to_vec);
            let expect = |health| Whole { health, left_out: left_out.to_vec() };
            assert_eq!(whole(&families, Require::All), expect(*all), "all of {families:?}");
            assert_eq!(whole(&families, Require::Any), expect(*any), "any of {families:?}");
        }
    }

    #[test]
    fn one_family_alone_is_the_whole_server() {
        for (services, all, any, left_out) in TABLE {
            let silent = |service: &usize| Silent::Service { family: 0, service: *service };
            let expect = |health: Health| Whole { health, left_out: left_out.iter().map(silent).collect() };
            assert_eq!(whole(&[services.to_vec()], Require::All), expect(*all), "all of {services:?}");
            assert_eq!(whole(&[services.to_vec()], Require::Any), expect(*any), "any of {services:?}");
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
