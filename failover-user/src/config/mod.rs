//! The configuration file: raw (serde) → model (valid by construction).

pub mod model;
