//! `Slot` against a holder, two queues and the rules of c01 to c13 written down plainly, for all three
//! policies.
//!
//! After every call: what it gave is what the model gives; the same waiters were woken, in the same
//! order; and the word says what the model says. Wakers come back (`try_claim`, then a drop) or panic,
//! holders go by a panic, futures and claims are forgotten.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use ecluse_core::{
    Barging, Claim, Handoff, Outcome, Refused, Revocable, Slot,
    claim::{Claiming, GrantId, Policy, Released, Revoking},
};

use super::kit::{Crowd, Log, Strike, Wakes, strike, struck};

/// One call. An index is taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    TryClaim,
    Claim(Strike),
    Watch(Strike),
    /// With the same waker, or a new one.
    Poll(usize, bool),
    Leave(usize),
    Abandon(usize),
    Forget(usize),
    Release,
    Drop,
    Panic,
    Keep,
    Revoke,
    Note,
    RevokeNoted,
    Close,
}

impl super::Call for Call {
    fn of([kind, a, b]: [u8; 3]) -> Self {
        let i = usize::from(a);
        match kind % 64 {
            0..=5 => Call::TryClaim,
            6..=15 => Call::Claim(Strike::of(a)),
            16..=20 => Call::Watch(Strike::of(a)),
            21..=33 => Call::Poll(i, b % 2 == 0),
            34..=37 => Call::Leave(i),
            38..=40 => Call::Abandon(i),
            41..=46 => Call::Release,
            47..=50 => Call::Drop,
            51..=52 => Call::Panic,
            53..=56 => Call::Revoke,
            57..=58 => Call::Note,
            59..=60 => Call::RevokeNoted,
            61 if b % 4 == 0 => Call::Forget(i),
            // One in 512; one in 256.
            62 if b % 8 == 0 => Call::Keep,
            63 if b % 4 == 0 => Call::Close,
            _ => Call::Poll(i, true),
        }
    }
}

const ABANDONED: Outcome = Outcome::Abandoned { by_panic: false };

/// What a waiter was told and has not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Claim(Option<Outcome>),
    Closed,
    Over(Outcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Claims,
    Watches,
}

#[derive(Default)]
struct Model {
    barging: bool,
    closed: bool,
    /// Claimed, or granted.
    held: bool,
    /// Whose grant is unobserved, and how many there were.
    grantee: Option<usize>,
    grants: usize,
    claimers: VecDeque<usize>,
    watchers: VecDeque<usize>,
    stalled: BTreeSet<usize>,
    told: BTreeMap<usize, Told>,
    wakes: Wakes,
}

impl Model {
    fn wake(&mut self, ids: impl IntoIterator<Item = usize>) {
        for id in ids {
            if self.wakes.wake(id) && self.try_claim().is_ok() {
                self.end(ABANDONED);
            }
        }
    }

    fn try_claim(&mut self) -> Result<(), Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        if self.held && !(self.barging && self.stall()) {
            return Err(Refused::Busy);
        }
        self.held = true;
        Ok(())
    }

    /// The unobserved grant is taken back.
    fn stall(&mut self) -> bool {
        let Some(id) = self.grantee.take() else {
            return false;
        };
        self.told.remove(&id);
        self.stalled.insert(id);
        true
    }

    fn grant(&mut self, inherited: Outcome) -> Option<usize> {
        let next = self.claimers.pop_front()?;
        self.told.insert(next, Told::Claim(Some(inherited)));
        self.grantee = Some(next);
        self.grants += 1;
        Some(next)
    }

    fn end(&mut self, outcome: Outcome) {
        self.pass(outcome, outcome);
    }

    /// The next one inherits; those who watch are told how it ended.
    fn pass(&mut self, inherited: Outcome, outcome: Outcome) {
        let watchers: Vec<_> = self.watchers.drain(..).collect();
        for id in &watchers {
            self.told.insert(*id, Told::Over(outcome));
        }
        let next = self.grant(inherited);
        self.held = next.is_some();
        self.wake(next.into_iter().chain(watchers));
    }

    fn revoke(&mut self) -> bool {
        if self.claimers.is_empty() || self.grantee.is_none() {
            return false;
        }
        let id = self.grantee.unwrap();
        let Some(Told::Claim(Some(inherited))) = self.told.get(&id).copied() else {
            panic!("a grant that was not told");
        };
        self.stall();
        let next = self.grant(inherited);
        self.wake(next);
        true
    }

    fn close(&mut self) -> bool {
        if std::mem::replace(&mut self.closed, true) {
            return false;
        }
        let claimers: Vec<_> = self.claimers.drain(..).collect();
        let watchers: Vec<_> = self.watchers.drain(..).collect();
        for id in &claimers {
            self.told.insert(*id, Told::Closed);
        }
        for id in &watchers {
            self.told.insert(*id, Told::Over(Outcome::Closed));
        }
        self.wake(claimers.into_iter().chain(watchers));
        true
    }

    fn poll(&mut self, id: usize, kind: Kind) -> Option<Told> {
        if let Some(told) = self.told.remove(&id) {
            if self.grantee == Some(id) {
                self.grantee = None;
            }
            return Some(told);
        }
        if self.claimers.contains(&id) || self.watchers.contains(&id) {
            return None;
        }
        let stalled = self.stalled.remove(&id);
        match kind {
            Kind::Claims => match self.try_claim() {
                Ok(()) => return Some(Told::Claim(None)),
                Err(Refused::Closed) => return Some(Told::Closed),
                Err(Refused::Busy) if stalled => self.claimers.push_front(id),
                Err(Refused::Busy) => self.claimers.push_back(id),
            },
            Kind::Watches if self.closed => return Some(Told::Over(Outcome::Closed)),
            Kind::Watches if !self.held => return Some(Told::Over(Outcome::Passed)),
            Kind::Watches => self.watchers.push_back(id),
        }
        None
    }

    /// What had come is given to who asks; or it is passed on.
    fn leave(&mut self, id: usize, asked: bool) -> Option<Told> {
        self.stalled.remove(&id);
        self.claimers.retain(|other| *other != id);
        self.watchers.retain(|other| *other != id);
        let told = self.told.remove(&id);
        if self.grantee == Some(id) {
            self.grantee = None;
        }
        if let (Some(Told::Claim(Some(inherited))), false) = (told, asked) {
            self.pass(inherited, ABANDONED);
        }
        told
    }
}

