//! The ledger: every use of a tag that is not over yet, and what may be said about it.
//!
//! All of it is under the table's one lock. Entries name each other by their places; what waits for
//! an entry is the engine's.
//!
//! | phase | seat | a newcomer with its tag | a flush of it |
//! |---|---|---|---|
//! | `Running` | out | refused | tells it, waits |
//! | `Waiting`, `Turn` (a flush before its answer) | out | refused | ends it |
//! | `Replying` | out | takes the tag over, unless a flush of it still waits | waits |
//! | `Flushed` (a flush that was flushed) | out | as above | has its turn next |
//! | `Settled` (for the sake of its flushes) | dropped | as above | has its turn next |
//! | `Cleaning`, `Free` | – | – | – |
//!
//! Invariants:
//! - **K1** A tag of the present session leads to at most one entry. One that is taken over loses it:
//!   its client has seen the answer, or broke the rules and harms itself.
//! - **K2** A place is free when its seat is dropped, no flush counts on it (`flushes`), and nobody is
//!   about to cancel its scope (`tellers`). So a place that somebody knows is never another's.
//! - **K3** Of an entry's flushes one at a time has its turn or replies (`serving`), in the order of
//!   their calls, none before the entry was settled.
//! - **K4** An entry of another session than the ledger's is over: its seat gives nothing but `Over`,
//!   names no other entry, and frees its place.
//! - **K5** Whom a transition concerns is marked `due` in the same lock hold, if it is queued; whoever
//!   made the transition then wakes all that are due.

use super::places::Places;
use crate::{
    sync::Locked,
    wait::{Node, Ring, Source},
};
use core::task::Waker;

/// No place.
pub(super) const NONE: usize = usize::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Free,
    /// On its way to be free.
    Cleaning,
    Running,
    Waiting,
    Turn,
    Replying,
    Flushed,
    Settled,
}

/// One use of a tag.
pub struct Entry<T, S> {
    tag: Option<T>,
    scope: Option<S>,
    phase: Phase,
    /// A request: its client has flushed it …
    flushed: bool,
    /// … and no listener was told of it yet.
    untold: bool,
    serving: bool,
    due: bool,
    /// Its session is over, and it was told.
    swept: bool,
    session: u32,
    /// The number of the flush that this is, or of the first one of this request.
    order: u64,
    /// Whose end this flush waits for.
    on: usize,
    /// Flushes that count on this entry, and those of them that have not been allowed to answer.
    flushes: u32,
    waiting: u32,
    tellers: u32,
    /// Where the owner of the seat waits, if it is a flush.
    waiter: Ring<()>,
}

impl<T, S> Entry<T, S> {
    pub(super) const FREE: Self = Self {
        tag: None,
        scope: None,
        phase: Phase::Free,
        flushed: false,
        untold: false,
        serving: false,
        due: false,
        swept: false,
        session: 0,
        order: 0,
        on: NONE,
        flushes: 0,
        waiting: 0,
        tellers: 0,
        waiter: Ring::new(),
    };

    fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Flushed | Phase::Settled)
    }
}

/// Why a use was not begun, but for the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    InUse,
    Full,
    Over,
}

/// What an entry's owner may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Reply,
    Flushed,
    Over,
}

/// A flush that was entered.
pub(super) struct Entered<S> {
    /// [`NONE`] if there was nothing to enter.
    pub(super) place: usize,
    pub(super) told: Option<Told<S>>,
}

/// An entry whose scope is to be cancelled: it is kept for that (K2).
pub(super) struct Told<S> {
    pub(super) place: usize,
    pub(super) scope: Option<S>,
}

/// Places that came to be free in a lock hold: what is left to be done about them outside.
pub(super) struct Retired<'t, P: Places> {
    scopes: &'t P::Scopes,
    /// Not free before their scopes are fresh.
    pub(super) unclean: [Option<usize>; 2],
    /// To be dropped.
    spent: [Option<P::Scope>; 2],
}

impl<'t, P: Places> Retired<'t, P> {
    pub(super) fn new(scopes: &'t P::Scopes) -> Self {
        Self {
            scopes,
            unclean: [None; 2],
            spent: [None, None],
        }
    }

    pub(super) fn has_any(&self) -> bool {
        self.unclean[0].is_some()
    }
}

