//! Randomness for probes, from the kernel, a good deal at a time: ten thousand probes a second want some each.

use std::cell::RefCell;

/// Bytes that are asked for at a time.
const POOL: usize = 4096;

/// What was asked for, and how much of it is used up.
struct Pool {
    bytes: [u8; POOL],
    used: usize,
}

thread_local! {
    static RANDOM: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL], used: POOL }) };
}

/// Fit for a token that nobody can guess. Nothing is given out twice, nor kept after it was given out.
pub(super) fn bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    const { assert!(N <= POOL) };
    RANDOM.with_borrow_mut(|pool| {
        if POOL - pool.used < N {
            // Before it is filled it is used up: an error leaves nothing behind to be given out.
            pool.used = POOL;
            getrandom::fill(&mut pool.bytes)?;
            pool.used = 0;
        }
        let mut random = [0; N];
        let given = &mut pool.bytes[pool.used..pool.used + N];
        random.copy_from_slice(given);
        given.fill(0);
        pool.used += N;
        Ok(random)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn nothing_is_given_out_twice_whatever_is_left_of_the_pool() {
        let mut given = BTreeSet::new();
        for _ in 0..1000 {
            assert!(given.insert(bytes::<40>().unwrap().to_vec()));
            assert!(given.insert(bytes::<16>().unwrap().to_vec()));
        }
        let pooled = RANDOM.with_borrow(|pool| pool.bytes[..pool.used].iter().all(|byte| *byte == 0));
        assert!(pooled, "what was given out is not kept");
    }
}
