//! What every target asks of a decoder: that it stays within its input, and within memory that is in proportion to it.
//!
//! The codecs are compiled from their own files, and not as a part of `failover-user`: they know nothing of the rest of
//! the house, which would have to be built with the sanitizer's flags, eBPF programs included.

#![warn(missing_docs)]

mod meter;
#[allow(dead_code)]
#[path = "../../../failover-user/src/proto/mod.rs"]
pub mod proto;

pub use meter::in_proportion;

/// Panics unless `part` is a piece of `whole`, as what is only pointed at has to be.
pub fn is_within(part: &[u8], whole: &[u8]) {
    if part.is_empty() {
        return;
    }
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    assert!(whole.start <= part.start && part.end <= whole.end, "a part lies outside of the input");
}

/// Cuts `bytes` into pieces as a connection might: the first byte says how long they are.
pub fn pieces(bytes: &[u8]) -> (&[u8], impl Iterator<Item = &[u8]>) {
    let (size, rest) =
        bytes.split_first().map_or((1, bytes), |(size, rest)| (usize::from(*size).max(1), rest));
    (rest, rest.chunks(size))
}
