//! A table of requests against lists and the rules of t01 to t08 written down plainly.
//!
//! The model knows uses of tags by number, and for each the flushes of it in the order of their calls.
//! A flush may answer if its request is settled and it is the first of them; it stays the first until
//! its answer was sent. After every call: each wait is ready or pending as the model says; whoever came
//! to be ready was woken once, and nobody else; scopes, lengths and refusals agree.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake},
};

use ecluse_core::{
    FlushTable,
    cancel::{Abandon, Kind},
    flush::{
        Cleared, Flush, Flushed, GrowingFlushTable, NotBegun, NotReplied, Over, Places, Reply,
        Request, Table, Unanswered,
    },
};

/// One call. An index is taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Begin(u8),
    FlushAs(u8, u8),
    Flush(u8),
    Cancel(u8),
    Reply(usize),
    ReplyUnlessFlushed(usize),
    DropRequest(usize),
    PollFlush(usize),
    DropFlush(usize),
    Abandon(usize),
    Sent(usize),
    Listen,
    PollListener(usize),
    DropListener(usize),
    Clear,
    PollCleared(usize),
    Reset,
    End,
}

const PLACES: usize = 6;

impl super::Call for Call {
    fn of([kind, a, b]: [u8; 3]) -> Self {
        let (tag, other, i) = (a % 5, b % 5, a as usize);
        match kind % 64 {
            0..=11 => Call::Begin(tag),
            12..=23 => Call::FlushAs(tag, other),
            24..=25 => Call::Flush(tag),
            26..=27 => Call::Cancel(tag),
            28..=31 => Call::Reply(i),
            32..=33 => Call::ReplyUnlessFlushed(i),
            34..=37 => Call::DropRequest(i),
            38..=46 => Call::PollFlush(i),
            47..=48 => Call::DropFlush(i),
            49 => Call::Abandon(i),
            50..=56 => Call::Sent(i),
            57 => Call::Listen,
            58 => Call::PollListener(i),
            59 => Call::DropListener(i),
            60 => Call::Clear,
            61 => Call::PollCleared(i),
            // One in 128; one in 512.
            62 if b % 2 == 0 => Call::Reset,
            63 if b % 8 == 0 => Call::End,
            _ => Call::PollFlush(b as usize),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Running,
    Waiting,
    Replying,
    Settled,
}

#[derive(Debug)]
struct Use {
    tag: Option<u8>,
    session: usize,
    state: State,
    /// Somebody has its request, flush or reply in hand.
    held: bool,
    flushed: bool,
    /// A flush: of whom.
    of: Option<usize>,
    /// Who flushed it, in order, and has not been answered.
    flushes: Vec<usize>,
}

#[derive(Default)]
struct Model {
    uses: BTreeMap<usize, Use>,
    ids: usize,
    session: usize,
    ended: bool,
    /// Flushed, not told to a listener, in order.
    untold: Vec<usize>,
    lost: usize,
}

type Answer = Result<(), Unanswered>;

impl Model {
    fn find(&self, tag: u8) -> Option<usize> {
        let named = |(_, one): &(&usize, &Use)| {
            let over = one.state == State::Settled && !one.held && one.flushes.is_empty();
            one.tag == Some(tag) && one.session == self.session && !over
        };
        self.uses.iter().find(named).map(|(id, _)| *id)
    }

    /// Nothing about it was allowed yet, or a flush of it still waits.
    fn in_use(&self, id: usize) -> bool {
        let one = &self.uses[&id];
        matches!(one.state, State::Running | State::Waiting)
            || one
                .flushes
                .iter()
                .any(|flush| self.uses[flush].state == State::Waiting)
    }

    fn places(&self) -> usize {
        let takes =
            |one: &&Use| one.held || (one.session == self.session && !one.flushes.is_empty());
        self.uses.values().filter(takes).count()
    }

    fn late(&self) -> usize {
        let late = |one: &&Use| one.state == State::Replying && one.session != self.session;
        self.uses.values().filter(late).count()
    }

    fn take_over(&mut self, tag: u8) -> Result<Option<usize>, NotBegun<u8>> {
        match self.find(tag) {
            Some(id) if self.in_use(id) => Err(NotBegun::InUse(tag)),
            found => Ok(found),
        }
    }

    fn put(
        &mut self,
        tag: Option<u8>,
        state: State,
        of: Option<usize>,
        old: Option<usize>,
    ) -> usize {
        if let Some(old) = old {
            self.uses.get_mut(&old).unwrap().tag = None;
        }
        self.ids += 1;
        let fresh = Use {
            tag,
            session: self.session,
            state,
            held: true,
            flushed: false,
            of,
            flushes: Vec::new(),
        };
        self.uses.insert(self.ids, fresh);
        self.ids
    }

    fn begin(&mut self, tag: u8) -> Result<usize, NotBegun<u8>> {
        if self.ended {
            return Err(NotBegun::Over);
        }
        let old = self.take_over(tag)?;
        if self.places() + 1 >= PLACES {
            return Err(NotBegun::Full);
        }
        Ok(self.put(Some(tag), State::Running, None, old))
    }

    /// `None`: nothing is entered.
    fn flush(&mut self, own: Option<u8>, old: u8) -> Result<Option<usize>, NotBegun<u8>> {
        if self.ended {
            return Err(NotBegun::Over);
        }
        let taken = match own {
            Some(own) => self.take_over(own)?,
            None => None,
        };
        let target = if own == Some(old) {
            None
        } else {
            self.find(old)
        };
        if own.is_none() && target.is_none() {
            return Ok(None);
        }
        if self.places() >= PLACES {
            return Err(NotBegun::Full);
        }
        let flush = self.put(own, State::Waiting, target, taken);
        if let Some(target) = target {
            self.uses.get_mut(&target).unwrap().flushes.push(flush);
            self.tell(target);
        }
        Ok(Some(flush))
    }

    fn tell(&mut self, target: usize) {
        let one = self.uses.get_mut(&target).unwrap();
        match one.state {
            State::Running if !one.flushed => {
                one.flushed = true;
                self.untold.push(target);
            }
            State::Waiting => {
                one.state = State::Settled;
                self.unlist(target);
            }
            _ => {}
        }
    }

    /// This flush counts on nobody any more.
    fn unlist(&mut self, flush: usize) {
        if let Some(of) = self.uses.get_mut(&flush).unwrap().of.take() {
            if let Some(of) = self.uses.get_mut(&of) {
                of.flushes.retain(|other| *other != flush);
            }
        }
    }

    /// What a poll of this flush gives.
    fn answer(&self, flush: usize) -> Option<Answer> {
        let one = &self.uses[&flush];
        if one.session != self.session {
            return Some(Err(Unanswered::Over));
        }
        if one.state == State::Settled {
            return Some(Err(Unanswered::Flushed));
        }
        let turn = one.of.is_none_or(|of| {
            let of = &self.uses[&of];
            of.state == State::Settled && of.flushes[0] == flush
        });
        turn.then_some(Ok(()))
    }

    /// Whoever had it in hand let it go.
    fn drop(&mut self, id: usize) {
        let one = self.uses.get_mut(&id).unwrap();
        one.held = false;
        if one.state == State::Running && !one.flushed && one.session == self.session {
            self.lost += 1;
        }
        one.state = State::Settled;
        self.untold.retain(|other| *other != id);
        self.unlist(id);
    }

    fn turn_over(&mut self, ended: bool) {
        self.session += 1;
        self.ended = ended;
        self.untold.clear();
    }
}

#[derive(Default)]
struct Log(Mutex<Vec<usize>>);

struct Entry(Arc<Log>, usize);

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.0.0.lock().unwrap().push(self.1);
    }
}

