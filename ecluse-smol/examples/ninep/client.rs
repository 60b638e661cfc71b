//! A small client: says what it is told to, and gives what comes back.

use std::{io, net::SocketAddr};

use smol::{io::AsyncWriteExt, net::TcpStream};

use super::{
    MSIZE,
    wire::{self, NO_TAG, Rmessage, Tmessage},
};

/// No fid.
const NO_FID: u32 = u32::MAX;
/// The fid of the root.
pub(crate) const ROOT: u32 = 0;

/// A connection to a server.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    /// Connects, without a session.
    pub(crate) async fn connect(to: SocketAddr) -> io::Result<Self> {
        Ok(Self(TcpStream::connect(to).await?))
    }

    /// Connects, begins a session, and takes `ROOT` for the root.
    pub(crate) async fn attach(to: SocketAddr) -> io::Result<Self> {
        let mut client = Self::connect(to).await?;
        client.begin().await?;
        Ok(client)
    }

    /// Begins a session, or another one.
    pub(crate) async fn begin(&mut self) -> io::Result<()> {
        let version = Tmessage::Tversion {
            msize: MSIZE,
            version: "9P2000.L".to_owned(),
        };
        self.call(NO_TAG, version).await?;
        let attach = Tmessage::Tattach {
            fid: ROOT,
            afid: NO_FID,
            uname: "nobody".to_owned(),
            aname: String::new(),
            n_uname: u32::MAX,
        };
        match self.call(1, attach).await? {
            Rmessage::Rattach { .. } => Ok(()),
            other => Err(io::Error::other(format!("no root: {other:?}"))),
        }
    }

    /// Says something.
    pub(crate) async fn say(&mut self, tag: u16, message: Tmessage) -> io::Result<()> {
        self.0.write_all(&wire::encode(tag, &message)).await
    }

    /// The next that the server says. `None`: it has closed the connection.
    pub(crate) async fn hear(&mut self) -> io::Result<Option<(u16, Rmessage)>> {
        let frame = wire::read_frame(&mut self.0, MSIZE).await?;
        Ok(frame.map(|frame| wire::decode(&frame)).transpose()?)
    }

    /// Asks, and gives the answer, which is what the server says next.
    pub(crate) async fn call(&mut self, tag: u16, message: Tmessage) -> io::Result<Rmessage> {
        self.say(tag, message).await?;
        match self.hear().await? {
            Some((answered, answer)) if answered == tag => Ok(answer),
            other => Err(io::Error::other(format!("for {tag}: {other:?}"))),
        }
    }

    /// Lets `fid` stand for a file, and opens it.
    pub(crate) async fn open(&mut self, fid: u32, path: &[&str]) -> io::Result<()> {
        let names = path.iter().map(ToString::to_string).collect();
        let walk = Tmessage::Twalk {
            fid: ROOT,
            newfid: fid,
            names,
        };
        match self.call(1, walk).await? {
            Rmessage::Rwalk { qids } if qids.len() == path.len() => {}
            other => return Err(io::Error::other(format!("{path:?}: {other:?}"))),
        }
        match self.call(1, Tmessage::Tlopen { fid, flags: 0 }).await? {
            Rmessage::Rlopen { .. } => Ok(()),
            other => Err(io::Error::other(format!("{path:?}: {other:?}"))),
        }
    }
}

/// A listing of a folder's beginning.
pub(crate) fn list(fid: u32) -> Tmessage {
    let (offset, count) = (0, MSIZE);
    Tmessage::Treaddir { fid, offset, count }
}

/// A read of a file's beginning.
pub(crate) fn read(fid: u32) -> Tmessage {
    let (offset, count) = (0, 4096);
    Tmessage::Tread { fid, offset, count }
}

/// A flush.
pub(crate) fn flush(oldtag: u16) -> Tmessage {
    Tmessage::Tflush { oldtag }
}
