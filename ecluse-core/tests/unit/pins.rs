//! What the compiler promises: which types may cross threads, move, or be caught by an unwind.
//!
//! A probe has a constant twice, inherent where the bound holds and from a trait where it does
//! not; the inherent one wins. So "is not" can be stated, too.

use std::{
    future::Pending,
    marker::PhantomData,
    panic::{RefUnwindSafe, UnwindSafe},
};

use ecluse_core::{
    Admission, Barging, Channel, Claim, Cx, DefaultLock, FlushTable, Handoff, Line, Local, Outcome,
    Permit, Refresher, Revocable, Root, Scope, Slot, Token,
    admission::{Acquiring, Bypass, Fifo},
    cancel::{CancelWait, Dropped, Guarded, TreeView},
    channel::{Items, Receiver, Receiving, Reserving, Sender, Sending, SendingFrom},
    claim::{Claiming, Released},
    flush::{Cleared, Flush, Flushed, Reply, Request},
    line::HoldEnd,
    refresh::{Minted, Policy, Reader},
    runtime::{Inline, Joined, Tally, Ticket},
};

struct Probe<T>(PhantomData<T>);

macro_rules! probes {
    ($($constant:ident = $bound:path, $otherwise:ident;)*) => {
        $(
            impl<T: $bound> Probe<T> {
                const $constant: bool = true;
            }
            trait $otherwise {
                const $constant: bool = false;
            }
            impl<T> $otherwise for Probe<T> {}
        )*
    };
}

probes! {
    SEND = Send, NotSend;
    SYNC = Sync, NotSync;
    UNPIN = Unpin, NotUnpin;
    UNWIND = UnwindSafe, NotUnwind;
    REF_UNWIND = RefUnwindSafe, NotRefUnwind;
    COPY = Copy, NotCopy;
}

/// Send, Sync, Unpin.
macro_rules! pin {
    ($($type:ty: $send:literal $sync:literal $unpin:literal;)*) => {
        $(
            const _: () = assert!(Probe::<$type>::SEND == $send, "Send");
            const _: () = assert!(Probe::<$type>::SYNC == $sync, "Sync");
            const _: () = assert!(Probe::<$type>::UNPIN == $unpin, "Unpin");
        )*
    };
}

type LocalSlot = Slot<Handoff, Local>;
type LocalLine = Line<Local>;
type LocalAdmission = Admission<Fifo, Local>;
type NotSendable = *const ();
type LocalChannel<T = u8> = Channel<T, 1, Local>;
type MovedItem = std::cell::Cell<u8>;
type Requests = FlushTable<u16, 4>;
type LocalRequests = FlushTable<u16, 4, Local>;
type Cache<T = u8, L = ecluse_core::DefaultLock> = Refresher<T, u8, crate::clock::Hand, L>;

pin! {
    Slot: true true true;
    Slot<Revocable>: true true true;
    Slot<Barging>: true true true;
    Line: true true true;
    Admission: true true true;
    Admission<Bypass<1>>: true true true;
    Cache: true true true;
    Cache<u8, Local>: true false true;
    // Cloned by many at once.
    Cache<std::cell::Cell<u8>>: true false true;
    Cache<NotSendable>: false false true;
    Reader<&'static Cache>: true true true;
    Reader<&'static Cache<u8, Local>>: false false true;
    Tally: true true true;
    // Moves to another thread, is not used by two.
    LocalSlot: true false true;
    LocalLine: true false true;
    LocalAdmission: true false true;
    Tally<Local>: true false true;

    Claim<&'static Slot>: true true true;
    Claim<&'static LocalSlot>: false false true;
    Token<'static>: true true true;
    Token<'static, Local>: false false true;

    Permit<&'static Admission>: true true true;
    Permit<&'static LocalAdmission>: false false true;

    // A node in a list does not move.
    Acquiring<&'static Admission>: true true false;
    Acquiring<&'static LocalAdmission>: false false false;
    Claiming<&'static Slot>: true true false;
    Claiming<&'static Slot<Revocable>>: true true false;
    Claiming<&'static LocalSlot>: false false false;
    Released<&'static Slot>: true true false;
    HoldEnd<&'static Line>: true true false;
    HoldEnd<&'static LocalLine>: false false false;
    Joined<&'static Tally>: true true false;

    // Items are moved, never shared.
    Channel<u8, 1>: true true true;
    Channel<MovedItem, 0>: true true true;
    Channel<NotSendable, 1>: false false true;
    LocalChannel: true false true;
    Sending<&'static Channel<u8, 1>>: true true false;
    Sending<&'static Channel<MovedItem, 1>>: true false false;
    SendingFrom<'static, &'static Channel<u8, 1>>: true true false;
    Sending<&'static LocalChannel>: false false false;
    Receiving<&'static Channel<MovedItem, 1>>: true true false;
    Receiving<&'static LocalChannel>: false false false;
    Reserving<&'static Channel<u8, 1>>: true true false;
    ecluse_core::channel::Permit<&'static Channel<u8, 1>>: true true true;
    Sender<&'static Channel<MovedItem, 1>>: true true true;
    Receiver<&'static LocalChannel>: false false true;
    Items<&'static Channel<u8, 1>>: true true false;

    Root: true true true;
    Root<Local>: true false true;
    Cx<'static>: true true true;
    Cx<'static, Local>: false false true;
    Scope<'static>: true true false;
    Scope<'static, DefaultLock, &'static str>: true true false;
    TreeView<'static, DefaultLock>: true true true;
    Scope<'static, Local>: false false false;
    CancelWait<'static, ecluse_core::DefaultLock>: true true false;
    CancelWait<'static, Local>: false false false;
    // As its future.
    Guarded<'static, Dropped<Pending<()>>, ecluse_core::DefaultLock>: true true false;
    Guarded<'static, Dropped<NotSendable>, ecluse_core::DefaultLock>: false false false;

    Requests: true true true;
    LocalRequests: true false true;
    Request<&'static Requests>: true true true;
    Request<&'static LocalRequests>: false false true;
    Reply<&'static Requests>: true true true;
    Reply<&'static LocalRequests>: false false true;
    Flush<&'static Requests>: true true false;
    Flush<&'static LocalRequests>: false false false;
    Flushed<&'static Requests>: true true false;
    Cleared<&'static Requests>: true true false;
    // A tag is a value that goes with whoever asks.
    FlushTable<NotSendable, 4>: false false true;

    Ticket<Pending<()>, &'static Tally>: true true false;
    Ticket<NotSendable, &'static Tally>: false false false;
    Inline<8>: true false false;
}

