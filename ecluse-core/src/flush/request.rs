//! What a server has in hand of a request: its seat in the table, first as a `Request`, then as the
//! `Reply` that may be sent.
//!
//! Invariant **H1**: a seat is one entry's owner and is dropped once, which settles the entry. So a
//! reply that comes late is one that its type does not let be made, or (another session's) one that
//! is refused under the lock.

use core::fmt;

use super::{
    Over, Places, TableRef,
    ledger::{NONE, Verdict},
};
use crate::cancel::Cx;

/// The right to an entry. Dropping it settles the entry.
pub(super) struct Seat<R: TableRef> {
    table: R,
    place: usize,
}

impl<R: TableRef> Seat<R> {
    pub(super) fn new(table: &R, place: usize) -> Self {
        Self {
            table: table.clone(),
            place,
        }
    }

    /// None for what was not entered.
    pub(super) fn entered(table: &R, place: usize) -> Option<Self> {
        (place != NONE).then(|| Self::new(table, place))
    }

    /// Asks for the answer of a flush whose wait is over.
    pub(super) fn answer(&self) -> Verdict {
        let place = self.place;
        self.table
            .table()
            .ledger
            .with(|ledger| ledger.answer(place))
    }
}

impl<R: TableRef> Drop for Seat<R> {
    fn drop(&mut self) {
        self.table.table().leave(self.place);
    }
}

type ScopeOf<R> = <<R as TableRef>::Places as Places>::Scope;
type LockOf<R> = <<R as TableRef>::Places as Places>::Lock;

/// A request that is not settled yet: [`Table::begin`](super::Table::begin).
///
/// It has a scope of its own, which a flush cancels. Dropping the request settles it without an
/// answer: what must be undone is undone before that, since the client may act on it (use a file's
/// number again, say) as soon as its flush is answered.
#[must_use = "a request that is dropped at once is never answered"]
pub struct Request<R: TableRef> {
    // Not the last field: a compiler has trouble with a type that ends in a projection.
    scope: ScopeOf<R>,
    seat: Seat<R>,
}

impl<R: TableRef> Request<R> {
    pub(super) fn new(seat: Seat<R>, scope: ScopeOf<R>) -> Self {
        Self { scope, seat }
    }

    /// The request's scope: cancelled by a flush of its tag, and by the end of its session. It is the
    /// root of a tree of its own; to have it cancelled with a scope of the server's, run the request
    /// under [`Cx::on_cancel`] of that, or [end](super::Table::end) the session.
    pub fn cx(&self) -> Cx<'_, LockOf<R>> {
        R::Places::cx(
            &self.seat.table.table().scopes,
            self.seat.place,
            &self.scope,
        )
    }

    /// Whether it was flushed, or its session is over.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        let place = self.seat.place;
        self.seat
            .table
            .table()
            .ledger
            .with(|ledger| ledger.is_flushed(place))
    }

    /// Settles the request by an answer, flushed or not, and gives the right to send that.
    ///
    /// # Errors
    /// [`Over`]: the session was ended or reset meanwhile, and nothing may be sent.
    pub fn reply(self) -> Result<Reply<R>, Over> {
        match self.ask(false) {
            Verdict::Reply => Ok(self.into_reply()),
            _ => Err(Over),
        }
    }

    /// Settles the request by an answer if nobody has flushed it.
    ///
    /// # Errors
    /// [`NotReplied::Flushed`] with the request, which is to be dropped when what it did was undone;
    /// [`NotReplied::Over`] as [`reply`](Request::reply).
    pub fn reply_unless_flushed(self) -> Result<Reply<R>, NotReplied<R>> {
        match self.ask(true) {
            Verdict::Reply => Ok(self.into_reply()),
            Verdict::Flushed => Err(NotReplied::Flushed(self)),
            Verdict::Over => Err(NotReplied::Over),
        }
    }

    fn ask(&self, unless_flushed: bool) -> Verdict {
        let place = self.seat.place;
        self.seat
            .table
            .table()
            .ledger
            .with(|ledger| ledger.reply(place, unless_flushed))
    }

    fn into_reply(self) -> Reply<R> {
        Reply {
            seat: Some(self.seat),
        }
    }
}

impl<R: TableRef> fmt::Debug for Request<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("flushed", &self.is_flushed())
            .finish_non_exhaustive()
    }
}

/// Why a request was not answered.
pub enum NotReplied<R: TableRef> {
    /// Its client has flushed it. Here it is, unsettled.
    Flushed(Request<R>),
    /// Its session is over.
    Over,
}

impl<R: TableRef> fmt::Debug for NotReplied<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flushed(_) => "Flushed",
            Self::Over => "Over",
        })
    }
}

impl<R: TableRef> fmt::Display for NotReplied<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flushed(_) => f.write_str("the request was flushed"),
            Self::Over => Over.fmt(f),
        }
    }
}

impl<R: TableRef> core::error::Error for NotReplied<R> {}

/// The right to send one message: the reply to a request, or the answer to a flush.
///
/// Hold it until the message's place on the wire is fixed: it was written, or is in the queue of the
/// one who writes. Those who must come after it wait until it is dropped. Dropping it without having
/// sent anything makes the client miss an answer, and harms nobody else.
#[must_use = "it says that a message may be sent, and is held until that was done"]
pub struct Reply<R: TableRef> {
    seat: Option<Seat<R>>,
}

impl<R: TableRef> Reply<R> {
    pub(super) fn new(seat: Option<Seat<R>>) -> Self {
        Self { seat }
    }

    /// The message's place on the wire is fixed. The same as dropping it.
    ///
    /// # Panics
    /// If the waker of the flush that comes next panics, with its panic, when all is done.
    pub fn sent(self) {}
}

impl<R: TableRef> fmt::Debug for Reply<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("entered", &self.seat.is_some())
            .finish()
    }
}
