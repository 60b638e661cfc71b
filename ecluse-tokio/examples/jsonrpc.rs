//! A language server's clients take requests back by `$/cancelRequest`: whoever types on does not want the
//! completions for what was there before. The same table as for 9P's flushes (`ecluse-smol`'s example `ninep`)
//! under another protocol: here *every* request is answered, once, a cancelled one by the error
//! `RequestCancelled`, and the cancellation itself is not answered.
//!
//! `cargo run -p ecluse-tokio --example jsonrpc`
//!
//! Client and server talk through a pipe in memory, framed as on a language server's standard input.
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

use std::{future::pending, io, sync::Arc, time::Duration};

use ecluse_tokio::{
    Channel, SharedScope, TokioSpawn,
    cancel::Kind,
    flush::{GrowingFlushTable, NotBegun, Request},
};
use serde_json::{Value, from_slice, json};
use tokio::{
    io::{
        AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, duplex,
        split,
    },
    task::yield_now,
    time::timeout,
};

/// Requests in flight, by their ids.
type Table = GrowingFlushTable<i64>;
/// To the one who writes.
type Answers = Channel<Value, 16>;

const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const REQUEST_CANCELLED: i64 = -32800;
const SERVER_BUSY: i64 = -32000;
/// What a client may have in flight, and how long a message may be.
const REQUESTS: usize = 100;
const LONGEST: usize = 1 << 20;

/// Serves a client until it goes.
async fn serve(from: impl AsyncBufRead + Unpin, to: impl AsyncWrite + Unpin + Send + 'static) {
    let requests = Arc::new(Table::new().with_limit(REQUESTS));
    let answers = Arc::new(Answers::new());
    let server: SharedScope = SharedScope::named("language server");
    let tasks = server.run(async |server| {
        let writer = write(answers.clone(), to, server.clone());
        let writes = server.spawn(&TokioSpawn::current(), |_| writer).is_ok();
        let reads = read(from, &requests, &answers, &server);
        let end = server.cx().guard(reads).await;
        println!("server: the end: {writes} {end:?}");
        requests.end(Kind::Shutdown);
        server.force(Kind::Shutdown);
    });
    tasks.await;
}

/// Enters requests and cancels them, in the order in which they come.
async fn read(
    mut from: impl AsyncBufRead + Unpin,
    requests: &Arc<Table>,
    answers: &Arc<Answers>,
    server: &SharedScope,
) -> io::Result<()> {
    while let Some(message) = receive(&mut from).await? {
        println!("-> {message}");
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        let answer = match message["id"].as_i64() {
            None if method == "$/cancelRequest" => {
                // If there is no such request (any more), its answer is on its way: all is well.
                let _ = message["params"]["id"]
                    .as_i64()
                    .is_some_and(|id| requests.cancel(id));
                continue;
            }
            // Another notification: nobody is answered.
            None => continue,
            Some(id) => match Table::begin_owned(requests, id) {
                Ok(request) => {
                    let answers = answers.clone();
                    let handled = server.spawn(&TokioSpawn::current(), |_| async move {
                        answer(request, id, &method, &answers).await;
                    });
                    debug_assert!(handled.is_ok(), "nobody cancels the server");
                    continue;
                }
                // The id is that of another request: an answer with it would be taken for that one's.
                Err(NotBegun::InUse(_)) => error(Value::Null, INVALID_REQUEST),
                Err(_) => error(id.into(), SERVER_BUSY),
            },
        };
        let _ = answers.send(answer).await;
    }
    Ok(())
}

/// Answers a request: with what it found, or that it was cancelled.
async fn answer(request: Request<Arc<Table>>, id: i64, method: &str, answers: &Answers) {
    let answer = match method {
        "hover" => Ok("a word about what is under the cursor"),
        // Would go on for ever, but listens.
        "symbols" => {
            let found = request.cx().guard(pending()).await;
            found.map_err(|_| REQUEST_CANCELLED)
        }
        // Goes on, cancelled or not.
        "format" => {
            for _ in 0..10 {
                yield_now().await;
            }
            Ok("formatted")
        }
        _ => Err(METHOD_NOT_FOUND),
    };
    let answer = match answer {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(code) => error(id.into(), code),
    };
    // The id is free from here on: the client has it back when it reads this.
    if let Ok(reply) = request.reply() {
        let _ = answers.send(answer).await;
        reply.sent();
    }
}

