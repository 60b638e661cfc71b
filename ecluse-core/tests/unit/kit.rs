//! What the tests share: a time limit, polling by hand, wakers that count, wakers that strike.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker},
    thread,
    time::Duration,
};

use ecluse_core::observe::{Event, Numbered, Observer};

/// Longer than any step takes, shorter than anybody's patience.
pub(crate) const LIMIT: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 10 });

/// Runs a test's body in a thread; a hang is a failure.
pub(crate) fn within(body: impl FnOnce() + Send + 'static) {
    let (done, over) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(body));
        let _ = done.send(());
        if let Err(payload) = result {
            resume_unwind(payload);
        }
    });
    over.recv_timeout(LIMIT)
        .unwrap_or_else(|_| panic!("hangs: not over after {LIMIT:?}"));
    if let Err(payload) = thread.join() {
        resume_unwind(payload);
    }
}

pub(crate) fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// One poll that nobody will be woken for.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

#[track_caller]
pub(crate) fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("still pending"),
    }
}

/// The text of what `act` panicked with.
#[track_caller]
pub(crate) fn panic_of<R>(act: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(act)) else {
        panic!("it did not panic");
    };
    match payload.downcast::<&'static str>() {
        Ok(text) => (*text).to_owned(),
        Err(payload) => *payload.downcast::<String>().expect("a text"),
    }
}

/// Counts its wakes and its wakers.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (wakes.clone(), wakes.into())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// How many wakers are alive that lead here.
    pub(crate) fn live(self: &Arc<Self>) -> usize {
        Arc::strong_count(self) - 1
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A list that wakers and hooks write to: what happened in which order.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, entry: impl Into<String>) {
        self.0.lock().unwrap().push(entry.into());
    }

    pub(crate) fn entries(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// A waker that writes `entry` when it wakes.
    pub(crate) fn waker(&self, entry: impl Into<String>) -> Waker {
        struct Entry(Diary, String);
        impl Wake for Entry {
            fn wake(self: Arc<Self>) {
                self.0.note(self.1.clone());
            }
        }
        Arc::new(Entry(self.clone(), entry.into())).into()
    }
}

/// An observer that writes down what it is told, with its number.
#[derive(Clone, Default)]
pub(crate) struct History(Diary);

impl History {
    pub(crate) fn entries(&self) -> Vec<String> {
        self.0.entries()
    }
}

impl Observer for History {
    type Numbers = Numbered;

    fn event(&self, event: Event) {
        self.0.note(format!("{} {:?}", event.number, event.kind));
    }
}

/// Where foreign code runs when a waker is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callback {
    Wake,
    WakeByRef,
    Clone,
    Drop,
}

impl Callback {
    pub(crate) const ALL: [Self; 4] = [Self::Wake, Self::WakeByRef, Self::Clone, Self::Drop];
}

/// A waker that does `act` in one of its callbacks, or in each, every time, unless it is at it already.
///
/// It is leaked, so a waker that is dropped once too often is a wrong count, not a crash.
pub(crate) struct Striker {
    at: Option<Callback>,
    act: Box<dyn Fn(Callback) + Send + Sync>,
    acting: AtomicBool,
    acted: AtomicUsize,
    born: AtomicUsize,
    gone: AtomicUsize,
}

impl Striker {
    pub(crate) fn new(at: Callback, act: impl Fn() + Send + Sync + 'static) -> &'static Self {
        Self::with(Some(at), move |_| act())
    }

    /// One that acts in each of its callbacks.
    pub(crate) fn at_each(act: impl Fn(Callback) + Send + Sync + 'static) -> &'static Self {
        Self::with(None, act)
    }

    fn with(at: Option<Callback>, act: impl Fn(Callback) + Send + Sync + 'static) -> &'static Self {
        Box::leak(Box::new(Self {
            at,
            act: Box::new(act),
            acting: AtomicBool::new(false),
            acted: AtomicUsize::new(0),
            born: AtomicUsize::new(0),
            gone: AtomicUsize::new(0),
        }))
    }

    pub(crate) fn waker(&'static self) -> Waker {
        self.born.fetch_add(1, Ordering::SeqCst);
        // SAFETY: Validity: the table's functions take the pointer for what it is, a
        // `&'static Striker`, which may be used by any thread. Aliasing: shared only.
        unsafe { Waker::from_raw(self.raw()) }
    }

    pub(crate) fn acted(&self) -> usize {
        self.acted.load(Ordering::SeqCst)
    }

    /// How many wakers are alive: less than none is a waker dropped twice.
    pub(crate) fn live(&self) -> isize {
        let count = |count: &AtomicUsize| count.load(Ordering::SeqCst) as isize;
        count(&self.born) - count(&self.gone)
    }

    fn raw(&'static self) -> RawWaker {
        RawWaker::new(std::ptr::from_ref(self).cast(), &TABLE)
    }

    fn called(&self, callback: Callback) {
        if self.at.is_none_or(|at| at == callback) && !self.acting.swap(true, Ordering::SeqCst) {
            self.acted.fetch_add(1, Ordering::SeqCst);
            struct Over<'a>(&'a AtomicBool);
            impl Drop for Over<'_> {
                fn drop(&mut self) {
                    self.0.store(false, Ordering::SeqCst);
                }
            }
            let _over = Over(&self.acting);
            (self.act)(callback);
        }
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        let striker = striker(data);
        striker.called(Callback::Clone);
        striker.born.fetch_add(1, Ordering::SeqCst);
        striker.raw()
    },
    |data| {
        let striker = striker(data);
        striker.gone.fetch_add(1, Ordering::SeqCst);
        striker.called(Callback::Wake);
    },
    |data| {
        striker(data).called(Callback::WakeByRef);
    },
    |data| {
        let striker = striker(data);
        striker.gone.fetch_add(1, Ordering::SeqCst);
        striker.called(Callback::Drop);
    },
);

fn striker(data: *const ()) -> &'static Striker {
    // SAFETY: Validity: `Striker::raw` made it from a `&'static Striker`. Aliasing: shared only.
    unsafe { &*data.cast() }
}
