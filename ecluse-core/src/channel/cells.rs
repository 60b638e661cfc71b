//! Where items lie, and in which order: the cells of a channel, and the two lists that run through
//! them.
//!
//! An [`Index`] is a right: whoever has one, outside every list, owns its cell, and is the only one
//! that reads or writes the item in it, without the lock. The lists are touched under the lock.
//!
//! Invariants:
//! - **Q1** A cell is in one place: not used since all were free, in the list of free ones, in the
//!   order, in the grant of a waiter, or owned by whoever has its index. So no two own one.
//! - **Q2** The cell of an index that is in the order, or granted to a receiver, has an item. One
//!   that is free, or granted to a sender, has none.
//! - **Q3** The order is that of the cells' sequence numbers, and a number is given when its item is
//!   published. So an item that comes back finds its place.
//! - **Q4** Whoever writes or reads an item has had the lock after the one before, and before the
//!   one after it, or its node's state instead.

use core::{mem::MaybeUninit, num::NonZeroU32};

use crate::{sync::Cell, wait::UserCode};

/// A cell of one channel, counted from one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Index(NonZeroU32);

/// A cell: room for an item, and what the lists need.
pub(super) struct Slot<T> {
    item: Cell<MaybeUninit<T>>,
    links: Cell<Links>,
}

#[derive(Clone, Copy)]
struct Links {
    next: Option<Index>,
    sequence: u32,
}

impl<T> Slot<T> {
    const_fn! {
        /// Nothing but zeros, so that the cells of a `static` need no place in a chip's flash.
        const fn new() -> Self {
            Self {
                item: Cell::new(MaybeUninit::uninit()),
                links: Cell::new(Links { next: None, sequence: 0 }),
            }
        }
    }

    /// Puts an item in.
    ///
    /// # Safety
    /// The caller owns the cell, which is empty.
    #[inline(always)]
    pub(super) unsafe fn write(&self, item: T) {
        self.item.with_mut(|cell| {
            // SAFETY: Validity: empty. Aliasing: the cell's owner (Q1).
            unsafe { (*cell).write(item) };
        });
    }

    /// Takes the item out.
    ///
    /// # Safety
    /// The caller owns the cell, which has an item, and does not read it again.
    #[inline(always)]
    pub(super) unsafe fn read(&self) -> T {
        // (`with_mut`, to move it out: two that do so beside each other are found by a model.)
        self.item.with_mut(|cell| {
            // SAFETY: Validity: has an item (Q2), read once. Aliasing: the cell's owner (Q1).
            unsafe { (*cell).assume_init_read() }
        })
    }
}

/// The cells of a channel of capacity `N`: as many, but one for `N` = 0.
#[cfg(not(ecluse_loom))]
#[repr(C)]
pub(super) union Cells<T, const N: usize> {
    one: core::mem::ManuallyDrop<Slot<T>>,
    many: core::mem::ManuallyDrop<[Slot<T>; N]>,
}

#[cfg(not(ecluse_loom))]
impl<T, const N: usize> Cells<T, N> {
    pub(super) const fn new() -> Self {
        const {
            assert!(
                N < u32::MAX as usize,
                "a channel has less than 2^32 - 1 places"
            );
        }
        if N == 0 {
            Self {
                one: core::mem::ManuallyDrop::new(Slot::new()),
            }
        } else {
            Self {
                many: core::mem::ManuallyDrop::new([const { Slot::new() }; N]),
            }
        }
    }

    #[inline(always)]
    pub(super) fn all(&self) -> &[Slot<T>] {
        let count = if N == 0 { 1 } else { N };
        let first = core::ptr::from_ref(self).cast::<Slot<T>>();
        // SAFETY: Validity: `new` has made that many, which begin where the union does. Aliasing:
        // shared; what changes in a slot is in cells.
        unsafe { core::slice::from_raw_parts(first, count) }
    }
}

/// Under loom the cells are values with a history, which no union can hold.
#[cfg(ecluse_loom)]
pub(super) struct Cells<T, const N: usize>(alloc::boxed::Box<[Slot<T>]>);

