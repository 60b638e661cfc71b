//! 9P2000.L on the wire: `size[4] type[1] tag[2]` and the fields of the message, all little-endian.
//!
//! Written here, since no crate on the registry fits: `p9` keeps its messages to itself, `ninep` has no
//! 9P2000.L, `rs9p` needs tokio, `jetstream_9p` is part of an RPC framework with hundreds of dependencies.
//!
//! Invariants:
//! - **W1** No bytes make it panic, and it allocates no more than a small multiple of those that came:
//!   a length that is only claimed costs nothing.
//! - **W2** A message is all of its frame: what is too short, too long, or no text where there should be
//!   some, is malformed. What was encoded is decoded to the same.

use std::{fmt, io};

use smol::io::{AsyncRead, AsyncReadExt};

/// The tag of `Tversion`, which is no request's.
pub(crate) const NO_TAG: u16 = u16::MAX;
/// The bytes before the fields of a message: its size, type and tag.
pub(crate) const HEAD: u32 = 7;
/// How many names the protocol allows in one `Twalk`.
const NAMES: u16 = 16;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// No frame may have this size.
    Size(u32),
    /// The frame ends within a field.
    Short,
    /// There is something behind the last field.
    Long,
    /// Text that is not UTF-8.
    Text,
    /// More names than one message may have.
    Names(u16),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => write!(f, "a frame of {size} bytes"),
            Self::Short => f.write_str("a message that ends too soon"),
            Self::Long => f.write_str("a message with something behind it"),
            Self::Text => f.write_str("text that is not UTF-8"),
            Self::Names(names) => write!(f, "{names} names in one message"),
        }
    }
}

impl std::error::Error for Malformed {}

impl From<Malformed> for io::Error {
    fn from(malformed: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, malformed)
    }
}

/// Reads a frame of `limit` bytes at most, without its size. `None`: the stream ended before it.
pub(crate) async fn read_frame<R>(from: &mut R, limit: u32) -> io::Result<Option<Vec<u8>>>
where
    R: AsyncRead + Unpin,
{
    let mut size = Vec::new();
    from.take(4).read_to_end(&mut size).await?;
    let size = match size.try_into() {
        Ok(size) => u32::from_le_bytes(size),
        Err(none) if none.is_empty() => return Ok(None),
        Err(_) => return Err(Malformed::Short.into()),
    };
    if !(HEAD..=limit).contains(&size) {
        return Err(Malformed::Size(size).into());
    }
    let size = u64::from(size) - 4;
    let mut frame = Vec::new();
    // It grows with what comes (W1).
    from.take(size).read_to_end(&mut frame).await?;
    if (frame.len() as u64) < size {
        return Err(Malformed::Short.into());
    }
    Ok(Some(frame))
}

/// A message as a frame, its size included.
pub(crate) fn encode<M: Message>(tag: u16, message: &M) -> Vec<u8> {
    let mut frame = vec![0; 4];
    message.code().put(&mut frame);
    tag.put(&mut frame);
    message.put(&mut frame);
    let size = frame.len() as u32;
    frame[..4].copy_from_slice(&size.to_le_bytes());
    frame
}

/// What a frame, without its size, says.
pub(crate) fn decode<M: Message>(mut frame: &[u8]) -> Result<(u16, M), Malformed> {
    let code = u8::take(&mut frame)?;
    let tag = u16::take(&mut frame)?;
    let message = M::take(code, &mut frame)?;
    if !frame.is_empty() {
        return Err(Malformed::Long);
    }
    Ok((tag, message))
}

/// What messages are made of.
trait Field: Sized {
    fn put(&self, to: &mut Vec<u8>);
    fn take(from: &mut &[u8]) -> Result<Self, Malformed>;
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Field for $integer {
            fn put(&self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }

            fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
                let (bytes, rest) = from.split_first_chunk().ok_or(Malformed::Short)?;
                *from = rest;
                Ok(Self::from_le_bytes(*bytes))
            }
        }
    )*};
}
integers!(u8, u16, u32, u64);

fn take_bytes<'b>(from: &mut &'b [u8], count: usize) -> Result<&'b [u8], Malformed> {
    let (bytes, rest) = from.split_at_checked(count).ok_or(Malformed::Short)?;
    *from = rest;
    Ok(bytes)
}

/// Text of up to 65,535 bytes. What is longer is cut.
impl Field for String {
    fn put(&self, to: &mut Vec<u8>) {
        let count = u16::try_from(self.len()).unwrap_or(u16::MAX);
        count.put(to);
        to.extend_from_slice(&self.as_bytes()[..count.into()]);
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        let count = u16::take(from)?;
        let bytes = take_bytes(from, count.into())?;
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed::Text)?;
        Ok(text.to_owned())
    }
}

impl<F: Field> Field for Vec<F> {
    fn put(&self, to: &mut Vec<u8>) {
        let count = u16::try_from(self.len()).unwrap_or(u16::MAX);
        count.put(to);
        self.iter()
            .take(count.into())
            .for_each(|field| field.put(to));
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        let count = u16::take(from)?;
        if count > NAMES {
            return Err(Malformed::Names(count));
        }
        (0..count).map(|_| F::take(from)).collect()
    }
}

