//! Reading many entries of a map in one call (`BPF_MAP_LOOKUP_BATCH`): with a call for each of them, ten thousand targets took half a
//! second to compare.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{Pod, maps::MapData};
use aya_obj::generated::{bpf_attr__bindgen_ty_3 as Batch, bpf_cmd::BPF_MAP_LOOKUP_BATCH};
use nix::libc;

/// Entries in a call. A bucket of a hash map that holds more is asked for again with more room.
const BATCH: u32 = 1024;
/// More than any bucket may hold: the largest map's entries.
const MOST: u32 = 1 << 24;

/// Walks a whole map: an array by index, a hash map in no order. What changes meanwhile may be seen or not; nothing is seen twice that
/// stays where it is.
pub struct Walk<'a, K, V> {
    map: &'a MapData,
    keys: Vec<K>,
    values: Vec<V>,
    /// Of this batch, given out.
    given: usize,
    /// Where the kernel goes on; none before the first batch.
    position: Option<u32>,
    batch: u32,
    over: bool,
}

impl<'a, K: Pod, V: Pod> Walk<'a, K, V> {
    /// Of `map`, whose keys and values have these sizes.
    pub fn of(map: &'a MapData) -> Self {
        let (keys, values) = (Vec::new(), Vec::new());
        Self { map, keys, values, given: 0, position: None, batch: BATCH, over: false }
    }

    /// Fetches what comes next.
    fn fetch(&mut self) -> io::Result<()> {
        (self.given, self.over) = (0, false);
        loop {
            let Self { map, keys, values, position, batch, .. } = self;
            match lookup(map, position, *batch, (keys, values, 1)) {
                Ok(End::More) => return Ok(()),
                Ok(End::Last) => {
                    self.over = true;
                    return Ok(());
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && self.batch < MOST => {
                    self.batch *= 2;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl<K: Pod, V: Pod> Iterator for Walk<'_, K, V> {
    type Item = io::Result<(K, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.given == self.keys.len() {
            if self.over {
                return None;
            }
            if let Err(error) = self.fetch() {
                self.keys.clear();
                (self.given, self.over) = (0, true);
                return Some(Err(error));
            }
        }
        let entry = (*self.keys.get(self.given)?, *self.values.get(self.given)?);
        self.given += 1;
        Some(Ok(entry))
    }
}

/// The `many` rows of a per-CPU array from `first` on, each as so many values as this machine may have CPUs; their size is a multiple of 8.
pub fn per_cpu_rows<V: Pod>(map: &MapData, first: u32, many: u32) -> io::Result<Vec<V>> {
    const { assert!(size_of::<V>().is_multiple_of(8)) };
    let cpus = aya::util::nr_cpus().map_err(|(_, error)| error)?;
    let (mut keys, mut values) = (Vec::<u32>::new(), Vec::new());
    let mut position = first.checked_sub(1);
    lookup(map, &mut position, many, (&mut keys, &mut values, cpus))?;
    // Behind the last row the kernel begins with the first one again.
    if keys.first() != Some(&first) || keys.len() != many as usize {
        return Err(io::Error::other(format!("it has no {many} rows from {first} on")));
    }
    Ok(values)
}

/// Whether there is more behind a batch.
enum End {
    More,
    Last,
}

/// Puts at most `count` entries, each of one key and `each` values, in place of what `keys` and `values` hold.
fn lookup<K: Pod, V: Pod>(
    map: &MapData,
    position: &mut Option<u32>,
    count: u32,
    (keys, values, each): (&mut Vec<K>, &mut Vec<V>, usize),
) -> io::Result<End> {
    keys.clear();
    values.clear();
    keys.reserve_exact(count as usize);
    values.reserve_exact(count as usize * each);
    let (before, mut after) = (*position, 0_u32);
    let mut batch = Batch {
        in_batch: before.as_ref().map_or(0, |before| std::ptr::from_ref(before) as u64),
        out_batch: &raw mut after as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count,
        map_fd: map.fd().as_fd().as_raw_fd().cast_unsigned(),
        elem_flags: 0,
        flags: 0,
    };
    // SAFETY: this is the part of the attributes that the command has; the kernel writes at most `count` keys and values to where
    // there is room for as many of their sizes, which are the map's, and a position of four bytes.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_MAP_LOOKUP_BATCH as u32, &raw mut batch, size_of_val(&batch))
    };
    let error = (result < 0).then(io::Error::last_os_error);
    let end = match error {
        None => End::More,
        Some(error) if error.raw_os_error() == Some(libc::ENOENT) => End::Last,
        Some(error) => return Err(error),
    };
    let found = batch.count.min(count) as usize;
    // SAFETY: so many entries were written, and any bytes are a value of a `Pod`.
    unsafe {
        keys.set_len(found);
        values.set_len(found * each);
    }
    *position = Some(after);
    Ok(end)
}