#[cfg(ecluse_loom)]
impl<T, const N: usize> Cells<T, N> {
    pub(super) fn new() -> Self {
        Self((0..N.max(1)).map(|_| Slot::new()).collect())
    }

    pub(super) fn all(&self) -> &[Slot<T>] {
        &self.0
    }
}

/// The slot of an index.
#[inline(always)]
pub(super) fn slot<T>(cells: &[Slot<T>], index: Index) -> &Slot<T> {
    // (`get_unchecked`: that it is in bounds is more than a compiler knows, and a panic here would
    // be one under the lock.)
    // SAFETY: Validity: indices are made by `Lists::claim`, of cells that exist, and stay with their
    // channel. Aliasing: shared.
    unsafe { cells.get_unchecked(index.0.get() as usize - 1) }
}

/// The two lists, under the channel's lock. All zeros while nothing was sent.
pub(super) struct Lists {
    first: Option<Index>,
    /// The last of the order, if there is a first.
    last: Option<Index>,
    free: Option<Index>,
    /// Cells that were not used since all were free are those from here on.
    fresh: u32,
    /// Cells that are not free.
    used: u32,
    /// Items in the order.
    count: u32,
    sequence: u32,
}

impl Lists {
    pub(super) const fn new() -> Self {
        Self {
            first: None,
            last: None,
            free: None,
            fresh: 0,
            used: 0,
            count: 0,
            sequence: 0,
        }
    }

    /// Whether every cell is free.
    #[inline(always)]
    pub(super) fn is_idle(&self) -> bool {
        self.used == 0
    }

    /// Items in the order.
    #[inline(always)]
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Whether a cell is free.
    #[inline(always)]
    pub(super) fn has_room<T>(&self, cells: &[Slot<T>]) -> bool {
        (self.used as usize) < cells.len()
    }

    /// A free cell becomes the caller's.
    ///
    /// # Safety
    /// `cells` are those of these lists, here and below, and their lock is held.
    #[inline(always)]
    pub(super) unsafe fn claim<T>(&mut self, cells: &[Slot<T>]) -> Option<Index> {
        let index = if let Some(index) = self.free {
            // SAFETY: Validity: a member. Aliasing: the lock is held.
            self.free = unsafe { links(cells, index) }.next;
            index
        } else {
            if self.fresh as usize >= cells.len() {
                return None;
            }
            self.fresh += 1;
            Index(NonZeroU32::new(self.fresh)?)
        };
        self.used += 1;
        Some(index)
    }

    /// The caller's cell becomes free.
    ///
    /// # Safety
    /// As [`Lists::claim`]; the caller owns the cell, which is empty.
    #[inline(always)]
    pub(super) unsafe fn free<T>(&mut self, cells: &[Slot<T>], index: Index) {
        self.used -= 1;
        if self.used == 0 {
            // As if none had ever been used. So one that is mostly empty stays in its first cells, and
            // goes through no list.
            (self.free, self.fresh) = (None, 0);
            return;
        }
        let next = self.free;
        // SAFETY: Validity: a cell in no list. Aliasing: the lock is held.
        unsafe { change(cells, index, |links| links.next = next) };
        self.free = Some(index);
    }

    /// The number of the item that is published next.
    #[inline(always)]
    pub(super) fn number(&mut self) -> u32 {
        let number = self.sequence;
        self.sequence = number.wrapping_add(1);
        number
    }

    /// The item in the caller's cell has this number, and goes into no list.
    ///
    /// # Safety
    /// As [`Lists::claim`]; the caller owns the cell.
    #[inline(always)]
    pub(super) unsafe fn keep<T>(&mut self, cells: &[Slot<T>], index: Index, number: u32) {
        // SAFETY: Validity: a cell in no list. Aliasing: the lock is held.
        unsafe { change(cells, index, |links| links.sequence = number) };
    }

    /// The number of the item in a cell.
    ///
    /// # Safety
    /// As [`Lists::claim`].
    pub(super) unsafe fn number_of<T>(&self, cells: &[Slot<T>], index: Index) -> u32 {
        // SAFETY: Validity and Aliasing: by contract.
        unsafe { links(cells, index) }.sequence
    }

