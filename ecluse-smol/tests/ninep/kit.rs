//! A server with a folder of its own, whose slow reads and whose writer wait for the test.

use std::{
    env, fs,
    future::Future,
    io,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::PathBuf,
    pin::Pin,
    process,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use ecluse_smol::SharedScope;
use smol::{
    Task, Timer,
    channel::{Receiver, Sender, unbounded},
    future::or,
    io::AsyncWrite,
    net::TcpListener,
};

use crate::server::{
    Log,
    client::{Client, ROOT, read},
    connection,
    tree::{Slow, TEXT, Tree},
    wire::{Data, Rmessage, Tmessage},
};

const BOUND: Duration = Duration::from_secs(60);

/// The fids of an [attached](Server::client) client.
pub(crate) const NEVER: u32 = 1;
pub(crate) const DEAF: u32 = 2;
pub(crate) const LATE: u32 = 3;
pub(crate) const FILE: u32 = 4;

/// Runs a test with a server; it may take a minute.
pub(crate) fn with_server<F: Future<Output = io::Result<()>>>(test: impl FnOnce(Server) -> F) {
    let bounded = async {
        Timer::after(BOUND).await;
        panic!("it hangs");
    };
    smol::block_on(or(
        async { test(Server::start().await.unwrap()).await.unwrap() },
        bounded,
    ));
}

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ecluse-ninep-{}-{number}", process::id());
        let folder = Self(env::temp_dir().join(name));
        fs::create_dir_all(folder.0.join("inner"))?;
        fs::write(folder.0.join("file"), [7; 10_000])?;
        fs::write(folder.0.join("inner/leaf"), "a leaf")?;
        symlink("..", folder.0.join("link"))?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server whose slow reads wait for [`open_gate`](Server::open_gate).
pub(crate) struct Server {
    pub(crate) to: SocketAddr,
    /// All its connections.
    pub(crate) scope: SharedScope,
    /// The one who writes can be held up.
    pub(crate) hold: Arc<Hold>,
    /// A slow read waits at the gate.
    pub(crate) at_gate: Receiver<Slow>,
    gate: Sender<()>,
    seen: Receiver<String>,
    ended: Receiver<()>,
    _accepts: Task<io::Result<()>>,
    _folder: Folder,
}

impl Server {
    async fn start() -> io::Result<Self> {
        let folder = Folder::new()?;
        let (comes, at_gate) = unbounded();
        let (gate, passes) = unbounded();
        let tree = Tree::new(folder.0.canonicalize()?, move |slow| {
            let (comes, passes) = (comes.clone(), passes.clone());
            Box::pin(async move {
                let _ = comes.send(slow).await;
                let _ = passes.recv().await;
            })
        });
        let tree = Arc::new(tree);
        let (sees, seen) = unbounded();
        let log: Log = Arc::new(move |line| {
            let _ = sees.try_send(line.to_owned());
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let to = listener.local_addr()?;
        let (scope, hold) = (SharedScope::new(), Arc::<Hold>::default());
        let (ends, ended) = unbounded();
        let (below, held) = (scope.clone(), hold.clone());
        let accepts = smol::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                let to = Held(stream.clone(), held.clone());
                let serve = connection(stream, to, tree.clone(), log.clone(), below.child());
                let ends = ends.clone();
                let served = async move {
                    serve.await;
                    let _ = ends.send(()).await;
                };
                smol::spawn(served).detach();
            }
        });
        Ok(Self {
            to,
            scope,
            hold,
            at_gate,
            gate,
            seen,
            ended,
            _accepts: accepts,
            _folder: folder,
        })
    }

    /// A client with a session, and with files open.
    pub(crate) async fn client(&self) -> io::Result<Client> {
        let mut client = Client::attach(self.to).await?;
        open_all(&mut client).await?;
        Ok(client)
    }

    /// Lets one slow read pass.
    pub(crate) fn open_gate(&self) {
        self.gate.try_send(()).unwrap();
    }

    /// How many slow reads wait, or will.
    pub(crate) fn waiting_at_gate(&self) -> usize {
        // The tree has one, to give away.
        self.gate.receiver_count() - 1
    }

    /// Waits until the server has read, or is about to write, a message with this in it; earlier ones are forgotten.
    pub(crate) async fn sees(&self, what: &str) {
        while !self.seen.recv().await.unwrap().contains(what) {}
    }

    /// Forgets what was seen.
    pub(crate) fn forget(&self) {
        while self.seen.try_recv().is_ok() {}
    }

    /// Waits until a connection has ended, and all its tasks.
    pub(crate) async fn end_of_connection(&self) {
        self.ended.recv().await.unwrap();
    }
}

pub(crate) async fn open_all(client: &mut Client) -> io::Result<()> {
    client.open(NEVER, &["slow", "never"]).await?;
    client.open(DEAF, &["slow", "deaf"]).await?;
    client.open(LATE, &["slow", "late"]).await?;
    client.open(FILE, &["file"]).await
}

/// Begins a read that does not listen to flushes, and waits until it is at the gate.
pub(crate) async fn read_deaf(server: &Server, client: &mut Client, tag: u16) -> io::Result<()> {
    client.say(tag, read(DEAF)).await?;
    assert_eq!(server.at_gate.recv().await.unwrap(), Slow::Deaf);
    Ok(())
}

/// What a slow file says.
pub(crate) fn slow_text() -> Rmessage {
    let data = Data(TEXT.to_vec());
    Rmessage::Rread { data }
}

/// A question that is answered quickly.
pub(crate) fn look() -> Tmessage {
    Tmessage::Tgetattr { fid: ROOT, mask: 0 }
}

pub(crate) fn is_look(answer: &Rmessage) -> bool {
    matches!(answer, Rmessage::Rgetattr { .. })
}

/// What is said next has this tag, and is this.
#[track_caller]
pub(crate) fn said(
    heard: io::Result<Option<(u16, Rmessage)>>,
    tag: u16,
    check: impl FnOnce(&Rmessage) -> bool,
) {
    match heard {
        Ok(Some((said, message))) if said == tag && check(&message) => {}
        other => panic!("not for {tag}, or not that: {other:?}"),
    }
}

/// Holds up whoever writes.
#[derive(Default)]
pub(crate) struct Hold(Mutex<Holding>);

#[derive(Default)]
struct Holding {
    on: bool,
    /// Somebody was held up.
    tried: bool,
    wakers: Vec<Waker>,
}

impl Hold {
    pub(crate) fn hold(&self) {
        self.0.lock().unwrap().on = true;
    }

    pub(crate) fn let_go(&self) {
        let wakers = {
            let mut holding = self.0.lock().unwrap();
            (holding.on, holding.tried) = (false, false);
            std::mem::take(&mut holding.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until somebody was held up.
    pub(crate) async fn tried(&self) {
        std::future::poll_fn(|cx| {
            let mut holding = self.0.lock().unwrap();
            if holding.tried {
                return Poll::Ready(());
            }
            holding.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let wakers = {
            let mut holding = self.0.lock().unwrap();
            if !holding.on {
                return Poll::Ready(());
            }
            let first = !std::mem::replace(&mut holding.tried, true);
            let wakers = first.then(|| std::mem::take(&mut holding.wakers));
            holding.wakers.push(cx.waker().clone());
            wakers
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
        Poll::Pending
    }
}

/// A stream that can be held up.
struct Held<W>(W, Arc<Hold>);

impl<W: AsyncWrite + Unpin> AsyncWrite for Held<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.1.poll(cx));
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
