//! Any bytes as frames: to the codec, and to a server. The fuzz targets `ninep_codec` and
//! `ninep_server` are these two; what they kept is run here once more.
//!
//! A server, whatever it is sent, ends with its connection, and says nothing but answers: each is a
//! message of its own frame, under a tag that was asked with, as often at most as it was.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::PathBuf,
    pin::Pin,
    process,
    sync::{Arc, Mutex, OnceLock},
    task::{Context, Poll},
};

use ecluse_smol::SharedScope;
use smol::{
    block_on,
    future::yield_now,
    io::{AsyncRead, AsyncWrite},
};

use crate::server::{
    MSIZE, connection,
    tree::Tree,
    wire::{Rmessage, Tmessage, decode, encode, read_frame},
};

/// W1, W2: bytes are malformed or a message, which is encoded to the same.
pub(crate) fn codec(bytes: &[u8]) {
    let frame = |bytes: &[u8]| {
        if let Ok((tag, message)) = decode::<Tmessage>(bytes) {
            let again = encode(tag, &message);
            let known = !matches!(message, Tmessage::Other(_));
            assert!(!known || again[4..] == *bytes, "{message:?}");
        }
        if let Ok((tag, message)) = decode::<Rmessage>(bytes) {
            let again = encode(tag, &message);
            let known = !matches!(message, Rmessage::Other(_));
            assert!(!known || again[4..] == *bytes, "{message:?}");
        }
    };
    frame(bytes);
    block_on(async {
        let mut from = bytes;
        while let Ok(Some(bytes)) = read_frame(&mut from, MSIZE).await {
            frame(&bytes);
        }
    });
}

/// What a client sends: a few bytes at a time, and when all is said it waits a little for answers.
struct Said {
    bytes: Vec<u8>,
    at: usize,
    waits: u32,
}

impl AsyncRead for Said {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        // The other tasks have turns between, more of them at the end.
        let turns = if self.at == self.bytes.len() { 64 } else { 1 };
        if self.waits < turns {
            self.waits += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.waits = 0;
        let count = to.len().min(self.bytes.len() - self.at).min(64);
        to[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Poll::Ready(Ok(count))
    }
}

/// What a client hears.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl AsyncWrite for Heard {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A folder that stays for the process.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = env::temp_dir().join(format!("ecluse-frames-{}", process::id()));
        fs::create_dir_all(folder.join("inner")).unwrap();
        fs::write(folder.join("file"), "a file").unwrap();
        folder
    })
}

/// A session is begun, with the root as fid 0; then come the bytes.
pub(crate) fn server(bytes: &[u8]) {
    let begin = [
        encode(
            u16::MAX,
            &Tmessage::Tversion {
                msize: 8192,
                version: "9P2000.L".to_owned(),
            },
        ),
        encode(
            0,
            &Tmessage::Tattach {
                fid: 0,
                afid: u32::MAX,
                uname: String::new(),
                aname: String::new(),
                n_uname: 0,
            },
        ),
    ];
    let bytes = [&begin.concat(), bytes].concat();
    let asked = block_on(asked(&bytes));
    let pause = |_| -> Pin<Box<dyn Future<Output = ()> + Send>> { Box::pin(yield_now()) };
    let tree = Arc::new(Tree::new(folder().clone(), pause));
    let (heard, scope) = (Heard::default(), SharedScope::new());
    let said = Said {
        bytes,
        at: 0,
        waits: 0,
    };
    let log = Arc::new(|_: &str| {});
    block_on(connection(said, heard.clone(), tree, log, scope.child()));
    assert_eq!(scope.live(), 0, "a task is left");
    let heard = heard.0.lock().unwrap();
    block_on(check(&heard, asked));
}

/// How often each tag was asked with, in what a server may have read.
async fn asked(mut bytes: &[u8]) -> BTreeMap<u16, usize> {
    let mut asked = BTreeMap::new();
    while let Ok(Some(frame)) = read_frame(&mut bytes, MSIZE).await {
        if let Ok((tag, _)) = decode::<Tmessage>(&frame) {
            *asked.entry(tag).or_default() += 1;
        }
    }
    asked
}

async fn check(mut heard: &[u8], mut asked: BTreeMap<u16, usize>) {
    loop {
        match read_frame(&mut heard, MSIZE).await {
            Ok(None) => return,
            Ok(Some(frame)) => {
                let (tag, answer) = decode::<Rmessage>(&frame).expect("a message");
                assert!(!matches!(answer, Rmessage::Other(_)), "{answer:?}");
                let left = asked.get_mut(&tag).filter(|left| **left > 0);
                *left.unwrap_or_else(|| panic!("nobody asked for {tag}: {answer:?}")) -= 1;
            }
            Err(error) => panic!("no frame: {error}"),
        }
    }
}

#[cfg(test)]
mod kept {
    use std::{fs, path::Path};

    fn inputs(target: &str, run: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus");
        let entries = fs::read_dir(corpus.join(target)).expect("the target has a corpus");
        let inputs = entries.map(|entry| {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            run(&fs::read(path).unwrap());
        });
        assert!(inputs.count() > 0, "no inputs");
    }

    #[test]
    fn what_the_fuzzer_kept_is_malformed_or_a_message() {
        inputs("ninep_codec", super::codec);
    }

    #[test]
    fn what_the_fuzzer_kept_is_answered_or_cut_off() {
        inputs("ninep_server", super::server);
    }
}