    /// The item in the caller's cell, with the number that was given last, is the last of the order.
    ///
    /// # Safety
    /// As [`Lists::claim`]; the caller owns the cell.
    #[inline(always)]
    pub(super) unsafe fn append<T>(&mut self, cells: &[Slot<T>], index: Index, number: u32) {
        // SAFETY: Validity: a cell in no list, and a member. Aliasing: the lock is held.
        unsafe {
            change(cells, index, |links| {
                *links = Links {
                    next: None,
                    sequence: number,
                };
            });
            match (self.first, self.last) {
                (Some(_), Some(last)) => change(cells, last, |links| links.next = Some(index)),
                _ => self.first = Some(index),
            }
        }
        self.last = Some(index);
        self.count += 1;
    }

    /// The first of the order becomes the caller's.
    ///
    /// # Safety
    /// As [`Lists::claim`].
    #[inline(always)]
    pub(super) unsafe fn take<T>(&mut self, cells: &[Slot<T>]) -> Option<Index> {
        let index = self.first?;
        self.count -= 1;
        self.first = if self.count == 0 {
            None
        } else {
            // SAFETY: Validity: a member. Aliasing: the lock is held.
            unsafe { links(cells, index) }.next
        };
        Some(index)
    }

    /// The first of the order, left there.
    #[inline(always)]
    pub(super) fn first(&self) -> Option<Index> {
        self.first
    }

    /// An item that was taken and not read goes back to its place (Q3): before the first that was
    /// published after it. Those before it came back, too: O(as many).
    ///
    /// # Safety
    /// As [`Lists::claim`]; the caller owns the cell, which has an item that has its number.
    pub(super) unsafe fn put_back<T>(&mut self, cells: &[Slot<T>], index: Index) {
        // SAFETY: Validity: a cell with an item, and members. Aliasing: the lock is held.
        unsafe {
            let number = links(cells, index).sequence;
            let (mut previous, mut next) = (None, self.first);
            while let Some(member) = next {
                let Links {
                    next: behind,
                    sequence,
                } = links(cells, member);
                // Wrapping: of two numbers that are less than half of all apart.
                if (number.wrapping_sub(sequence) as i32) < 0 {
                    break;
                }
                (previous, next) = (next, behind);
            }
            change(cells, index, |links| links.next = next);
            match previous {
                Some(previous) => change(cells, previous, |links| links.next = Some(index)),
                None => self.first = Some(index),
            }
            if next.is_none() {
                self.last = Some(index);
            }
        }
        self.count += 1;
    }

    /// Drops every item in the order; a panic of one goes on after the others.
    ///
    /// # Safety
    /// As [`Lists::claim`], and nobody else is left who knows the cells.
    pub(super) unsafe fn drop_all<T>(&mut self, cells: &[Slot<T>]) {
        struct Rest<'a, T>(&'a mut Lists, &'a [Slot<T>]);
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                // SAFETY: Validity and Aliasing: by contract.
                unsafe { self.0.drop_all(self.1) };
            }
        }
        let mut user = UserCode::new();
        // SAFETY: Validity and Aliasing: by contract.
        while let Some(index) = unsafe { self.take(cells) } {
            // (Without `std` a panic leaves the loop: then this goes on with it, U1.)
            let rest = Rest(self, cells);
            // SAFETY: Validity: it was in the order. Aliasing: nobody else is left.
            user.call(|| drop(unsafe { slot(cells, index).read() }));
            core::mem::forget(rest);
        }
        user.rethrow();
    }
}

/// # Safety
/// The lock of the cells' lists is held.
#[inline(always)]
unsafe fn links<T>(cells: &[Slot<T>], index: Index) -> Links {
    slot(cells, index).links.with(|links| {
        // SAFETY: Validity: initialised in `new`. Aliasing: the lock is held.
        unsafe { *links }
    })
}

/// # Safety
/// As [`links`].
#[inline(always)]
unsafe fn change<T>(cells: &[Slot<T>], index: Index, change: impl FnOnce(&mut Links)) {
    slot(cells, index).links.with_mut(|links| {
        // SAFETY: Validity: initialised in `new`. Aliasing: the lock is held.
        change(unsafe { &mut *links });
    });
}
