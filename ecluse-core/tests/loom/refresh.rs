//! Refreshers: readers beside a publication, both sides of the shelf written while two read, refusals
//! beside a landing, minters that are lost or wait for late readers.
//!
//! Every access to `version` is Relaxed (X3 says why that is enough). So these models look at what is
//! told by values and gates, and at what coherence alone must give: nobody goes back.

use core::{
    future::{Future, pending},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    task::Poll,
    time::Duration,
};
use std::{pin::pin, sync::Arc};

use ecluse_core::{
    Refresher,
    refresh::{Current, Minted, Policy, Reader},
    runtime::Clock,
};

use crate::kit::{Data, block_on, models, poll, spawn};

models!(
    peek_meets_publication,
    stale_hint_hides_no_later_value,
    both_sides_are_written_beside_a_reader,
    late_reader_is_waited_for,
    late_reader_leaves_as_the_writer_looks,
    waiting_minter_is_dropped,
    old_value_is_dropped_beside_a_reader,
    refusal_meets_landing,
    two_refuse_one_value,
    refused_value_does_not_come_back,
    reader_does_not_go_back,
    minters_follow_each_other,
    lost_minter_meets_joining_follower,
    follower_sees_what_was_minted,
);

const LIFE: Duration = Duration::from_secs(100);
/// What was minted at 0 is due, and valid.
const DUE: u64 = 95;

const POLICY: Policy = Policy::new()
    .early(Duration::from_secs(10))
    .entropy(|| u64::MAX);

/// Not seen by loom, so it adds no order.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn set(&self, now: u64) {
        self.0.store(now, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    type Instant = u64;

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn after(&self, from: u64, by: Duration) -> u64 {
        from + by.as_secs()
    }
}

/// A value with something in it that was written by who minted it.
struct Token(Arc<Data>);

impl Token {
    fn new(number: usize) -> Self {
        let data = Data::new();
        (0..number).for_each(|_| data.add());
        Self(Arc::new(data))
    }

    fn number(&self) -> usize {
        self.0.get()
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        self.number();
        Self(self.0.clone())
    }
}

type Cache = Refresher<Token, (), Hand>;

struct Shared {
    cache: Cache,
    clock: Hand,
    mints: AtomicUsize,
    /// Touched by one mint after another.
    data: Data,
}

fn number(current: &Current<Token>) -> usize {
    current.value.number()
}

impl Shared {
    /// Without a value.
    fn empty() -> Arc<Self> {
        let clock = Hand::default();
        Arc::new(Self {
            cache: Refresher::new(clock.clone(), POLICY),
            clock,
            mints: AtomicUsize::new(0),
            data: Data::new(),
        })
    }

    /// With value 1, which is due.
    fn due() -> Arc<Self> {
        let shared = Self::empty();
        assert_eq!(number(&shared.renew()), 1);
        shared.clock.set(DUE);
        shared
    }

    /// Mints the next number at once.
    async fn mint(&self) -> Result<Minted<Token>, ()> {
        self.data.add();
        let number = self.mints.fetch_add(1, Ordering::SeqCst) + 1;
        let token = Token::new(number);
        self.data.add();
        Ok(Minted::expires_in(token, LIFE))
    }

    fn get(
        &self,
    ) -> impl Future<Output = Result<Current<Token>, ecluse_core::refresh::NoValue<()>>> {
        self.cache.get(|| self.mint())
    }

    fn renew(&self) -> Current<Token> {
        block_on(self.get()).unwrap()
    }

    fn peek(&self) -> Option<usize> {
        self.cache.peek().as_ref().map(number)
    }
}

/// r01: there is a valid value all the time, and whoever is told the new one sees it.
fn peek_meets_publication() {
    let shared = Shared::due();
    let minter = spawn({
        let shared = shared.clone();
        move || assert_eq!(number(&shared.renew()), 2)
    });
    let seen = shared.peek();
    assert!(matches!(seen, Some(1 | 2)), "{seen:?}");
    minter.join().unwrap();
    assert_eq!(shared.peek(), Some(2));
}