/// Puts `item` where there is room. (Two places retire at most: a flush's, and whose end it awaited.)
fn keep<I>(items: &mut [Option<I>; 2], item: Option<I>) {
    if item.is_some() {
        let [first, second] = items;
        *(if first.is_none() { first } else { second }) = item;
    }
}

/// What the table's lock protects.
pub struct Ledger<P: Places> {
    entries: P::Entries,
    session: u32,
    ended: bool,
    /// How many places are not free; all beyond `high` are.
    used: usize,
    high: usize,
    /// Numbers flushes.
    clock: u64,
    /// How many entries are due; how many listeners are to be woken.
    due: usize,
    calls: usize,
    untold: usize,
    /// Replies under way: of this session, of earlier ones.
    replying: usize,
    late: usize,
    lost: usize,
    pub(super) listeners: Ring<()>,
    pub(super) clearing: Ring<()>,
}

type Of<P> = Entry<<P as Places>::Tag, <P as Places>::Scope>;

impl<P: Places> Ledger<P> {
    pub(super) const fn new(entries: P::Entries) -> Self {
        Self {
            entries,
            session: 0,
            ended: false,
            used: 0,
            high: 0,
            clock: 0,
            due: 0,
            calls: 0,
            untold: 0,
            replying: 0,
            late: 0,
            lost: 0,
            listeners: Ring::new(),
            clearing: Ring::new(),
        }
    }

    fn entries(&self) -> impl Iterator<Item = &Of<P>> {
        P::entries(&self.entries).iter().take(self.high)
    }

    fn at(&mut self, place: usize) -> Option<&mut Of<P>> {
        P::entries_mut(&mut self.entries).get_mut(place)
    }

    fn is_present(&self, entry: &Of<P>) -> bool {
        entry.session == self.session && !matches!(entry.phase, Phase::Free | Phase::Cleaning)
    }

    /// Where the tag leads. `T::eq` runs here: nothing was changed yet.
    fn find(&self, tag: P::Tag) -> Option<usize> {
        self.entries()
            .position(|entry| entry.tag == Some(tag) && self.is_present(entry))
    }

    /// The entry whose tag a newcomer takes over, if there is one (K1).
    fn take_over(&self, tag: P::Tag) -> Result<Option<usize>, Refusal> {
        let Some(place) = self.find(tag) else {
            return Ok(None);
        };
        match P::entries(&self.entries).get(place) {
            Some(entry) if entry.waiting == 0 && entry.phase == Phase::Replying => Ok(Some(place)),
            Some(entry) if entry.waiting == 0 && entry.is_settled() => Ok(Some(place)),
            _ => Err(Refusal::InUse),
        }
    }

    fn has_room(&self, reserve: usize) -> bool {
        self.used.saturating_add(reserve) < P::entries(&self.entries).len()
    }

    /// Fills a free place; there is one.
    fn put(&mut self, filled: Of<P>, unnamed: Option<usize>) -> Result<usize, Refusal> {
        let free = P::entries(&self.entries)
            .iter()
            .position(|entry| entry.phase == Phase::Free)
            .ok_or(Refusal::Full)?;
        if let Some(entry) = unnamed.and_then(|place| self.at(place)) {
            entry.tag = None;
        }
        let session = self.session;
        if let Some(entry) = self.at(free) {
            // What was there has nothing to be dropped.
            core::mem::forget(core::mem::replace(entry, Entry { session, ..filled }));
        }
        self.used += 1;
        self.high = self.high.max(free + 1);
        Ok(free)
    }

    /// Enters a request. `scope` stays where it is if it is refused.
    pub(super) fn begin(
        &mut self,
        tag: P::Tag,
        scope: &mut Option<P::Scope>,
        reserve: usize,
    ) -> Result<usize, Refusal> {
        if self.ended {
            return Err(Refusal::Over);
        }
        let unnamed = self.take_over(tag)?;
        if !self.has_room(reserve) {
            return Err(Refusal::Full);
        }
        let request = Entry {
            tag: Some(tag),
            scope: scope.take(),
            phase: Phase::Running,
            ..Entry::FREE
        };
        self.put(request, unnamed)
    }

