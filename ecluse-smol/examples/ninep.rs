//! A 9P2000.L file server over TCP: a folder, and files that take their time, which its clients may take
//! back (`Tflush`).
//!
//! `cargo run -p ecluse-smol --example ninep -- --listen 127.0.0.1:5640 --folder . --log`
//!
//! A Linux kernel mounts that (`docs/ninep.md` shows it):
//!
//! `mount -t 9p -o trans=tcp,port=5640,version=9p2000.L 127.0.0.1 /mnt`
//!
//! Without `--listen` it shows what a flush does, on a server of its own, and ends. It serves whoever
//! connects, and lets them read all of the folder.
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

#[path = "ninep/mod.rs"]
mod server;

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use smol::{Timer, net::TcpListener};

use self::server::{
    Log,
    client::{Client, flush, list, read},
    serve,
    tree::{TEXT, Tree},
    wire::{Data, Dirent, Rmessage},
};

/// A 9P2000.L file server. It serves whoever connects.
#[derive(Parser)]
struct Args {
    /// Where clients connect, such as 127.0.0.1:5640.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// What they read.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// How long a read of slow/late takes.
    #[arg(long, default_value_t = 5000)]
    millis: u64,
    /// Print what goes over the wire.
    #[arg(long)]
    log: bool,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let (millis, show) = match args.listen {
        Some(_) => (args.millis, args.log),
        None => (100, true),
    };
    let tree = Arc::new(Tree::new(args.folder.canonicalize()?, move |_| {
        Box::pin(async move {
            Timer::after(Duration::from_millis(millis)).await;
        })
    }));
    let start = Instant::now();
    let log: Log = Arc::new(move |line| {
        if show {
            println!("{:8.3} {line}", start.elapsed().as_secs_f64());
        }
    });
    smol::block_on(async {
        if let Some(listen) = args.listen {
            let listener = TcpListener::bind(listen).await?;
            println!("listening on {}", listener.local_addr()?);
            return serve(listener, tree, log).await;
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let to = listener.local_addr()?;
        let serving = smol::spawn(serve(listener, tree, log));
        show_flushes(to).await?;
        drop(serving);
        Ok(())
    })
}

/// A listing, and three reads, each taken back.
async fn show_flushes(to: SocketAddr) -> io::Result<()> {
    const TAG: u16 = 7;
    let mut client = Client::attach(to).await?;
    client.open(1, &[]).await?;
    let listed = client.call(TAG, list(1)).await?;
    let Rmessage::Rreaddir { data } = listed else {
        panic!("no listing: {listed:?}");
    };
    let entries = Dirent::all(&data.0).expect("entries of a folder");
    assert!(entries.iter().any(|entry| entry.name == "slow"));

    client.open(4, &["slow", "never"]).await?;
    client.open(2, &["slow", "deaf"]).await?;
    client.open(3, &["slow", "late"]).await?;
    let data = Data(TEXT.to_vec());
    let data = Rmessage::Rread { data };

    // Flushed, it is never answered; then the tag is free.
    client.say(TAG, read(4)).await?;
    let flushed = client.call(8, flush(TAG)).await?;
    assert_eq!(flushed, Rmessage::Rflush {});

    // It does not listen: its answer goes out first.
    client.say(TAG, read(2)).await?;
    client.say(8, flush(TAG)).await?;
    assert_eq!(client.hear().await?, Some((TAG, data.clone())));
    assert_eq!(client.hear().await?, Some((8, Rmessage::Rflush {})));

    // Taken back too late: there is nothing to be flushed.
    assert_eq!(client.call(TAG, read(3)).await?, data);
    let flushed = client.call(8, flush(TAG)).await?;
    assert_eq!(flushed, Rmessage::Rflush {});
    Ok(())
}