enum Waits<'a, P: Policy> {
    Claim(Pin<Box<Claiming<&'a Slot<P>>>>),
    Watch(Pin<Box<Released<&'a Slot<P>>>>),
}

impl<P: Policy> Waits<'_, P> {
    fn kind(&self) -> Kind {
        match self {
            Self::Claim(_) => Kind::Claims,
            Self::Watch(_) => Kind::Watches,
        }
    }
}

/// Taking grants back, where the policy allows it.
pub(crate) trait Revokes: Policy + Sized {
    const OVERTAKES: bool = false;
    fn revoke(_: &Slot<Self>) -> Option<bool> {
        None
    }
    fn unobserved(_: &Slot<Self>) -> Option<GrantId> {
        None
    }
    fn revoke_one(_: &Slot<Self>, _: GrantId) -> bool {
        false
    }
}

impl Revokes for Handoff {}

macro_rules! revokes {
    ($($policy:ident $barging:literal),*) => {$(
        impl Revokes for $policy {
            const OVERTAKES: bool = $barging;
            fn revoke(slot: &Slot<Self>) -> Option<bool> {
                Some(slot.revoke_unobserved())
            }
            fn unobserved(slot: &Slot<Self>) -> Option<GrantId> {
                slot.unobserved()
            }
            fn revoke_one(slot: &Slot<Self>, grant: GrantId) -> bool {
                slot.revoke(grant)
            }
        }
        const _: () = { fn revoking<P: Revoking>() {} let _ = revoking::<$policy>; };
    )*};
}
revokes!(Revocable false, Barging true);

struct Walk<'a, P: Policy> {
    slot: &'a Slot<P>,
    model: Model,
    waiters: Crowd<Waits<'a, P>>,
    claim: Option<Claim<&'a Slot<P>>>,
    noted: Option<(GrantId, usize)>,
}

impl<'a, P: Revokes> Walk<'a, P> {
    fn call(&mut self, call: Call) {
        match call {
            Call::TryClaim => {
                let expected = self.model.try_claim();
                let got = self.slot.try_claim();
                assert_eq!(got.as_ref().err(), expected.err().as_ref());
                self.take(got.ok(), None);
            }
            Call::Claim(strike) => {
                let wait = Waits::Claim(Box::pin(self.slot.claim()));
                self.enter(wait, strike);
            }
            Call::Watch(strike) => {
                let wait = Waits::Watch(Box::pin(self.slot.released()));
                self.enter(wait, strike);
            }
            Call::Poll(i, same) => {
                if let Some(i) = self.waiters.pick(i) {
                    self.poll(i, same);
                }
            }
            Call::Leave(i) => {
                if let Some(waiter) = self.waiters.take(i) {
                    self.model.leave(waiter.id, false);
                    let got = struck(|| drop(waiter.wait));
                    self.model.wakes.over(got);
                }
            }
            Call::Abandon(i) => {
                if let Some(waiter) = self.waiters.take(i) {
                    let expected = self.model.leave(waiter.id, true);
                    let (told, claim) = match waiter.wait {
                        Waits::Claim(mut wait) => claimed(wait.as_mut().try_abandon()),
                        Waits::Watch(mut wait) => {
                            (wait.as_mut().try_abandon().map(Told::Over), None)
                        }
                    };
                    assert_eq!(told, expected);
                    self.keep(claim);
                }
            }
            Call::Forget(i) => std::mem::forget(self.waiters.take(i)),
            Call::Release => self.end(Outcome::Done, Claim::release),
            Call::Drop => self.end(ABANDONED, drop),
            Call::Panic => {
                if let Some(claim) = self.claim.take() {
                    self.model.end(Outcome::Abandoned { by_panic: true });
                    // Of two panics the first goes on.
                    let got = struck(|| {
                        let _claim = claim;
                        strike()
                    });
                    assert!(got.is_none());
                    self.model.wakes.outdone();
                }
            }
            Call::Keep => std::mem::forget(self.claim.take()),
            Call::Revoke => {
                let got = struck(|| P::revoke(self.slot));
                if got != Some(None) {
                    let expected = self.model.revoke();
                    let got = self.model.wakes.over(got);
                    assert!(got.is_none_or(|got| got == Some(expected)));
                }
            }
            Call::Note => {
                let noted = P::unobserved(self.slot);
                assert!(noted.is_none() || self.model.grantee.is_some());
                self.noted = noted.map(|noted| (noted, self.model.grants));
            }
            Call::RevokeNoted => {
                if let Some((grant, count)) = self.noted {
                    let expected = count == self.model.grants && self.model.revoke();
                    let got = struck(|| P::revoke_one(self.slot, grant));
                    let got = self.model.wakes.over(got);
                    assert!(got.is_none_or(|got| got == expected));
                }
            }
            Call::Close => {
                let first = self.model.close();
                let got = struck(|| self.slot.close());
                let got = self.model.wakes.over(got);
                assert!(got.is_none_or(|got| got == first));
            }
        }
        self.compare();
    }

