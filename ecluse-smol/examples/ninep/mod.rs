//! A 9P server: what clients read from it, and take back.
//!
//! A connection has one task that reads, one that writes, and one for each request, all of them children
//! of its scope. Between them are:
//!
//! - a [`FlushTable`](ecluse_smol::FlushTable), which knows the requests in flight by their tags: it tells
//!   a request that it was flushed, and lets the flush be answered when the request was settled;
//! - a [`Channel`] to the one who writes: a message's place on the wire is fixed when it is in there.
//!
//! | file | holds |
//! |---|---|
//! | here | a connection: requests, flushes, the one who reads and the one who writes |
//! | `session` | fids, answers; invariants S1, S2 |
//! | `tree` | the folder, and the slow files; F1, F2 |
//! | `wire` | the messages; W1, W2 |
//! | `errno` | numbers of errors |
//! | `client` | a small client, for the example and its test |
//!
//! What a client can make it take is bounded: `REQUESTS` requests and as many flushes, `WAITING` messages
//! that it does not read, each of `MSIZE` bytes; a frame that it does not finish. A request too many is
//! answered by `EAGAIN`; whoever breaks the protocol (frames that say nothing, a tag that is in use,
//! requests without a session, more flushes than there can be requests) is cut off.

pub(crate) mod client;
pub(crate) mod errno;
mod session;
pub(crate) mod tree;
pub(crate) mod wire;

use std::{io, sync::Arc};

use ecluse_smol::{
    Admission, Channel, FlushTable, SharedScope, SmolSpawn,
    cancel::Kind,
    flush::{NotBegun, Request},
};
use smol::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};

use self::{
    session::Session,
    tree::Tree,
    wire::{Malformed, NO_TAG, Rmessage, Tmessage},
};

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// Requests of a connection at a time.
pub(crate) const REQUESTS: usize = 64;
/// Answers that wait to be written.
const WAITING: usize = 16;
/// The longest frame.
pub(crate) const MSIZE: u32 = 64 * 1024;
/// The shortest limit of frames that a client may ask for: what every answer without data fits in.
const MSIZE_AT_LEAST: u32 = 4096;

type Table = FlushTable<u16, { 2 * REQUESTS }>;
type Wire = Channel<(u16, Rmessage), WAITING>;

/// Who is told what goes over the wire.
pub(crate) type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// Serves whoever connects, until accepting fails. Who comes when all places are taken waits for one.
pub(crate) async fn serve(listener: TcpListener, tree: Arc<Tree>, log: Log) -> io::Result<()> {
    let server: SharedScope = SharedScope::named("server");
    let places: Arc<Admission> = Arc::new(Admission::new(CONNECTIONS, 1));
    while let Ok(place) = Admission::acquire_owned(&places, 1).await {
        let (stream, _) = match listener.accept().await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            accepted => accepted?,
        };
        let (tree, log) = (tree.clone(), log.clone());
        let served = server.spawn(&SmolSpawn, |server| async move {
            let scope = server.child_named("connection");
            connection(stream.clone(), stream, tree, log, scope).await;
            place.release();
        });
        debug_assert!(served.is_ok(), "nobody cancels the server");
    }
    Ok(())
}

/// Serves one client, until it goes, breaks the protocol, or `scope` is cancelled. No task of it is left
/// then.
pub(crate) async fn connection<R, W>(from: R, to: W, tree: Arc<Tree>, log: Log, scope: SharedScope)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let connection = Connection {
        requests: Arc::new(Table::new().with_reserve(REQUESTS)),
        wire: Arc::new(Wire::new()),
        tree,
        log,
    };
    let tasks = scope.run(async |scope| {
        let (wire, log) = (connection.wire.clone(), connection.log.clone());
        let writes = scope.spawn(&SmolSpawn, |scope| write(wire, to, log, scope));
        if writes.is_ok() {
            let end = scope.cx().guard(connection.read(from, &scope)).await;
            if let Ok(Err(error)) = end {
                (connection.log)(&format!("cut off: {error}"));
            }
        }
        connection.requests.end(Kind::Explicit);
        scope.force(Kind::Explicit);
    });
    tasks.await;
}

/// The one who writes: what is in `wire` goes out in this order.
async fn write(wire: Arc<Wire>, mut to: impl AsyncWrite + Unpin, log: Log, scope: SharedScope) {
    while let Ok((tag, message)) = wire.receive().await {
        log(&format!("<- {tag:5} {message:?}"));
        if to.write_all(&wire::encode(tag, &message)).await.is_err() {
            break;
        }
    }
    scope.cancel(Kind::Explicit);
}

/// What a connection's tasks share.
struct Connection {
    requests: Arc<Table>,
    wire: Arc<Wire>,
    tree: Arc<Tree>,
    log: Log,
}

