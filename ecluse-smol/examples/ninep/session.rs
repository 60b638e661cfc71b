//! A session: the client's names for files (`fid`s), and how its requests are answered.
//!
//! Invariants:
//! - **S1** Working out an answer changes nothing. What it is to change is done by `commit`, when it has
//!   been decided that the answer will be sent: a request that is flushed before that has nothing to undo.
//!   (A client whose `Twalk` was flushed gives the number of its `newfid` to the next one.)
//! - **S2** A client has `FIDS` names at most, and its answers are no longer than it said it can take.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::File,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use smol::unblock;

use super::{
    errno::{self, Errno},
    tree::{self, Node, Slow, Tree},
    wire::{Data, HEAD, Rmessage, Tmessage},
};

/// Names for files that a client may have at a time.
const FIDS: usize = 1024;

/// What a session's fids stand for.
pub(crate) struct Session {
    tree: Arc<Tree>,
    msize: u32,
    fids: Mutex<HashMap<u32, Fid>>,
}

#[derive(Clone)]
struct Fid {
    node: Node,
    open: Option<Open>,
}

#[derive(Clone)]
enum Open {
    File(Arc<File>),
    Other,
}

/// An answer, and what is to be changed if it is sent.
pub(crate) struct Answer {
    message: Rmessage,
    change: Option<(u32, Change)>,
}

enum Change {
    /// The name stands for this; or for something else than before.
    Stand { node: Node, again: bool },
    /// Its file is open.
    Open(Open),
    /// The name stands for nothing any more.
    Clunk,
}

impl Session {
    pub(crate) fn new(tree: Arc<Tree>, msize: u32) -> Self {
        Self {
            tree,
            msize,
            fids: Mutex::default(),
        }
    }

    fn fids(&self) -> MutexGuard<'_, HashMap<u32, Fid>> {
        self.fids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fid(&self, fid: u32) -> Result<Fid, Errno> {
        self.fids().get(&fid).cloned().ok_or(errno::EBADF)
    }

    /// What an answer with data has room for, of `count` bytes that are asked for.
    fn room(&self, count: u32) -> usize {
        count.min(self.msize - HEAD - 4) as usize
    }

    /// Whether this is a request that does not listen to flushes.
    pub(crate) fn is_deaf(&self, message: &Tmessage) -> bool {
        let Tmessage::Tread { fid, .. } = message else {
            return false;
        };
        matches!(self.fids().get(fid), Some(fid) if fid.node == Node::Slow(Slow::Deaf))
    }

    /// Works out an answer; errors are answers, too.
    pub(crate) async fn answer(&self, message: Tmessage) -> Answer {
        let answer = match message {
            Tmessage::Tread { fid, offset, count } => self.read(fid, offset, count).await,
            // No file system promises to be quick.
            message => self.look(message).await,
        };
        answer.unwrap_or_else(|Errno(errno)| Rmessage::Rlerror { errno }.into())
    }

    async fn read(&self, fid: u32, offset: u64, count: u32) -> Result<Answer, Errno> {
        let fid = self.fid(fid)?;
        let count = self.room(count);
        let data = match (fid.node, fid.open) {
            (Node::Slow(slow), Some(_)) => self.tree.read_slow(slow, offset, count).await,
            (_, Some(Open::File(file))) => {
                unblock(move || tree::read(&file, offset, count)).await?
            }
            (_, Some(Open::Other)) => return Err(errno::EISDIR),
            (_, None) => return Err(errno::EBADF),
        };
        let data = Data(data);
        Ok(Rmessage::Rread { data }.into())
    }

