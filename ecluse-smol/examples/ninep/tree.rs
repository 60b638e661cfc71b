//! What is served: a folder, read-only, and beside its files a folder `slow` of files that take their time.
//!
//! Invariants:
//! - **F1** Every path is the folder's own, or of one that was an entry of such a one and no link when it
//!   was walked to: no name leads out of the folder. (Whoever can exchange a folder for a link while it
//!   is being read can do the rest, too: serve no folder that others may write to.)
//! - **F2** Nothing but files, folders and links is looked at: opening a pipe could take for ever.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    pin::Pin,
};

use super::{
    errno::{self, Errno},
    wire::{Data, Dirent, Qid, Rmessage, Time},
};

/// A file whose reads take their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slow {
    /// Answers after some time.
    Late,
    /// Never answers.
    Never,
    /// Answers after some time, flushed or not.
    Deaf,
}

/// What the files in `slow` have to say.
pub(crate) const TEXT: &[u8] = b"it took its time\n";

const SLOW: &str = "slow";
const SLOW_FILES: [(&str, Slow); 3] = [
    ("late", Slow::Late),
    ("never", Slow::Never),
    ("deaf", Slow::Deaf),
];

/// What is waited for in a read of `late` and `deaf`.
pub(crate) type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is served.
pub(crate) struct Tree {
    folder: PathBuf,
    pause: Box<dyn Fn(Slow) -> Pause + Send + Sync>,
}

/// A file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Of the folder (F1).
    Real(PathBuf),
    /// The folder of slow files.
    SlowFolder,
    /// One of those.
    Slow(Slow),
}

const FOLDER: u8 = 0x80;
const LINK: u8 = 0x02;
const FILE: u8 = 0;

impl Tree {
    /// Serves `folder`; `pause` is what a slow read waits for.
    pub(crate) fn new<P>(folder: PathBuf, pause: P) -> Self
    where
        P: Fn(Slow) -> Pause + Send + Sync + 'static,
    {
        Self {
            folder,
            pause: Box::new(pause),
        }
    }

    pub(crate) fn root(&self) -> Node {
        Node::Real(self.folder.clone())
    }

    /// What `name` is in `folder`.
    pub(crate) fn walk(&self, folder: &Node, name: &str) -> Result<Node, Errno> {
        if qid(folder)?.kind != FOLDER {
            return Err(errno::ENOTDIR);
        }
        match (folder, name) {
            (Node::SlowFolder, "..") => Ok(self.root()),
            (Node::SlowFolder, _) => SLOW_FILES
                .iter()
                .find(|(file, _)| *file == name)
                .map(|(_, slow)| Node::Slow(*slow))
                .ok_or(errno::ENOENT),
            (Node::Real(path), "..") if *path == self.folder => Ok(self.root()),
            (Node::Real(path), "..") => path
                .parent()
                .map(|parent| Node::Real(parent.to_owned()))
                .ok_or(errno::ENOENT),
            (Node::Real(path), SLOW) if *path == self.folder => Ok(Node::SlowFolder),
            // F1
            (_, "" | ".") => Err(errno::ENOENT),
            (_, name) if name.contains(['/', '\0']) => Err(errno::ENOENT),
            (Node::Real(path), name) => {
                let node = Node::Real(path.join(name));
                qid(&node).map(|_| node)
            }
            (Node::Slow(_), _) => Err(errno::ENOTDIR),
        }
    }

    /// Some entries of a folder, from the one behind number `after`, as many as fit into `limit` bytes.
    ///
    /// It reads the folder anew each time: a listing that is kept would be memory that a client decides on.
    pub(crate) fn list(&self, folder: &Node, after: u64, limit: usize) -> Result<Rmessage, Errno> {
        let mut data = Vec::new();
        let (mut next, mut cut) = (0, false);
        let mut append = |name: &str, node: &Node| {
            next += 1;
            if next <= after {
                return true;
            }
            // One that was removed meanwhile is left out.
            let Ok(qid) = qid(node) else { return true };
            let kind = match qid.kind {
                FOLDER => 4,
                LINK => 10,
                _ => 8,
            };
            let name = name.to_owned();
            let entry = Dirent {
                qid,
                next,
                kind,
                name,
            };
            cut = !entry.append(&mut data, limit);
            !cut
        };
        match folder {
            Node::SlowFolder => {
                let mut files = SLOW_FILES.iter();
                files.all(|(name, slow)| append(name, &Node::Slow(*slow)));
            }
            Node::Real(path) => {
                let root = *path == self.folder;
                let mut more = !root || append(SLOW, &Node::SlowFolder);
                for entry in fs::read_dir(path)? {
                    let entry = entry?;
                    // The protocol has no word for a name that is not UTF-8.
                    let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                        continue;
                    };
                    more =
                        more && (root && name == SLOW || append(&name, &Node::Real(entry.path())));
                    if !more {
                        break;
                    }
                }
            }
            Node::Slow(_) => return Err(errno::ENOTDIR),
        }
        // No entry at all would say that this was the last one.
        if cut && data.is_empty() {
            return Err(errno::EINVAL);
        }
        Ok(Rmessage::Rreaddir { data: Data(data) })
    }

    /// A read of a slow file.
    pub(crate) async fn read_slow(&self, slow: Slow, offset: u64, count: usize) -> Vec<u8> {
        if offset >= TEXT.len() as u64 {
            return Vec::new();
        }
        match slow {
            Slow::Never => std::future::pending().await,
            Slow::Late | Slow::Deaf => (self.pause)(slow).await,
        }
        let text = &TEXT[offset as usize..];
        text[..count.min(text.len())].to_vec()
    }
}

