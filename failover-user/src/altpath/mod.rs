//! AlternatePath: reading, adding and promoting the SIP parameter that carries the backup proxy's address. Pure.
//!
//! Not built yet.