#[cfg(feature = "alloc")]
pin! {
    Permit<std::rc::Rc<Admission>>: false false true;
    Sender<std::sync::Arc<Channel<u8, 1>>>: true true true;
    Receiver<std::rc::Rc<Channel<u8, 1>>>: false false true;
    Sending<std::sync::Arc<Channel<MovedItem, 1>>>: true false false;
    Acquiring<std::sync::Arc<Admission>>: true true false;
    Claim<std::rc::Rc<Slot>>: false false true;
    Released<std::rc::Rc<Slot>>: false false false;
    Claim<std::sync::Arc<Slot>>: true true true;
    ecluse_core::OwnedToken: true true true;
    ecluse_core::SharedScope: true true true;
    ecluse_core::SharedScope<Local>: false false true;
    Claiming<std::sync::Arc<Slot>>: true true false;
    Claiming<std::sync::Arc<LocalSlot>>: false false false;
    GrowingRequests: true true true;
    // A request has its scope in its hand.
    ecluse_core::flush::GrowingFlushTable<u16, Local>: false false true;
    Request<std::sync::Arc<GrowingRequests>>: true true true;
    Request<std::rc::Rc<GrowingRequests>>: false false true;
    Flush<std::sync::Arc<GrowingRequests>>: true true false;
}

#[cfg(feature = "alloc")]
type GrowingRequests = ecluse_core::flush::GrowingFlushTable<u16>;

macro_rules! unwind_safe {
    ($($type:ty),* $(,)?) => {
        $(
            const _: () = assert!(Probe::<$type>::UNWIND && Probe::<$type>::REF_UNWIND);
        )*
    };
}

unwind_safe!(
    Channel<&'static mut u8, 1>,
    Receiving<&'static Channel<&'static mut u8, 1>>,
    Admission,
    LocalAdmission,
    Permit<&'static Admission>,
    Acquiring<&'static Admission>,
    Slot,
    Slot<Revocable>,
    LocalSlot,
    Line,
    Tally,
    Requests,
    Request<&'static Requests>,
    Reply<&'static LocalRequests>,
    Flush<&'static Requests>,
    Flushed<&'static Requests>,
    Root,
    Cx<'static>,
    Scope<'static>,
    CancelWait<'static, ecluse_core::DefaultLock>,
    Claim<&'static Slot>,
    Token<'static>,
    Claiming<&'static Slot>,
    Released<&'static Slot>,
    HoldEnd<&'static Line>,
);

/// What has no promise, to see that the probes can say so.
struct Bound<'a>(
    #[expect(dead_code, reason = "a type is all that is asked")] &'a mut u8,
    #[expect(dead_code, reason = "as above")] std::cell::Cell<u8>,
);
const _: () = assert!(!Probe::<Bound<'static>>::UNWIND && !Probe::<Bound<'static>>::REF_UNWIND);

const _: () = assert!(Probe::<Outcome>::COPY && !Probe::<Claim<&'static Slot>>::COPY);

/// Every primitive can be a `static`.
static STATICS: (Slot, Line, Tally, Admission) =
    (Slot::new(), Line::new(), Tally::new(), Admission::new(1, 1));
static CHANNELS: (Channel<String, 2>, Channel<u8, 0>) = (Channel::new(), Channel::new());

#[test]
fn statics_work_as_they_are() {
    let (slot, line, tally, admission) = &STATICS;
    CHANNELS.0.try_send(String::new()).unwrap();
    assert!(CHANNELS.1.try_send(1).is_err() && CHANNELS.0.try_receive().is_ok());
    assert!(admission.try_acquire(1).is_ok());
    assert!(slot.try_claim().is_ok());
    assert!(line.try_acquire_token().is_success());
    drop(tally.ticket(()));
    assert_eq!((tally.live(), tally.lost()), (0, 1));
    // A task that holds the claim over an await may move between threads.
    fn sendable<T: Send>(_: &T) {}
    sendable(&async {
        let claim = slot.claim().await.unwrap();
        drop(line.status().await);
        let permit = admission.acquire(1).await.unwrap();
        CHANNELS.0.send(String::new()).await.unwrap();
        let text = CHANNELS.0.receive().await;
        std::future::ready(text).await.unwrap();
        claim.release();
        drop(permit);
    });
}

#[test]
fn a_question_to_a_refresher_crosses_threads_with_its_mint() {
    fn sendable<T: Send>(_: &T) {}
    let cache = <Cache>::new(crate::clock::Hand::default(), Policy::new());
    sendable(&cache.get(|| async { Ok(Minted::for_ever(1)) }));
    let mut reader = Reader::new(&cache);
    sendable(&reader.get(|| async { Ok(Minted::for_ever(1)) }));
}
