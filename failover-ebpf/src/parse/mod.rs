//! Headers, from the outside in. Each parser checks what it returns, and says why it gives up.

pub mod eth;
pub mod ip;
pub mod l4;