/// r01: a look that is led to a value that has expired meanwhile finds the later one.
fn stale_hint_hides_no_later_value() {
    let shared = Shared::due();
    let reader = spawn({
        let shared = shared.clone();
        move || assert!(shared.peek().is_some())
    });
    shared.renew();
    // Value 1 has expired, and value 2 has not.
    shared.clock.set(2 * DUE);
    reader.join().unwrap();
}

/// B1, B2: a side is written while nobody is in it, though hints lead there.
fn both_sides_are_written_beside_a_reader() {
    let shared = Shared::due();
    let reader = spawn({
        let shared = shared.clone();
        move || {
            let first = shared.peek().unwrap();
            let second = shared.peek().unwrap();
            assert!(first <= second, "{first} {second}");
        }
    });
    assert_eq!(number(&shared.renew()), 2);
    shared.clock.set(2 * DUE);
    assert_eq!(number(&shared.renew()), 3);
    reader.join().unwrap();
    assert_eq!(shared.peek(), Some(3));
}

/// B3: who leaves lets the writer in, which comes after what it read.
fn late_reader_is_waited_for() {
    let shared = Shared::due();
    let reader = spawn({
        let shared = shared.clone();
        move || drop(shared.cache.peek())
    });
    shared.renew();
    shared.clock.set(2 * DUE);
    shared.renew();
    reader.join().unwrap();
    assert_eq!(shared.peek(), Some(3));
}

/// B2: the same the other way round: it leaves, and nothing else orders it, just as the writer looks.
fn late_reader_leaves_as_the_writer_looks() {
    let shared = Shared::due();
    let writer = spawn({
        let shared = shared.clone();
        move || {
            shared.renew();
            shared.clock.set(2 * DUE);
            shared.renew();
        }
    });
    drop(shared.cache.peek());
    writer.join().unwrap();
    assert_eq!(shared.peek(), Some(3));
}

/// A minter that is dropped while it waits for a late reader leaves everything as it was.
fn waiting_minter_is_dropped() {
    let shared = Shared::due();
    let reader = spawn({
        let shared = shared.clone();
        move || assert!(shared.peek().is_some())
    });
    shared.renew();
    shared.clock.set(2 * DUE);
    let before = {
        let mut minter = pin!(shared.get());
        match poll(minter.as_mut()) {
            Poll::Ready(got) => number(&got.unwrap()),
            Poll::Pending => 2,
        }
    };
    assert_eq!(shared.peek(), Some(before));
    reader.join().unwrap();
    shared.clock.set(3 * DUE);
    let last = number(&shared.renew());
    assert_eq!(last, shared.mints.load(Ordering::SeqCst));
    assert_eq!(shared.peek(), Some(last));
}

/// What was replaced is taken off, unless one is reading it; then the next that is put there is.
fn old_value_is_dropped_beside_a_reader() {
    let shared = Shared::empty();
    let first = shared.renew();
    shared.clock.set(DUE);
    let reader = spawn({
        let shared = shared.clone();
        move || drop(shared.cache.peek())
    });
    shared.renew();
    reader.join().unwrap();
    shared.clock.set(2 * DUE);
    shared.renew();
    shared.clock.set(3 * DUE);
    shared.renew();
    assert_eq!(Arc::strong_count(&first.value.0), 1);
}

/// r05: a late refusal of the value before does not touch the one that has landed.
fn refusal_meets_landing() {
    let shared = Shared::due();
    let first = shared.cache.snapshot().version;
    let minter = spawn({
        let shared = shared.clone();
        move || number(&shared.renew())
    });
    let refused = shared.cache.invalidate(first);
    if refused {
        assert_ne!(shared.peek(), Some(1));
    }
    assert_eq!(minter.join().unwrap(), 2);
    assert_eq!(shared.peek(), Some(2));
    assert!(!shared.cache.invalidate(first));
}