    async fn look(&self, message: Tmessage) -> Result<Answer, Errno> {
        let tree = self.tree.clone();
        match message {
            Tmessage::Tattach { fid, .. } => {
                let node = tree.root();
                let root = node.clone();
                let qid = unblock(move || tree::qid(&root)).await?;
                let again = false;
                Ok(Answer {
                    message: Rmessage::Rattach { qid },
                    change: Some((fid, Change::Stand { node, again })),
                })
            }
            Tmessage::Twalk { fid, newfid, names } => {
                let node = self.fid(fid)?.node;
                let again = fid == newfid;
                unblock(move || walk(&tree, node, &names, newfid, again)).await
            }
            Tmessage::Tlopen { fid, flags } => {
                // Of the flags the first two say what for, the rest does not matter to a reader.
                if flags & 3 != 0 {
                    return Err(errno::EROFS);
                }
                let node = self.fid(fid)?.node;
                unblock(move || {
                    let file = tree::open(&node)?;
                    let open = file.map_or(Open::Other, |file| Open::File(Arc::new(file)));
                    let (qid, iounit) = (tree::qid(&node)?, 0);
                    Ok(Answer {
                        message: Rmessage::Rlopen { qid, iounit },
                        change: Some((fid, Change::Open(open))),
                    })
                })
                .await
            }
            Tmessage::Treaddir { fid, offset, count } => {
                let (fid, limit) = (self.fid(fid)?, self.room(count));
                if fid.open.is_none() {
                    return Err(errno::EBADF);
                }
                let listed = unblock(move || tree.list(&fid.node, offset, limit));
                Ok(listed.await?.into())
            }
            Tmessage::Tgetattr { fid, .. } => {
                let node = self.fid(fid)?.node;
                Ok(unblock(move || tree::attributes(&node)).await?.into())
            }
            Tmessage::Treadlink { fid } => {
                let (node, limit) = (self.fid(fid)?.node, self.room(u32::MAX));
                Ok(unblock(move || tree::link(&node, limit)).await?.into())
            }
            Tmessage::Tstatfs { fid } => {
                self.fid(fid)?;
                Ok(statistics().into())
            }
            Tmessage::Tclunk { fid } => {
                self.fid(fid)?;
                Ok(Answer {
                    message: Rmessage::Rclunk {},
                    change: Some((fid, Change::Clunk)),
                })
            }
            // `Tread`, `Tversion` and `Tflush` do not come here.
            _ => Err(errno::EOPNOTSUPP),
        }
    }

    /// Does what an answer says, which is sure to be sent, and gives what is to be sent (S1).
    pub(crate) fn commit(&self, answer: Answer) -> Rmessage {
        let Some((fid, change)) = answer.change else {
            return answer.message;
        };
        // Dropped when nobody has to wait for the lock: that may close a file.
        let _gone;
        let mut fids = self.fids();
        let full = fids.len() >= FIDS;
        let done = match (fids.entry(fid), change) {
            (Entry::Vacant(_), Change::Stand { again: false, .. }) if full => Err(errno::ENFILE),
            (Entry::Vacant(place), Change::Stand { node, again: false }) => {
                place.insert(Fid { node, open: None });
                Ok(())
            }
            (Entry::Occupied(mut place), Change::Stand { node, again: true }) => {
                _gone = place.insert(Fid { node, open: None });
                Ok(())
            }
            (Entry::Occupied(mut place), Change::Open(open)) if place.get().open.is_none() => {
                place.get_mut().open = Some(open);
                Ok(())
            }
            (Entry::Occupied(place), Change::Clunk) => {
                _gone = place.remove();
                Ok(())
            }
            // Taken, or gone, since the answer was worked out; or open already.
            _ => Err(errno::EBADF),
        };
        drop(fids);
        match done {
            Ok(()) => answer.message,
            Err(Errno(errno)) => Rmessage::Rlerror { errno },
        }
    }
}

/// A walk that gets nowhere is an error; one that gets some of the way says how far, and `newfid` stands
/// for nothing.
fn walk(
    tree: &Tree,
    mut node: Node,
    names: &[String],
    newfid: u32,
    again: bool,
) -> Result<Answer, Errno> {
    let mut qids = Vec::new();
    for name in names {
        let next = tree.walk(&node, name);
        match next.and_then(|next| Ok((tree::qid(&next)?, next))) {
            Ok((qid, next)) => {
                qids.push(qid);
                node = next;
            }
            Err(error) if qids.is_empty() => return Err(error),
            Err(_) => return Ok(Rmessage::Rwalk { qids }.into()),
        }
    }
    Ok(Answer {
        message: Rmessage::Rwalk { qids },
        change: Some((newfid, Change::Stand { node, again })),
    })
}

fn statistics() -> Rmessage {
    const V9FS_MAGIC: u32 = 0x0102_1997;
    Rmessage::Rstatfs {
        kind: V9FS_MAGIC,
        bsize: 4096,
        blocks: 0,
        bfree: 0,
        bavail: 0,
        files: 0,
        ffree: 0,
        fsid: 0,
        namelen: 255,
    }
}

impl From<Rmessage> for Answer {
    fn from(message: Rmessage) -> Self {
        Self {
            message,
            change: None,
        }
    }
}
