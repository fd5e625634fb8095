//! The backup gatekeeper: modules per site, registrar, proxy, RAS, calls, profile store.
//!
//! Not built yet.