/// Bytes of a file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Data(pub(crate) Vec<u8>);

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Field for Data {
    fn put(&self, to: &mut Vec<u8>) {
        (self.0.len() as u32).put(to);
        to.extend_from_slice(&self.0);
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        let count = u32::take(from)?;
        Ok(Self(take_bytes(from, count as usize)?.to_vec()))
    }
}

/// A group of fields.
macro_rules! group {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        pub(crate) struct $name {
            $(pub(crate) $field: $type,)*
        }

        impl Field for $name {
            fn put(&self, to: &mut Vec<u8>) {
                $(self.$field.put(to);)*
            }

            fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
                Ok(Self { $($field: Field::take(from)?,)* })
            }
        }
    };
}

group! {
    /// What a file is known by: two files of one server never have the same.
    #[derive(Clone, Copy, PartialEq, Eq)]
    Qid {
        kind: u8,
        version: u32,
        path: u64,
    }
}

impl fmt::Debug for Qid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}.{}.{}", self.kind, self.version, self.path)
    }
}

group! {
    /// A point in time.
    #[derive(Clone, Copy, Default, PartialEq, Eq)]
    Time {
        seconds: u64,
        nanoseconds: u64,
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.seconds, self.nanoseconds)
    }
}

group! {
    /// An entry of a folder, in the data of an `Rreaddir`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    Dirent {
        qid: Qid,
        next: u64,
        kind: u8,
        name: String,
    }
}

impl Dirent {
    /// Appends it to `data` if that is no longer than `limit` then.
    pub(crate) fn append(&self, data: &mut Vec<u8>, limit: usize) -> bool {
        let before = data.len();
        self.put(data);
        let fits = data.len() <= limit;
        if !fits {
            data.truncate(before);
        }
        fits
    }

    /// What the data of an `Rreaddir` says.
    pub(crate) fn all(mut data: &[u8]) -> Result<Vec<Self>, Malformed> {
        let mut entries = Vec::new();
        while !data.is_empty() {
            entries.push(Self::take(&mut data)?);
        }
        Ok(entries)
    }
}

/// All messages of one direction.
pub(crate) trait Message: fmt::Debug + Sized {
    /// The type on the wire.
    fn code(&self) -> u8;
    /// Writes the fields.
    fn put(&self, to: &mut Vec<u8>);
    /// Reads the fields of a message of type `code`.
    fn take(code: u8, from: &mut &[u8]) -> Result<Self, Malformed>;
}

macro_rules! messages {
    ($(#[$meta:meta])* $name:ident {
        $($code:literal $message:ident { $($field:ident: $type:ty),* },)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($message { $($field: $type),* },)*
            /// A message of a type that is not known here, whatever its fields.
            Other(u8),
        }

        impl Message for $name {
            fn code(&self) -> u8 {
                match self {
                    $(Self::$message { .. } => $code,)*
                    Self::Other(code) => *code,
                }
            }

            fn put(&self, _to: &mut Vec<u8>) {
                match self {
                    $(Self::$message { $($field),* } => { $($field.put(_to);)* })*
                    Self::Other(_) => {}
                }
            }

            fn take(code: u8, from: &mut &[u8]) -> Result<Self, Malformed> {
                Ok(match code {
                    $($code => Self::$message { $($field: Field::take(from)?),* },)*
                    _ => {
                        *from = &[];
                        Self::Other(code)
                    }
                })
            }
        }
    };
}

messages! {
    /// What a client says.
    Tmessage {
        8 Tstatfs { fid: u32 },
        12 Tlopen { fid: u32, flags: u32 },
        22 Treadlink { fid: u32 },
        24 Tgetattr { fid: u32, mask: u64 },
        40 Treaddir { fid: u32, offset: u64, count: u32 },
        100 Tversion { msize: u32, version: String },
        104 Tattach { fid: u32, afid: u32, uname: String, aname: String, n_uname: u32 },
        108 Tflush { oldtag: u16 },
        110 Twalk { fid: u32, newfid: u32, names: Vec<String> },
        116 Tread { fid: u32, offset: u64, count: u32 },
        120 Tclunk { fid: u32 },
    }
}

messages! {
    /// What the server says.
    Rmessage {
        7 Rlerror { errno: u32 },
        9 Rstatfs {
            kind: u32, bsize: u32, blocks: u64, bfree: u64, bavail: u64, files: u64, ffree: u64, fsid: u64, namelen: u32
        },
        13 Rlopen { qid: Qid, iounit: u32 },
        23 Rreadlink { target: String },
        25 Rgetattr {
            valid: u64, qid: Qid, mode: u32, uid: u32, gid: u32, nlink: u64, rdev: u64, size: u64, blksize: u64, blocks: u64,
            atime: Time, mtime: Time, ctime: Time, btime: Time, generation: u64, data_version: u64
        },
        41 Rreaddir { data: Data },
        101 Rversion { msize: u32, version: String },
        105 Rattach { qid: Qid },
        109 Rflush {},
        111 Rwalk { qids: Vec<Qid> },
        117 Rread { data: Data },
        121 Rclunk {},
    }
}