    fn end(&mut self, outcome: Outcome, end: impl FnOnce(Claim<&'a Slot<P>>)) {
        if let Some(claim) = self.claim.take() {
            self.model.end(outcome);
            let got = struck(|| end(claim));
            self.model.wakes.over(got);
        }
    }

    fn enter(&mut self, wait: Waits<'a, P>, strike: Strike) {
        let wakes = &mut self.model.wakes;
        if let Some(i) = self.waiters.enter(wakes, strike, |_| wait) {
            self.poll(i, true);
        }
    }

    fn poll(&mut self, i: usize, same: bool) {
        let waiter = self.waiters.member(i, same, &self.model.wakes);
        let expected = self.model.poll(waiter.id, waiter.wait.kind());
        let cx = &mut Context::from_waker(&waiter.waker);
        let (told, claim) = match &mut waiter.wait {
            Waits::Claim(wait) => match wait.as_mut().poll(cx) {
                Poll::Ready(got) => claimed(Some(got)),
                Poll::Pending => (None, None),
            },
            Waits::Watch(wait) => match wait.as_mut().poll(cx) {
                Poll::Ready(outcome) => (Some(Told::Over(outcome)), None),
                Poll::Pending => (None, None),
            },
        };
        assert_eq!(told, expected);
        if told.is_some() {
            self.waiters.remove(i);
        }
        self.keep(claim);
    }

    fn take(&mut self, claim: Option<Claim<&'a Slot<P>>>, inherited: Option<Outcome>) {
        if let Some(claim) = &claim {
            assert_eq!(claim.inherited(), inherited);
        }
        self.keep(claim);
    }

    fn keep(&mut self, claim: Option<Claim<&'a Slot<P>>>) {
        if claim.is_some() {
            assert!(self.claim.is_none(), "two claims at a time");
            self.claim = claim;
        }
    }

    fn compare(&self) {
        let (slot, model) = (self.slot, &self.model);
        self.waiters.log.agrees(&model.wakes.woken);
        assert_eq!(slot.is_claimed(), model.held);
        assert_eq!(slot.is_closed(), model.closed);
        let waits = !model.claimers.is_empty() || !model.watchers.is_empty();
        assert_eq!(slot.has_waiters(), waits);
    }
}

type Got<'a, P> = (Option<Told>, Option<Claim<&'a Slot<P>>>);

fn claimed<P: Policy>(got: Option<Result<Claim<&Slot<P>>, ecluse_core::Closed>>) -> Got<'_, P> {
    match got {
        None => (None, None),
        Some(Ok(claim)) => (Some(Told::Claim(claim.inherited())), Some(claim)),
        Some(Err(_)) => (Some(Told::Closed), None),
    }
}

pub(crate) fn walk<P: Revokes + 'static>(calls: &[Call]) {
    let slot = Arc::new(Slot::<P>::new());
    let back = Arc::downgrade(&slot);
    let mut walk = Walk {
        slot: &slot,
        model: Model {
            barging: P::OVERTAKES,
            ..Model::default()
        },
        waiters: Crowd::new(Log::new(move || {
            if let Some(slot) = back.upgrade() {
                drop(slot.try_claim());
            }
        })),
        claim: None,
        noted: None,
    };
    for &call in calls {
        walk.call(call);
    }
    walk.call(Call::Release);
    while !walk.waiters.is_empty() {
        walk.call(Call::Leave(0));
    }
}

/// The policy, calls.
pub(crate) fn run(bytes: &[u8]) {
    let ([policy], rest) = super::head(bytes);
    let walk = [walk::<Handoff>, walk::<Revocable>, walk::<Barging>][policy % 3];
    walk(&super::calls(rest));
}
