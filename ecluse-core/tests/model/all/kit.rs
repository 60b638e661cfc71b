//! What the newer models share: those who wait, and are polled by hand; who is woken, wakers that come
//! back or panic, calls that may panic.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex},
    task::{Wake, Waker},
};

/// Waiters at a time: few enough for one batch of wakes on a host, so that a waker that comes back
/// finds what the model says, however many are woken.
const CROWD: usize = 12;

/// What a waker does when it wakes, besides being written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    Not,
    Panics,
    /// It calls the object that it was woken by.
    ComesBack,
}

impl Strike {
    pub(super) fn of(byte: u8) -> Self {
        match byte % 8 {
            6 => Self::ComesBack,
            7 => Self::Panics,
            _ => Self::Not,
        }
    }
}

/// What a panic of ours says.
struct Struck;

/// A panic that calls no hook.
pub(super) fn strike() -> ! {
    resume_unwind(Box::new(Struck))
}

/// Whether `call` was struck; a panic of anybody else goes on.
pub(super) fn struck<R>(call: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Struck>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

/// What a waker that comes back does.
type Back = Arc<dyn Fn() + Send + Sync>;

/// Who was woken, in order.
#[derive(Clone)]
pub(super) struct Log {
    woken: Arc<Mutex<Vec<usize>>>,
    back: Back,
}

impl Log {
    pub(super) fn new(back: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            woken: Arc::default(),
            back: Arc::new(back),
        }
    }

    pub(super) fn waker(&self, id: usize, strike: Strike) -> Waker {
        Arc::new(Entry {
            log: self.clone(),
            id,
            strike,
        })
        .into()
    }

    pub(super) fn woken(&self) -> Vec<usize> {
        self.woken.lock().unwrap().clone()
    }

    #[track_caller]
    pub(super) fn agrees(&self, expected: &[usize]) {
        let woken = self.woken.lock().unwrap();
        assert_eq!(*woken, expected, "who was woken, in which order");
    }
}

struct Entry {
    log: Log,
    id: usize,
    strike: Strike,
}

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.log.woken.lock().unwrap().push(self.id);
        match self.strike {
            Strike::Not => {}
            Strike::Panics => strike(),
            Strike::ComesBack => (self.log.back)(),
        }
    }
}

/// Who is woken, as a model has it.
#[derive(Default)]
pub(super) struct Wakes {
    strikes: BTreeMap<usize, Strike>,
    pub(super) woken: Vec<usize>,
    struck: bool,
}

impl Wakes {
    pub(super) fn enter(&mut self, id: usize, strike: Strike) {
        self.strikes.insert(id, strike);
    }

    pub(super) fn strike(&self, id: usize) -> Strike {
        self.strikes[&id]
    }

    /// True: it comes back.
    pub(super) fn wake(&mut self, id: usize) -> bool {
        self.woken.push(id);
        let strike = self.strike(id);
        self.struck |= strike == Strike::Panics;
        strike == Strike::ComesBack
    }

    /// A call is over. It has panicked if one of those that it woke did.
    #[track_caller]
    pub(super) fn over<R>(&mut self, got: Option<R>) -> Option<R> {
        let struck = std::mem::take(&mut self.struck);
        assert_eq!(got.is_none(), struck, "a panic of a waker goes on, once");
        got
    }

    /// A poll is over of one who runs work of its own, which `panicked` or did not.
    #[track_caller]
    pub(super) fn ran<R>(&mut self, got: Option<R>, panicked: bool) -> Option<R> {
        if !panicked {
            return self.over(got);
        }
        assert!(got.is_none(), "its own panic goes on");
        self.outdone();
        None
    }

    /// A call is over that panicked by itself: of two panics the first goes on.
    pub(super) fn outdone(&mut self) {
        self.struck = false;
    }
}

/// One of those who wait.
pub(super) struct Member<W> {
    pub(super) id: usize,
    pub(super) waker: Waker,
    pub(super) wait: W,
}

/// Those who wait, in the order in which they came.
pub(super) struct Crowd<W> {
    pub(super) log: Log,
    ids: usize,
    members: Vec<Member<W>>,
}

impl<W> Crowd<W> {
    pub(super) fn new(log: Log) -> Self {
        Self {
            log,
            ids: 0,
            members: Vec::new(),
        }
    }

    /// One more comes, if there is room. Where it is, then.
    pub(super) fn enter(
        &mut self,
        wakes: &mut Wakes,
        strike: Strike,
        wait: impl FnOnce(usize) -> W,
    ) -> Option<usize> {
        if self.members.len() == CROWD {
            return None;
        }
        self.ids += 1;
        wakes.enter(self.ids, strike);
        self.members.push(Member {
            id: self.ids,
            waker: self.log.waker(self.ids, strike),
            wait: wait(self.ids),
        });
        Some(self.members.len() - 1)
    }

    /// Where one of them is: any number will do.
    pub(super) fn pick(&self, i: usize) -> Option<usize> {
        (!self.members.is_empty()).then(|| i % self.members.len())
    }

    pub(super) fn at(&self, i: usize) -> &Member<W> {
        &self.members[i]
    }

    /// One of them, to be polled: with the same waker, or another of its own.
    pub(super) fn member(&mut self, i: usize, same: bool, wakes: &Wakes) -> &mut Member<W> {
        let member = &mut self.members[i];
        if !same {
            member.waker = self.log.waker(member.id, wakes.strike(member.id));
        }
        member
    }

    pub(super) fn remove(&mut self, i: usize) -> Member<W> {
        self.members.remove(i)
    }

    /// One of them leaves.
    pub(super) fn take(&mut self, i: usize) -> Option<Member<W>> {
        self.pick(i).map(|i| self.remove(i))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}
