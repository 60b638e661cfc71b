//! The critical section of the models for chips: one for all objects, of loom's mutex, which is what it is on a chip of
//! several cores. (An interrupt is a thread that nobody interrupts: what it can do is among what two threads can.)
//!
//! It may be entered again by whoever is in it, as `critical_section` has it; the core does so once at most (S3), and a
//! model that goes deeper fails.

use core::cell::{Cell, UnsafeCell};

use loom::sync::{Mutex, MutexGuard};

/// How deep the core goes.
const DEEPEST: usize = 2;

struct OneForAll {
    mutex: Mutex<()>,
    held: UnsafeCell<Option<MutexGuard<'static, ()>>>,
}

// SAFETY: Validity: a guard, or none. Aliasing: the cell is touched by whoever holds the mutex, and by nobody else.
unsafe impl Sync for OneForAll {}

loom::lazy_static! {
    static ref SECTION: OneForAll = OneForAll {
        mutex: Mutex::new(()),
        held: UnsafeCell::new(None),
    };
}

loom::thread_local! {
    static DEPTH: Cell<usize> = Cell::new(0);
}

struct LoomSection;

critical_section::set_impl!(LoomSection);

// SAFETY: Validity: the mutex excludes all sections of other threads, and its release happens before the next acquire.
// Aliasing: nothing is borrowed beyond a call.
unsafe impl critical_section::Impl for LoomSection {
    unsafe fn acquire() {
        let depth = DEPTH.with(|depth| depth.replace(depth.get() + 1));
        assert!(depth < DEEPEST, "sections nest deeper than the core says");
        if depth > 0 {
            return;
        }
        let section: &'static OneForAll = &SECTION;
        let guard = section.mutex.lock().expect("no section panics");
        // SAFETY: Validity: a guard. Aliasing: the mutex is held, by us.
        unsafe { *section.held.get() = Some(guard) };
    }

    unsafe fn release((): ()) {
        let depth = DEPTH.with(|depth| depth.replace(depth.get() - 1));
        if depth > 1 {
            return;
        }
        let section: &'static OneForAll = &SECTION;
        // SAFETY: Validity: our guard, as each release follows its acquire. Aliasing: the mutex is still held; it is let
        // go once the cell is no longer touched.
        let guard = unsafe { (*section.held.get()).take() };
        drop(guard);
    }
}