/// What is served between one `Tversion` and the next, and its tasks.
struct Running {
    session: Arc<Session>,
    scope: SharedScope,
    msize: u32,
}

impl Connection {
    /// The one who reads: enters requests and flushes in the order in which they come.
    async fn read(&self, mut from: impl AsyncRead + Unpin, scope: &SharedScope) -> io::Result<()> {
        let mut running: Option<Running> = None;
        loop {
            let limit = running.as_ref().map_or(MSIZE, |running| running.msize);
            let Some(frame) = wire::read_frame(&mut from, limit).await? else {
                return Ok(());
            };
            let (tag, message) = wire::decode(&frame)?;
            (self.log)(&format!("-> {tag:5} {message:?}"));
            match (message, &running) {
                (Tmessage::Tversion { msize, version }, _) if tag == NO_TAG => {
                    running = self.begin(running, msize, &version, scope).await?;
                }
                (Tmessage::Tversion { .. }, _) | (_, None) => return Err(broken("no session")),
                _ if tag == NO_TAG => return Err(broken("a request without a tag")),
                (Tmessage::Tflush { oldtag }, Some(running)) => self.flush(tag, oldtag, running)?,
                (message, Some(running)) => self.request(tag, message, running).await?,
            }
        }
    }

    /// `Tversion`: what was before is over, and another session begins.
    async fn begin(
        &self,
        before: Option<Running>,
        msize: u32,
        version: &str,
        scope: &SharedScope,
    ) -> io::Result<Option<Running>> {
        self.requests.reset(Kind::Explicit);
        if let Some(before) = before {
            // Those that listen to nobody, too.
            before.scope.force(Kind::Explicit);
            before.scope.joined().await;
        }
        // No task is left that could send; where tasks may go on, `Table::cleared` is waited for.
        if msize < MSIZE_AT_LEAST {
            return Err(Malformed::Size(msize).into());
        }
        let msize = msize.min(MSIZE);
        let known = version == "9P2000.L";
        let version = if known { version } else { "unknown" }.to_owned();
        let answer = Rmessage::Rversion { msize, version };
        self.send(NO_TAG, answer).await?;
        Ok(known.then(|| Running {
            session: Arc::new(Session::new(self.tree.clone(), msize)),
            scope: scope.child_named("session"),
            msize,
        }))
    }

    /// Begins a request.
    async fn request(&self, tag: u16, message: Tmessage, running: &Running) -> io::Result<()> {
        let request = match Table::begin_owned(&self.requests, tag) {
            Ok(request) => request,
            // It is not in flight, so its tag is free for this answer.
            Err(NotBegun::Full) => {
                let errno = errno::EAGAIN.0;
                return self.send(tag, Rmessage::Rlerror { errno }).await;
            }
            Err(refused) => return Err(broken(refused)),
        };
        let (session, wire) = (running.session.clone(), self.wire.clone());
        let begun = running.scope.spawn(&SmolSpawn, |_| async move {
            answer(request, tag, message, &session, &wire).await;
        });
        begun.map(drop).map_err(|_| broken("the end"))
    }

    /// Begins a flush, which is answered in its turn.
    fn flush(&self, tag: u16, oldtag: u16, running: &Running) -> io::Result<()> {
        let flush = Table::flush_as_owned(&self.requests, tag, oldtag).map_err(broken)?;
        let wire = self.wire.clone();
        let begun = running.scope.spawn(&SmolSpawn, |_| async move {
            // Without one it was flushed itself, or the session is over.
            if let Ok(reply) = flush.await {
                let _ = wire.send((tag, Rmessage::Rflush {})).await;
                reply.sent();
            }
        });
        begun.map(drop).map_err(|_| broken("the end"))
    }

    async fn send(&self, tag: u16, message: Rmessage) -> io::Result<()> {
        let sent = self.wire.send((tag, message)).await;
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Answers a request, or finds that its client does not want to know any more.
async fn answer(
    request: Request<Arc<Table>>,
    tag: u16,
    message: Tmessage,
    session: &Session,
    wire: &Wire,
) {
    let reply = if session.is_deaf(&message) {
        let answer = session.answer(message).await;
        request.reply().ok().map(|reply| (reply, answer))
    } else {
        match request.cx().guard(session.answer(message)).await {
            // From here on it is sure to be sent, before the answer of any flush.
            Ok(answer) => request
                .reply_unless_flushed()
                .ok()
                .map(|reply| (reply, answer)),
            Err(_) => None,
        }
    };
    // Without one it was flushed. Nothing has to be undone (S1), so it is settled: it was dropped.
    if let Some((reply, answer)) = reply {
        let _ = wire.send((tag, session.commit(answer))).await;
        reply.sent();
    }
}

fn broken(why: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}