fn error(id: Value, code: i64) -> Value {
    let message = match code {
        REQUEST_CANCELLED => "cancelled",
        METHOD_NOT_FOUND => "no such method",
        SERVER_BUSY => "too many requests",
        _ => "this id is in use",
    };
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

/// The one who writes.
async fn write(answers: Arc<Answers>, mut to: impl AsyncWrite + Unpin, server: SharedScope) {
    while let Ok(answer) = answers.receive().await {
        println!("<- {answer}");
        if send(&mut to, &answer).await.is_err() {
            break;
        }
    }
    server.cancel(Kind::Explicit);
}

async fn send(to: &mut (impl AsyncWrite + Unpin), message: &Value) -> io::Result<()> {
    let text = message.to_string();
    let framed = format!("Content-Length: {}\r\n\r\n{text}", text.len());
    to.write_all(framed.as_bytes()).await
}

/// The next message; none at the end.
async fn receive(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Value>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        // No header is longer than this.
        if (&mut *from).take(1000).read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("Content-Length") => {
                length = value.parse().ok().filter(|length| *length <= LONGEST);
            }
            Some(_) => {}
            None => break,
        }
    }
    let length = length.ok_or(io::ErrorKind::InvalidData)?;
    let mut text = vec![0; length];
    from.read_exact(&mut text).await?;
    Ok(Some(from_slice(&text)?))
}

/// A client, which asks and takes back.
async fn talk(
    mut from: impl AsyncBufRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let ask =
        |id: i64, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}});
    let cancel =
        |id: i64| json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": id}});
    let mut next = async || io::Result::Ok(receive(&mut from).await?.unwrap_or_default());

    // Taken back: answered by an error, once; then the id may be used again.
    send(&mut to, &ask(1, "symbols")).await?;
    send(&mut to, &cancel(1)).await?;
    send(&mut to, &cancel(1)).await?;
    let answer = next().await?;
    assert_eq!(
        (&answer["id"], &answer["error"]["code"]),
        (&json!(1), &json!(REQUEST_CANCELLED))
    );
    send(&mut to, &ask(1, "hover")).await?;
    assert!(next().await?["result"].is_string());

    // Too late, or never asked: not a word.
    send(&mut to, &cancel(1)).await?;
    send(&mut to, &cancel(99)).await?;
    send(&mut to, &ask(2, "hover")).await?;
    assert_eq!(next().await?["id"], 2);

    // It does not listen, and its result is as good as any.
    send(&mut to, &ask(3, "format")).await?;
    send(&mut to, &cancel(3)).await?;
    let answer = next().await?;
    assert_eq!(
        (&answer["id"], &answer["result"]),
        (&json!(3), &json!("formatted"))
    );

    // The others are not affected; an id in use is refused, and its request goes on.
    send(&mut to, &ask(4, "symbols")).await?;
    send(&mut to, &ask(5, "symbols")).await?;
    send(&mut to, &cancel(5)).await?;
    assert_eq!(next().await?["id"], 5);
    send(&mut to, &ask(4, "hover")).await?;
    let answer = next().await?;
    assert_eq!(
        (&answer["id"], &answer["error"]["code"]),
        (&Value::Null, &json!(INVALID_REQUEST))
    );
    send(&mut to, &cancel(4)).await?;
    assert_eq!(next().await?["id"], 4);

    // It goes while one is in flight: that ends, too.
    send(&mut to, &ask(6, "symbols")).await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (client, server) = duplex(4096);
    let (from, to) = split(server);
    let serving = tokio::spawn(serve(BufReader::new(from), to));
    let (from, to) = split(client);
    let bound = Duration::from_secs(60);
    timeout(bound, talk(BufReader::new(from), to)).await??;
    timeout(bound, serving).await??;
    Ok(())
}
