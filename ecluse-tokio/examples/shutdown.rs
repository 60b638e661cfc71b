//! A server that is stopped by Ctrl-C: a quick request ends, a transaction is undone, a request that
//! listens to nobody is dropped when the grace is over, and the report says so. A second Ctrl-C would
//! have forced them at once.
//!
//! `cargo run -p ecluse-tokio --example shutdown -- --wait`: it waits for Ctrl-C. Without `--wait` it
//! sends that signal to itself.
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

use std::{env, future::pending, process::ExitCode, time::Duration};

use ecluse_tokio::{Cancelled, Cx, SharedScope, TokioSpawn, TokioTimer, cancel::Shutdown};
use signal_hook::{consts::SIGINT, low_level};
use tokio::time::sleep;

const GRACE: Duration = Duration::from_millis(500);

/// Takes very long, and undoes what it has begun if it is told to stop. Nothing stops *that* but the end of
/// the grace.
async fn transaction(cx: Cx<'_>) -> Result<(), Cancelled> {
    let told = cx.guard(sleep(Duration::from_secs(3600))).await;
    if told.is_err() {
        cx.protect(async |_| {
            sleep(Duration::from_millis(50)).await;
            println!("the transaction is undone");
        })
        .await;
    }
    told
}

/// A library that knows of no cancellation.
async fn deaf(cx: Cx<'_>) {
    let scope = std::pin::pin!(cx.child().named("deaf"));
    scope.as_ref().enter();
    pending().await
}

#[tokio::main]
async fn main() -> ExitCode {
    let server: SharedScope = SharedScope::named("server");
    let tasks = TokioSpawn::current();
    // As an acceptor would, a task for each connection.
    let spawned = [
        server
            .spawn(&tasks, |scope| async move {
                // A value that is there wins over the cancel.
                let done = scope.cx().guard(sleep(Duration::from_millis(10))).await;
                println!("the quick one: {done:?}");
            })
            .is_ok(),
        server
            .spawn(&tasks, |scope| async move {
                let told = transaction(scope.cx()).await;
                println!("the transaction: {told:?}");
            })
            .is_ok(),
        server
            .spawn(&tasks, |scope| async move { deaf(scope.cx()).await })
            .is_ok(),
    ];
    assert_eq!(spawned, [true; 3]);
    if env::args().any(|argument| argument == "--wait") {
        println!("Ctrl-C stops it");
    } else {
        tokio::spawn(async {
            sleep(Duration::from_millis(100)).await;
            let raised = low_level::raise(SIGINT);
            println!("raised: {raised:?}");
        });
    }
    let looks = server.clone();
    tokio::spawn(async move {
        looks.cx().cancelled().await;
        sleep(GRACE / 2).await;
        print!("half-way through the grace:\n{}", looks.tree());
    });
    let report = Shutdown::new(&server, TokioTimer)
        .grace(GRACE)
        .on(tokio::signal::ctrl_c)
        .await;
    println!("{report}");
    if report.left() > 0 {
        println!("still there:\n{}", server.tree());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