    /// Enters a flush of `old`, by its own tag or without one, and tells whom it names.
    pub(super) fn flush(
        &mut self,
        own: Option<P::Tag>,
        old: P::Tag,
        retired: &mut Retired<'_, P>,
    ) -> Result<Entered<P::Scope>, Refusal> {
        if self.ended {
            return Err(Refusal::Over);
        }
        let unnamed = match own {
            Some(own) => self.take_over(own)?,
            None => None,
        };
        let target = if own == Some(old) {
            None
        } else {
            self.find(old)
        };
        if own.is_none() && target.is_none() {
            return Ok(Entered {
                place: NONE,
                told: None,
            });
        }
        if !self.has_room(0) {
            return Err(Refusal::Full);
        }
        let order = self.clock;
        self.clock += 1;
        let flush = Entry {
            tag: own,
            phase: if target.is_some() {
                Phase::Waiting
            } else {
                Phase::Turn
            },
            order,
            on: target.unwrap_or(NONE),
            ..Entry::FREE
        };
        let place = self.put(flush, unnamed)?;
        let mut told = None;
        if let Some(target) = target {
            if let Some(entry) = self.at(target) {
                entry.flushes += 1;
                entry.waiting += 1;
            }
            told = self.aim(target, order, retired);
            self.serve(target);
        }
        Ok(Entered { place, told })
    }

    /// Tells `old` that its answer is not wanted any more. False if there is nobody to be told.
    pub(super) fn cancel(
        &mut self,
        old: P::Tag,
        retired: &mut Retired<'_, P>,
    ) -> (bool, Option<Told<P::Scope>>) {
        let Some(target) = self.find(old) else {
            return (false, None);
        };
        let order = self.clock;
        self.clock += 1;
        let found = self.at(target).is_some_and(|entry| {
            matches!(entry.phase, Phase::Running | Phase::Waiting | Phase::Turn)
        });
        let told = self.aim(target, order, retired);
        self.retire(target, retired);
        (found, told)
    }

    /// What a flush does to whom it names.
    fn aim(
        &mut self,
        target: usize,
        order: u64,
        retired: &mut Retired<'_, P>,
    ) -> Option<Told<P::Scope>> {
        let entry = self.at(target)?;
        match entry.phase {
            Phase::Running if !entry.flushed => {
                (entry.flushed, entry.untold, entry.order) = (true, true, order);
                entry.tellers += 1;
                let scope = entry.scope.clone();
                self.untold += 1;
                self.call_listener();
                Some(Told {
                    place: target,
                    scope,
                })
            }
            Phase::Waiting | Phase::Turn => {
                let had_turn = entry.phase == Phase::Turn;
                entry.phase = Phase::Flushed;
                let on = core::mem::replace(&mut entry.on, NONE);
                self.tell(target);
                self.give_up(on, true, had_turn, retired);
                self.serve(target);
                None
            }
            _ => None,
        }
    }

    /// A flush does not count on `on` any more.
    fn give_up(&mut self, on: usize, waited: bool, served: bool, retired: &mut Retired<'_, P>) {
        let Some(entry) = self.at(on) else {
            return;
        };
        entry.flushes -= 1;
        entry.waiting -= u32::from(waited);
        if served {
            entry.serving = false;
        }
        self.serve(on);
        self.retire(on, retired);
    }

    /// Gives the next flush of a settled entry its turn (K3).
    fn serve(&mut self, place: usize) {
        match self.at(place) {
            Some(entry) if entry.is_settled() && !entry.serving && entry.waiting > 0 => {}
            _ => return,
        }
        let waits = |entry: &Of<P>| {
            entry.on == place && entry.phase == Phase::Waiting && self.is_present(entry)
        };
        let next = self
            .entries()
            .enumerate()
            .filter(|(_, entry)| waits(entry))
            .min_by_key(|(_, entry)| entry.order)
            .map(|(next, _)| next);
        let Some(next) = next else {
            return;
        };
        if let Some(entry) = self.at(next) {
            entry.phase = Phase::Turn;
        }
        if let Some(entry) = self.at(place) {
            entry.serving = true;
        }
        self.tell(next);
    }

    /// There is news for the owner of this seat (K5).
    fn tell(&mut self, place: usize) {
        if let Some(entry) = self.at(place) {
            if !entry.waiter.is_empty() && !entry.due {
                entry.due = true;
                self.due += 1;
            }
        }
    }

    fn call_listener(&mut self) {
        if !self.listeners.is_empty() {
            self.calls += 1;
        }
    }

    /// A listener goes without having looked.
    pub(super) fn call_another(&mut self) {
        if self.untold > 0 {
            self.call_listener();
        }
    }