type Boxed<F> = Pin<Box<F>>;
/// A flush, and the request that it found.
type Asked<'a, P> = (Option<usize>, Boxed<Flush<&'a Table<P>>>);
/// A listener, with its waker and the session that it belongs to.
type Listener<'a, P> = (usize, usize, Boxed<Flushed<&'a Table<P>>>);

struct Walk<'a, P: Places<Tag = u8>> {
    table: &'a Table<P>,
    model: Model,
    log: Arc<Log>,
    wakers: usize,
    requests: Vec<(usize, Request<&'a Table<P>>)>,
    flushes: Vec<Asked<'a, P>>,
    replies: Vec<(Option<usize>, Reply<&'a Table<P>>)>,
    listeners: Vec<Listener<'a, P>>,
    cleared: Vec<(usize, Boxed<Cleared<&'a Table<P>>>)>,
    /// Who waits by which waker for what to come.
    queued: BTreeMap<usize, Awaited>,
    /// Listeners that were woken and have not looked since.
    woken: BTreeSet<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Awaited {
    Turn(usize),
    News(usize),
    Cleared,
}

fn pick<T>(of: &[T], i: usize) -> Option<usize> {
    (!of.is_empty()).then(|| i % of.len())
}

impl<'a, P: Places<Tag = u8>> Walk<'a, P> {
    fn call(&mut self, call: Call) {
        match call {
            Call::Begin(tag) => {
                let expected = self.model.begin(tag);
                let got = self.table.begin(tag);
                assert_eq!(got.as_ref().err(), expected.as_ref().err());
                if let (Ok(id), Ok(request)) = (expected, got) {
                    self.requests.push((id, request));
                }
            }
            Call::FlushAs(own, old) => {
                let expected = self.model.flush(Some(own), old);
                let got = self.table.flush_as(own, old);
                self.flushed(expected, got);
            }
            Call::Flush(old) => {
                let expected = self.model.flush(None, old);
                let got = self.table.flush(old);
                self.flushed(expected, got);
            }
            Call::Cancel(tag) => {
                let target = self.model.find(tag);
                let found = target.is_some_and(|id| {
                    matches!(self.model.uses[&id].state, State::Running | State::Waiting)
                });
                if let Some(target) = target {
                    self.model.tell(target);
                }
                assert_eq!(self.table.cancel(tag), found);
            }
            Call::Reply(i) => {
                if let Some(i) = pick(&self.requests, i) {
                    let (id, request) = self.requests.swap_remove(i);
                    let over = self.model.uses[&id].session != self.model.session;
                    let got = request.reply();
                    assert_eq!(got.as_ref().err(), over.then_some(&Over));
                    self.replied(id, got.ok());
                }
            }
            Call::ReplyUnlessFlushed(i) => {
                if let Some(i) = pick(&self.requests, i) {
                    let (id, request) = self.requests.swap_remove(i);
                    let one = &self.model.uses[&id];
                    let (over, flushed) = (one.session != self.model.session, one.flushed);
                    match request.reply_unless_flushed() {
                        Ok(reply) => {
                            assert!(!over && !flushed);
                            self.replied(id, Some(reply));
                        }
                        Err(NotReplied::Over) => {
                            assert!(over);
                            self.replied(id, None);
                        }
                        Err(NotReplied::Flushed(request)) => {
                            assert!(flushed && !over);
                            self.requests.push((id, request));
                        }
                    }
                }
            }
            Call::DropRequest(i) => {
                if let Some(i) = pick(&self.requests, i) {
                    let (id, request) = self.requests.swap_remove(i);
                    self.model.drop(id);
                    drop(request);
                }
            }
            Call::PollFlush(i) => {
                if let Some(i) = pick(&self.flushes, i) {
                    self.poll_flush(i);
                }
            }
            Call::DropFlush(i) => {
                if let Some(i) = pick(&self.flushes, i) {
                    let (id, flush) = self.flushes.swap_remove(i);
                    self.leave(id);
                    drop(flush);
                }
            }
            Call::Abandon(i) => {
                if let Some(i) = pick(&self.flushes, i) {
                    let (id, mut flush) = self.flushes.swap_remove(i);
                    let expected = id.map_or(Some(Ok(())), |id| self.model.answer(id));
                    self.unqueue(id);
                    let got = flush.as_mut().abandon();
                    assert_eq!(
                        got.as_ref()
                            .map(|got| got.as_ref().map(drop).map_err(|e| *e)),
                        expected
                    );
                    self.concluded(id, got.map(Result::ok).unwrap_or_default());
                }
            }
            Call::Sent(i) => {
                if let Some(i) = pick(&self.replies, i) {
                    let (id, reply) = self.replies.remove(i);
                    if let Some(id) = id {
                        self.model.drop(id);
                    }
                    reply.sent();
                }
            }
            Call::Listen => {
                self.wakers += 1;
                let listener = Box::pin(self.table.flushed());
                self.listeners
                    .push((self.wakers, self.model.session, listener));
                self.poll_listener(self.listeners.len() - 1);
            }
            Call::PollListener(i) => {
                if let Some(i) = pick(&self.listeners, i) {
                    self.poll_listener(i);
                }
            }
            Call::DropListener(i) => {
                if let Some(i) = pick(&self.listeners, i) {
                    let (waker, _, listener) = self.listeners.swap_remove(i);
                    self.queued.remove(&waker);
                    self.woken.remove(&waker);
                    drop(listener);
                }
            }
            Call::Clear => {
                self.wakers += 1;
                self.cleared
                    .push((self.wakers, Box::pin(self.table.cleared())));
                self.poll_cleared(self.cleared.len() - 1);
            }
            Call::PollCleared(i) => {
                if let Some(i) = pick(&self.cleared, i) {
                    self.poll_cleared(i);
                }
            }
            Call::Reset => {
                self.model.turn_over(false);
                self.table.reset(Kind::Explicit);
            }
            Call::End => {
                self.model.turn_over(true);
                self.table.end(Kind::Shutdown);
            }
        }
        self.compare();
    }

    fn flushed(
        &mut self,
        expected: Result<Option<usize>, NotBegun<u8>>,
        got: Result<Flush<&'a Table<P>>, NotBegun<u8>>,
    ) {
        assert_eq!(got.as_ref().err(), expected.as_ref().err());
        if let (Ok(id), Ok(flush)) = (expected, got) {
            self.flushes.push((id, Box::pin(flush)));
        }
    }

    fn replied(&mut self, id: usize, reply: Option<Reply<&'a Table<P>>>) {
        match reply {
            Some(reply) => {
                self.model.uses.get_mut(&id).unwrap().state = State::Replying;
                self.model.untold.retain(|other| *other != id);
                self.replies.push((Some(id), reply));
            }
            None => self.model.drop(id),
        }
    }

    fn unqueue(&mut self, id: Option<usize>) {
        self.queued
            .retain(|_, awaited| !matches!(awaited, Awaited::Turn(of) if Some(*of) == id));
    }

    fn leave(&mut self, id: Option<usize>) {
        self.unqueue(id);
        if let Some(id) = id {
            self.model.drop(id);
        }
    }

    fn concluded(&mut self, id: Option<usize>, reply: Option<Reply<&'a Table<P>>>) {
        match (id, reply) {
            (id, Some(reply)) => {
                if let Some(id) = id {
                    self.model.uses.get_mut(&id).unwrap().state = State::Replying;
                }
                self.replies.push((id, reply));
            }
            (id, None) => self.leave(id),
        }
    }

    fn waker(&mut self, number: usize) -> std::task::Waker {
        Arc::new(Entry(self.log.clone(), number)).into()
    }

    fn poll_flush(&mut self, i: usize) {
        let id = self.flushes[i].0;
        let expected = id.map_or(Some(Ok(())), |id| self.model.answer(id));
        self.unqueue(id);
        self.wakers += 1;
        let number = self.wakers;
        let waker = self.waker(number);
        match self.flushes[i]
            .1
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
        {
            Poll::Pending => {
                assert_eq!(expected, None);
                self.queued.insert(number, Awaited::Turn(id.unwrap()));
            }
            Poll::Ready(got) => {
                assert_eq!(Some(got.as_ref().map(drop).map_err(|why| *why)), expected);
                drop(self.flushes.swap_remove(i));
                self.concluded(id, got.ok());
            }
        }
    }

    fn poll_listener(&mut self, i: usize) {
        let (number, session, _) = self.listeners[i];
        let was_queued = self.queued.remove(&number).is_some();
        self.woken.remove(&number);
        let over = self.model.ended || session != self.model.session;
        let waker = self.waker(number);
        let got = self.listeners[i]
            .2
            .as_mut()
            .poll(&mut Context::from_waker(&waker));
        match got {
            Poll::Pending => {
                // One that is queued leaves it to the one that was woken.
                let another = was_queued && !self.woken.is_empty();
                assert!(!over && (self.model.untold.is_empty() || another));
                self.queued.insert(number, Awaited::News(session));
            }
            Poll::Ready(got) => {
                let expected = if over {
                    Err(Over)
                } else {
                    let first = self.model.untold.remove(0);
                    Ok(self.model.uses[&first].tag.unwrap())
                };
                assert_eq!(got, expected);
                drop(self.listeners.swap_remove(i));
            }
        }
    }

    fn poll_cleared(&mut self, i: usize) {
        let number = self.cleared[i].0;
        let granted = !self.queued.contains_key(&number);
        let waker = self.waker(number);
        let ready = self.cleared[i]
            .1
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready();
        // Once it was told, a later reset does not concern it.
        if ready {
            assert!(self.model.late() == 0 || granted);
            self.queued.remove(&number);
            drop(self.cleared.swap_remove(i));
        } else {
            assert!(self.model.late() > 0);
            self.queued.insert(number, Awaited::Cleared);
        }
    }

    fn compare(&mut self) {
        let model = &self.model;
        assert_eq!(self.table.len(), model.places());
        assert_eq!(self.table.lost(), model.lost);
        for (id, request) in &self.requests {
            let one = &model.uses[id];
            let told = one.flushed || one.session != model.session;
            assert_eq!(request.is_flushed(), told);
            assert_eq!(request.cx().is_cancelled(), told);
        }
        let mut woken = core::mem::take(&mut *self.log.0.lock().unwrap());
        woken.sort_unstable();
        let mut expected = Vec::new();
        let mut listeners = 0;
        for (number, awaited) in &self.queued {
            match awaited {
                Awaited::Turn(id) if model.answer(*id).is_some() => expected.push(*number),
                Awaited::Cleared if model.late() == 0 => expected.push(*number),
                Awaited::News(session) if model.ended || *session != model.session => {
                    expected.push(*number);
                }
                Awaited::News(_) => {
                    listeners += 1;
                    if woken.contains(number) {
                        expected.push(*number);
                        self.woken.insert(*number);
                    }
                }
                _ => {}
            }
        }
        assert_eq!(woken, expected, "who was woken");
        assert!(
            model.untold.is_empty() || listeners == 0 || !self.woken.is_empty(),
            "a flush that nobody will hear of"
        );
        for number in woken {
            self.queued.remove(&number);
        }
    }
}

pub(crate) fn walk<P: Places<Tag = u8>>(table: &Table<P>, calls: &[Call]) {
    let mut walk = Walk {
        table,
        model: Model::default(),
        log: Arc::default(),
        wakers: 0,
        requests: Vec::new(),
        flushes: Vec::new(),
        replies: Vec::new(),
        listeners: Vec::new(),
        cleared: Vec::new(),
        queued: BTreeMap::new(),
        woken: BTreeSet::new(),
    };
    for &call in calls {
        walk.call(call);
    }
    let Walk {
        requests,
        flushes,
        replies,
        ..
    } = walk;
    drop(replies);
    drop(flushes);
    drop(requests);
    assert!(table.is_empty(), "a place is missing at the end");
}

pub(crate) fn in_place() -> FlushTable<u8, PLACES> {
    FlushTable::new().with_reserve(1)
}

pub(crate) fn growing() -> GrowingFlushTable<u8> {
    GrowingFlushTable::new().with_limit(PLACES).with_reserve(1)
}

/// Which table, calls.
pub(crate) fn run(bytes: &[u8]) {
    let ([grows], rest) = super::head(bytes);
    let calls = super::calls(rest);
    if grows % 2 == 0 {
        walk(&in_place(), &calls);
    } else {
        walk(&growing(), &calls);
    }
}
