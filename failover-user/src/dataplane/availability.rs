//! The availability map, mapped into this process: one aligned store for each decision.

use std::{
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use aya::maps::MapData;
use failover_common::value::Availability;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::error::Error;

/// The mapped array.
#[derive(Debug)]
pub struct AvailabilityTable {
    rows: NonNull<AtomicU64>,
    len: usize,
}

// SAFETY: the rows are atomics in memory that belongs to this value alone until it is dropped.
unsafe impl Send for AvailabilityTable {}

impl AvailabilityTable {
    /// Maps `map`, an array of `len` 8-byte values made with `BPF_F_MMAPABLE`.
    pub fn map(map: &MapData, len: usize) -> Result<Self, Error> {
        use std::os::fd::AsFd as _;
        // SAFETY: a new mapping at an address that the kernel chooses; nothing else refers to it.
        let address = unsafe {
            mmap(
                std::ptr::null_mut(),
                len * size_of::<u64>(),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                map.fd().as_fd(),
                0,
            )
        }
        .map_err(|error| Error::io("map the availability table", error.into()))?;
        let rows = NonNull::new(address.cast())
            .ok_or_else(|| Error::io("map the availability table", std::io::ErrorKind::Other.into()))?;
        Ok(Self { rows, len })
    }

    /// The value of `target`; all zero where the table has no such row.
    pub fn get(&self, target: u32) -> Availability {
        self.row(target).map_or_else(Availability::default, |row| Availability(row.load(Ordering::Acquire)))
    }

    /// Sets the value of `target`: every packet from now on sees it.
    pub fn set(&self, target: u32, value: Availability) {
        if let Some(row) = self.row(target) {
            row.store(value.0, Ordering::Release);
        }
    }

    fn row(&self, target: u32) -> Option<&AtomicU64> {
        let index = target as usize;
        // SAFETY: index < len, and the mapping holds len aligned 8-byte rows for as long as `self` lives.
        (index < self.len).then(|| unsafe { self.rows.add(index).as_ref() })
    }
}

impl Drop for AvailabilityTable {
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `map` with this length, and no reference into it outlives `self`.
        let unmapped = unsafe { munmap(self.rows.as_ptr().cast(), self.len * size_of::<u64>()) };
        debug_assert!(unmapped.is_ok(), "the mapping was ours");
    }
}
