//! A MEGACO message: what it says of a transaction lies within it, and it never answers two ways.
#![no_main]

use failover_fuzz::{
    in_proportion, is_within,
    proto::megaco::{Answer, answer, outline},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (outline, error) = in_proportion(bytes.len(), 64, || outline(bytes));
    if let Some(outline) = &outline {
        is_within(outline.mid, bytes);
        for transaction in &outline.transactions {
            transaction.commands.iter().for_each(|(_, on)| is_within(on, bytes));
            is_within(transaction.error.map_or(&[], |(_, text)| text), bytes);
        }
    }
    assert!(outline.is_some() || error.is_some());
    for transaction in [0, 1, 50_003, u32::MAX] {
        let found = in_proportion(bytes.len(), 1, || answer(bytes, transaction));
        if let Ok(Some(Answer::Refused { text, .. })) = found {
            is_within(text, bytes);
        }
        // An answer has been read as far as its end, so what is behind it changes nothing.
        if let Ok(Some(said)) = found {
            let longer = [bytes, b" {"].concat();
            assert_eq!(answer(&longer, transaction), Ok(Some(said)));
        }
    }
});
