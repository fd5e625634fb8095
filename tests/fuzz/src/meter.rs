//! How much memory a piece of work holds at once.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// What any input may cost, however short.
const GRANTED: usize = 256 << 10;

thread_local! {
    /// Bytes that are held, and the most that were since the work began.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Meter;

#[global_allocator]
static METER: Meter = Meter;

fn count(change: isize) {
    // A thread that ends has nothing to count with, and frees what it has.
    let _ = HELD.try_with(|cell| {
        let (held, most) = cell.get();
        let held = held.saturating_add(change);
        cell.set((held, most.max(held)));
    });
}

// SAFETY: every call goes on to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are those that the system's allocator wants.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above; `pointer` came from there.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Does `work` on an input of `length` bytes. Panics where it held more than `times` as many at once, beyond what is
/// granted to any.
pub fn in_proportion<T>(length: usize, times: usize, work: impl FnOnce() -> T) -> T {
    let before = HELD.with(|cell| {
        let (held, _) = cell.get();
        cell.set((held, held));
        held
    });
    let result = work();
    let used = HELD.with(Cell::get).1.saturating_sub(before).max(0) as usize;
    assert!(used <= GRANTED + times * length, "{used} bytes of memory for an input of {length}");
    result
}