    /// Whether somebody is to be woken.
    pub(super) fn has_news(&self) -> bool {
        self.due > 0 || self.calls > 0
    }

    /// Asks for a request's reply.
    pub(super) fn reply(&mut self, place: usize, unless_flushed: bool) -> Verdict {
        let session = self.session;
        let Some(entry) = self.at(place) else {
            return Verdict::Over;
        };
        if entry.session != session {
            return Verdict::Over;
        }
        if unless_flushed && entry.flushed {
            return Verdict::Flushed;
        }
        entry.phase = Phase::Replying;
        let untold = core::mem::replace(&mut entry.untold, false);
        self.untold -= usize::from(untold);
        self.replying += 1;
        Verdict::Reply
    }

    /// Asks for a flush's answer, whose wait is over.
    pub(super) fn answer(&mut self, place: usize) -> Verdict {
        let session = self.session;
        let Some(entry) = self.at(place) else {
            return Verdict::Over;
        };
        if entry.session != session {
            return Verdict::Over;
        }
        if entry.phase != Phase::Turn {
            return Verdict::Flushed;
        }
        entry.phase = Phase::Replying;
        let on = entry.on;
        if let Some(entry) = self.at(on) {
            entry.waiting -= 1;
        }
        self.replying += 1;
        Verdict::Reply
    }

    /// Whether this seat's end is what those who wait for earlier sessions' replies wait for.
    pub(super) fn clears(&mut self, place: usize) -> bool {
        let session = self.session;
        self.late == 1
            && self
                .at(place)
                .is_some_and(|entry| entry.session != session && entry.phase == Phase::Replying)
    }

    /// A seat is dropped.
    pub(super) fn leave(&mut self, place: usize, retired: &mut Retired<'_, P>) {
        let session = self.session;
        let Some(entry) = self.at(place) else {
            return;
        };
        let phase = core::mem::replace(&mut entry.phase, Phase::Settled);
        if entry.session != session {
            self.late -= usize::from(phase == Phase::Replying);
            self.retire(place, retired);
            return;
        }
        let on = core::mem::replace(&mut entry.on, NONE);
        let untold = core::mem::replace(&mut entry.untold, false);
        let lost = phase == Phase::Running && !entry.flushed;
        self.untold -= usize::from(untold);
        self.lost += usize::from(lost);
        self.replying -= usize::from(phase == Phase::Replying);
        let waited = matches!(phase, Phase::Waiting | Phase::Turn);
        let served = matches!(phase, Phase::Turn | Phase::Replying);
        self.give_up(on, waited, served, retired);
        self.serve(place);
        self.retire(place, retired);
    }

    /// A scope was cancelled.
    pub(super) fn told(&mut self, place: usize, retired: &mut Retired<'_, P>) {
        if let Some(entry) = self.at(place) {
            entry.tellers -= 1;
        }
        self.retire(place, retired);
    }

    /// Frees a place that nobody needs any more (K2).
    fn retire(&mut self, place: usize, retired: &mut Retired<'_, P>) {
        let session = self.session;
        let Some(entry) = self.at(place) else {
            return;
        };
        let counted_on = entry.flushes > 0 && entry.session == session;
        if entry.phase != Phase::Settled || counted_on || entry.tellers > 0 {
            return;
        }
        entry.phase = Phase::Cleaning;
        let scope = entry.scope.take();
        if scope.is_none() || P::is_fresh(retired.scopes, place) {
            self.free(place);
        } else {
            keep(&mut retired.unclean, Some(place));
        }
        keep(&mut retired.spent, scope);
    }

    /// The place may be used again.
    pub(super) fn free(&mut self, place: usize) {
        if let Some(entry) = self.at(place) {
            entry.phase = Phase::Free;
            entry.tag = None;
        }
        self.used -= 1;
        while self.high > 0
            && P::entries(&self.entries)
                .get(self.high - 1)
                .is_some_and(|entry| entry.phase == Phase::Free)
        {
            self.high -= 1;
        }
    }

    /// Another session begins; everything in this one is over (K4).
    pub(super) fn turn_over(&mut self, ended: bool) {
        self.session = self.session.wrapping_add(1);
        self.ended = ended;
        self.late += core::mem::take(&mut self.replying);
        (self.untold, self.calls) = (0, 0);
    }