/// Of two who refuse the same value one does.
fn two_refuse_one_value() {
    let shared = Shared::due();
    let first = shared.cache.snapshot().version;
    let other = spawn({
        let shared = shared.clone();
        move || shared.cache.invalidate(first)
    });
    let own = shared.cache.invalidate(first);
    assert_ne!(own, other.join().unwrap());
    assert_eq!(shared.peek(), None);
}

/// Whoever knows of a refusal, by whatever way, is not served that value any more: neither from the
/// shelf, nor from a clone of its own.
fn refused_value_does_not_come_back() {
    let shared = Shared::empty();
    let first = shared.renew();
    let known = Arc::new(loom::sync::atomic::AtomicBool::new(false));
    let reader = spawn({
        let (shared, known) = (shared.clone(), known.clone());
        move || {
            let mut reader = Reader::new(&shared.cache);
            let had = poll(pin!(reader.get(pending))).is_ready();
            if known.load(loom::sync::atomic::Ordering::Acquire) {
                assert_ne!(shared.peek(), Some(1));
                assert!(!had || reader.version() != Some(first.version) || reader.peek().is_none());
            }
        }
    });
    let mut own = Reader::new(&shared.cache);
    assert_eq!(block_on(own.get(|| shared.mint())).unwrap().number(), 1);
    assert!(shared.cache.invalidate(first.version));
    assert!(own.peek().is_none());
    known.store(true, loom::sync::atomic::Ordering::Release);
    assert_eq!(number(&shared.renew()), 2);
    reader.join().unwrap();
}

/// A reader that has seen that its clone is stale does not find that value on the shelf either.
fn reader_does_not_go_back() {
    let shared = Shared::empty();
    let first = shared.renew();
    let minter = spawn({
        let shared = shared.clone();
        move || {
            assert!(shared.cache.invalidate(first.version));
            assert_eq!(number(&shared.renew()), 2);
        }
    });
    let mut reader = Reader::new(&shared.cache);
    let own = match poll(pin!(reader.get(pending))) {
        Poll::Ready(token) => Some(token.unwrap().number()),
        Poll::Pending => None,
    };
    if own == Some(1) && reader.peek().is_none() {
        assert_ne!(shared.peek(), Some(1));
    }
    minter.join().unwrap();
    assert_eq!(shared.peek(), Some(2));
}

/// X1, X3: each mint has a version of its own, whoever leads.
fn minters_follow_each_other() {
    let shared = Shared::empty();
    let other = spawn({
        let shared = shared.clone();
        move || {
            let got = shared.renew();
            shared.cache.invalidate(got.version);
            (number(&got), got.version)
        }
    });
    let got = shared.renew();
    shared.cache.invalidate(got.version);
    let (theirs, version) = other.join().unwrap();
    assert_eq!(number(&got) == theirs, got.version == version);
    assert_eq!(shared.peek(), None);
    let seen = shared.cache.snapshot();
    assert_eq!(seen.successes as usize, shared.mints.load(Ordering::SeqCst));
    assert_eq!(shared.data.get(), 2 * shared.mints.load(Ordering::SeqCst));
}

/// r04: a minter that is lost is followed by one who waits.
fn lost_minter_meets_joining_follower() {
    let shared = Shared::empty();
    let follower = spawn({
        let shared = shared.clone();
        move || number(&shared.renew())
    });
    {
        let mut minter = pin!(shared.cache.get(|| async {
            shared.data.add();
            pending().await
        }));
        // (Or the other was there first, and is waited for, or has minted.)
        let _ = poll(minter.as_mut()).is_ready();
    }
    assert_eq!(follower.join().unwrap(), 1);
    assert_eq!(shared.peek(), Some(1));
    assert_eq!(shared.cache.snapshot().failures, 0);
}

/// r02: who waited for another's mint is told what that minted.
fn follower_sees_what_was_minted() {
    let shared = Shared::empty();
    let other = spawn({
        let shared = shared.clone();
        move || number(&shared.renew())
    });
    assert_eq!(number(&shared.renew()), 1);
    assert_eq!(other.join().unwrap(), 1);
}
