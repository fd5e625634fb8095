//! Pure codecs, no I/O.