    /// The next entry, from `cursor` on, that has not been told that its session is over.
    pub(super) fn sweep(&mut self, cursor: &mut usize) -> Option<Told<P::Scope>> {
        let session = self.session;
        let high = self.high;
        while *cursor < high {
            let place = *cursor;
            *cursor += 1;
            let Some(entry) = self.at(place) else {
                continue;
            };
            let gone = matches!(entry.phase, Phase::Free | Phase::Cleaning);
            if gone || entry.session == session || entry.swept {
                continue;
            }
            entry.swept = true;
            entry.tellers += 1;
            let scope = entry.scope.clone();
            self.tell(place);
            return Some(Told { place, scope });
        }
        None
    }

    /// What a listener of `session` is to hear.
    pub(super) fn hear(&mut self, session: u32) -> Option<Result<P::Tag, ()>> {
        if self.is_over(session) {
            return Some(Err(()));
        }
        if self.untold == 0 {
            return None;
        }
        let (place, _) = self
            .entries()
            .enumerate()
            .filter(|(_, entry)| entry.untold && self.is_present(entry))
            .min_by_key(|(_, entry)| entry.order)?;
        let entry = self.at(place)?;
        entry.untold = false;
        let tag = entry.tag;
        self.untold -= 1;
        tag.map(Ok)
    }

    /// Whether a listener of `session` would hear something.
    pub(super) fn is_heard(&self, session: u32) -> bool {
        self.untold > 0 || self.is_over(session)
    }

    fn is_over(&self, session: u32) -> bool {
        self.ended || self.session != session
    }

    /// Where the owner of a flush's seat is to queue; `None` if its wait is over.
    pub(super) fn waiter(&mut self, place: usize) -> Option<&mut Ring<()>> {
        let session = self.session;
        self.at(place)
            .filter(|entry| entry.session == session && entry.phase == Phase::Waiting)
            .map(|entry| &mut entry.waiter)
    }

    /// Where the owner of a flush's seat is queued.
    pub(super) fn queue(&mut self, place: usize) -> Option<&mut Ring<()>> {
        self.at(place).map(|entry| &mut entry.waiter)
    }

    /// The owner of a seat does not queue any more.
    pub(super) fn unqueued(&mut self, place: usize) {
        if let Some(entry) = self.at(place) {
            let due = core::mem::replace(&mut entry.due, false);
            self.due -= usize::from(due);
        }
    }

    pub(super) fn is_flushed(&mut self, place: usize) -> bool {
        let session = self.session;
        self.at(place)
            .is_none_or(|entry| entry.flushed || entry.session != session)
    }

    pub(super) fn is_late(&self) -> bool {
        self.late > 0
    }

    pub(super) fn session(&self) -> u32 {
        self.session
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn lost(&self) -> usize {
        self.lost
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn capacity(&self) -> usize {
        P::entries(&self.entries).len()
    }

    /// Moves everything to `bigger`, which has only free places; gives what is to be dropped.
    pub(super) fn grow(&mut self, mut bigger: P::Entries) -> P::Entries {
        let now = P::entries_mut(&mut self.entries);
        let room = P::entries_mut(&mut bigger);
        if let Some(room) = room.get_mut(..now.len()) {
            now.swap_with_slice(room);
            core::mem::swap(&mut self.entries, &mut bigger);
        }
        bigger
    }
}

/// Those who are due.
pub(super) struct Due {
    pub(super) open: bool,
}

impl<P: Places> Source<Ledger<P>> for Due {
    fn is_open(&self) -> bool {
        self.open
    }

    unsafe fn next(&mut self, ledger: &mut Locked<Ledger<P>>) -> Option<Waker> {
        let found = if ledger.due > 0 {
            let place = ledger.entries().position(|entry| entry.due)?;
            ledger.unqueued(place);
            // SAFETY: Validity: a member of its ring, live until its grant. Aliasing: the lock is
            // held.
            ledger.queue(place).and_then(|ring| unsafe { ring.pop() })
        } else if ledger.calls > 0 {
            ledger.calls -= 1;
            // SAFETY: as above.
            unsafe { ledger.listeners.pop() }
        } else {
            None
        };
        self.open = ledger.has_news();
        // SAFETY: Validity: just unlinked. Aliasing: the lock is held.
        found.map(|waiter| unsafe { Node::grant(waiter, ()) })
    }
}
