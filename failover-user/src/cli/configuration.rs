//! `failover check`: reads the configuration and says what it means, or where it is wrong.

use super::{Output, check, failure::Failure, output, session::Session};
use crate::config;

pub(super) fn check(session: &Session) -> Result<(), Failure> {
    match (config::load(session.config_path()), session.output()) {
        (Ok(loaded), Output::Text) => output::text(&check::explain(&loaded)),
        (Ok(loaded), Output::Json | Output::Jsonl) => output::text(&check::explain_json(&loaded)),
        (Err(error), Output::Text) => Err(error.into()),
        (Err(error), Output::Json | Output::Jsonl) => {
            output::text(&check::error_json(&error))?;
            Err(Failure::Silent(Failure::from(error).exit()))
        }
    }
}