fn look(path: &Path) -> Result<Metadata, Errno> {
    let metadata = fs::symlink_metadata(path)?;
    let kind = metadata.file_type();
    if kind.is_file() || kind.is_dir() || kind.is_symlink() {
        Ok(metadata)
    } else {
        Err(errno::EACCES) // F2
    }
}

fn qid_of(metadata: &Metadata) -> Qid {
    let kind = metadata.file_type();
    Qid {
        kind: match () {
            () if kind.is_dir() => FOLDER,
            () if kind.is_symlink() => LINK,
            () => FILE,
        },
        version: 0,
        path: metadata.ino(),
    }
}

/// Far from any inode.
fn made_up(kind: u8, number: u64) -> Qid {
    Qid {
        kind,
        version: 0,
        path: u64::MAX - number,
    }
}

/// What a node is known by, if it is there.
pub(crate) fn qid(node: &Node) -> Result<Qid, Errno> {
    Ok(match node {
        Node::Real(path) => qid_of(&look(path)?),
        Node::SlowFolder => made_up(FOLDER, 0),
        Node::Slow(slow) => made_up(FILE, 1 + *slow as u64),
    })
}

pub(crate) fn attributes(node: &Node) -> Result<Rmessage, Errno> {
    let Node::Real(path) = node else {
        return Ok(made_up_attributes(qid(node)?));
    };
    let metadata = look(path)?;
    let time = |seconds: i64, nanoseconds: i64| Time {
        seconds: seconds as u64,
        nanoseconds: nanoseconds as u64,
    };
    Ok(Rmessage::Rgetattr {
        valid: BASIC,
        qid: qid_of(&metadata),
        mode: metadata.mode(),
        uid: metadata.uid(),
        gid: metadata.gid(),
        nlink: metadata.nlink(),
        rdev: 0,
        size: metadata.len(),
        blksize: metadata.blksize(),
        blocks: metadata.blocks(),
        atime: time(metadata.atime(), metadata.atime_nsec()),
        mtime: time(metadata.mtime(), metadata.mtime_nsec()),
        ctime: time(metadata.ctime(), metadata.ctime_nsec()),
        btime: Time::default(),
        generation: 0,
        data_version: 0,
    })
}

/// What an `Rgetattr` tells: all that `stat` does.
const BASIC: u64 = 0x7ff;

fn made_up_attributes(qid: Qid) -> Rmessage {
    let folder = qid.kind == FOLDER;
    Rmessage::Rgetattr {
        valid: BASIC,
        qid,
        mode: if folder { 0o040_555 } else { 0o100_444 },
        uid: 0,
        gid: 0,
        nlink: if folder { 2 } else { 1 },
        rdev: 0,
        size: if folder { 0 } else { TEXT.len() as u64 },
        blksize: 4096,
        blocks: 0,
        atime: Time::default(),
        mtime: Time::default(),
        ctime: Time::default(),
        btime: Time::default(),
        generation: 0,
        data_version: 0,
    }
}

/// Opens a file of the folder; the others need no opening.
pub(crate) fn open(node: &Node) -> Result<Option<File>, Errno> {
    match node {
        Node::Real(path) if look(path)?.is_file() => Ok(Some(File::open(path)?)),
        Node::Real(path) if look(path)?.is_symlink() => Err(errno::EACCES),
        _ => Ok(None),
    }
}

pub(crate) fn link(node: &Node, limit: usize) -> Result<Rmessage, Errno> {
    let Node::Real(path) = node else {
        return Err(errno::EINVAL);
    };
    let target = fs::read_link(path)?;
    let target = target.to_str().ok_or(errno::EIO)?.to_owned();
    if target.len() > limit {
        return Err(errno::ENAMETOOLONG);
    }
    Ok(Rmessage::Rreadlink { target })
}

/// Reads up to `count` bytes.
pub(crate) fn read(file: &File, offset: u64, count: usize) -> io::Result<Vec<u8>> {
    let mut data = vec![0; count];
    let read = file.read_at(&mut data, offset)?;
    data.truncate(read);
    Ok(data)
}
