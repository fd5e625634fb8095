//! `failover check`: reads the configuration and says what it means, or where it is wrong.

use super::{Output, check, failure::Failure, output, session::Session};
use crate::config;

pub(super) fn check(session: &Session) -> Result<(), Failure> {
    match (config::load(session.config_path()), session.output()) {
        (Ok(loaded), Output::Text) => output::text(&check::explain(&loaded)),
        (Ok(loaded), json) => output::value(json, &check::explain_json(&loaded), ToString::to_string),
        (Err(error), Output::Text) => Err(error.into()),
        (Err(error), json) => {
            output::value(json, &check::error_json(&error), ToString::to_string)?;
            Err(Failure::Silent(Failure::from(error).exit()))
        }
    }
}
