//! Clients that break the protocol, or ask for too much: refused or cut off, and nobody else is harmed.

use std::{io, net::Shutdown, sync::Arc};

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof,
    test_runner::{Config, TestRunner},
};
use smol::{io::AsyncWriteExt, net::TcpListener};

use crate::{
    codec::asked,
    kit::{FILE, NEVER, Server, is_look, look, read_deaf, with_server},
    server::{
        MSIZE, REQUESTS,
        client::{Client, ROOT, flush, read},
        serve,
        tree::Tree,
        wire::{NO_TAG, Rmessage, Tmessage, encode},
    },
};

const FLUSHED: Rmessage = Rmessage::Rflush {};

/// Hears until the connection is closed; with unread bytes of ours that is a reset.
async fn cut_off(server: &Server, client: &mut Client) {
    while let Ok(Some(_)) = client.hear().await {}
    server.end_of_connection().await;
}

fn twalk(names: usize) -> Tmessage {
    Tmessage::Twalk {
        fid: ROOT,
        newfid: 50,
        names: vec![String::new(); names],
    }
}

#[test]
fn bytes_that_are_no_message_cut_their_client_off_and_nobody_else() {
    with_server(async |server| {
        let mut other = server.client().await?;
        let look = encode(5, &look());
        let sized = |size: u32| [&size.to_le_bytes(), &look[4..]].concat();
        let mut no_text = encode(5, &twalk(1));
        let end = no_text.len();
        no_text[end - 2] = 1;
        no_text.push(0xff);
        no_text[0] += 1;
        let cases: [(&str, Vec<u8>); 8] = [
            ("no size", sized(0)),
            ("less than a head", sized(6)),
            ("too short for its fields", sized(look.len() as u32 - 1)),
            ("too long for its fields", sized(look.len() as u32 + 1)),
            ("more than was agreed upon", sized(MSIZE + 1)),
            ("as much as can be said", sized(u32::MAX)),
            ("17 names", encode(5, &twalk(17))),
            ("a name that is no text", no_text),
        ];
        for (case, bytes) in cases {
            let mut client = server.client().await?;
            // What came too short could go on. (In one piece: after the first it may be closed.)
            client.0.write_all(&[bytes, look.clone()].concat()).await?;
            cut_off(&server, &mut client).await;
            let alive = other.call(1, crate::kit::look()).await?;
            assert!(is_look(&alive), "{case}");
        }
        Ok(())
    });
}

#[test]
fn tags_in_use_and_requests_without_a_session_cut_their_client_off() {
    with_server(async |server| {
        let version = |msize, version: &str| Tmessage::Tversion {
            msize,
            version: version.to_owned(),
        };
        // With a session, and a request under tag 1 that is not answered.
        for (tag, message) in [
            (1, look()),
            (1, read(FILE)),
            (1, flush(1)),
            (1, flush(2)),
            (NO_TAG, look()),
            (NO_TAG, flush(1)),
            (3, version(MSIZE, "9P2000.L")),
            (NO_TAG, version(100, "9P2000.L")),
        ] {
            let mut client = server.client().await?;
            read_deaf(&server, &mut client, 1).await?;
            client.say(tag, message).await?;
            cut_off(&server, &mut client).await;
        }
        // Without one, or with one that was refused.
        for before in [None, Some("9P2000"), Some("")] {
            for message in [look(), flush(1), read(FILE)] {
                let mut client = Client::connect(server.to).await?;
                if let Some(before) = before {
                    let answer = client.call(NO_TAG, version(MSIZE, before)).await?;
                    let unknown = "unknown".to_owned();
                    let version = unknown;
                    assert_eq!(
                        answer,
                        Rmessage::Rversion {
                            msize: MSIZE,
                            version
                        }
                    );
                }
                client.say(1, message).await?;
                cut_off(&server, &mut client).await;
            }
        }
        assert_eq!(server.scope.live(), 0);
        Ok(())
    });
}

#[test]
fn unknown_messages_fids_and_offsets_are_errors_and_no_more() {
    with_server(async |server| {
        let mut client = server.client().await?;
        let error = |errno| Rmessage::Rlerror { errno };
        let empty = |fid, offset, count| Tmessage::Tread { fid, offset, count };
        assert_eq!(client.call(1, Tmessage::Other(30)).await?, error(95));
        assert_eq!(client.call(1, Tmessage::Other(255)).await?, error(95));
        assert_eq!(
            client.call(1, Tmessage::Tclunk { fid: 77 }).await?,
            error(9)
        );
        assert_eq!(client.call(1, read(ROOT)).await?, error(9));
        assert!(is_look(&client.call(1, look()).await?));
        for message in [empty(FILE, u64::MAX, 10), empty(NEVER, u64::MAX, 10)] {
            let answer = client.call(1, message).await?;
            // Linux has no offset beyond 2^63.
            assert!(
                matches!(&answer, Rmessage::Rread { data } if data.0.is_empty())
                    || answer == error(22)
            );
        }
        // As much as fits into a frame, however much was asked for.
        let answer = client.call(1, empty(FILE, 0, u32::MAX)).await?;
        assert!(matches!(answer, Rmessage::Rread { data } if data.0.len() == 10_000));
        Ok(())
    });
}

#[test]
fn too_many_fids_are_refused() {
    with_server(async |server| {
        let mut client = server.client().await?;
        let mut walk = async |newfid| {
            let (fid, names) = (ROOT, Vec::new());
            client.call(1, Tmessage::Twalk { fid, newfid, names }).await
        };
        let mut taken = 0;
        while walk(1000 + taken).await? == (Rmessage::Rwalk { qids: Vec::new() }) {
            taken += 1;
            assert!(taken <= 1024);
        }
        assert_eq!(walk(1000 + taken).await?, Rmessage::Rlerror { errno: 23 });
        Ok(())
    });
}

#[test]
fn too_many_requests_are_refused_and_each_can_be_flushed() {
    with_server(async |server| {
        let mut client = server.client().await?;
        let most = REQUESTS as u16;
        for tag in 0..most {
            client.say(tag, read(NEVER)).await?;
        }
        let again = Rmessage::Rlerror { errno: 11 };
        assert_eq!(client.call(500, look()).await?, again);
        for tag in 0..most {
            assert_eq!(client.call(500, flush(tag)).await?, FLUSHED);
        }
        assert!(is_look(&client.call(500, look()).await?));
        Ok(())
    });
}

#[test]
fn a_storm_of_flushes_is_cut_off() {
    with_server(async |server| {
        let mut client = server.client().await?;
        read_deaf(&server, &mut client, 1).await?;
        for tag in 100..1100 {
            // Cut off on the way.
            if client.say(tag, flush(1)).await.is_err() {
                break;
            }
        }
        cut_off(&server, &mut client).await;
        assert_eq!((server.waiting_at_gate(), server.scope.live()), (0, 0));
        Ok(())
    });
}

#[test]
fn requests_of_a_client_that_reads_late_are_each_answered_once() {
    with_server(async |server| {
        let mut client = server.client().await?;
        server.hold.hold();
        for tag in 0..1000 {
            client.say(tag, look()).await?;
        }
        server.hold.tried().await;
        server.hold.let_go();
        let mut answered = vec![false; 1000];
        for _ in 0..1000 {
            let Some((tag, answer)) = client.hear().await? else {
                panic!("cut off");
            };
            let again = Rmessage::Rlerror { errno: 11 };
            assert!(is_look(&answer) || answer == again, "{answer:?}");
            assert!(!std::mem::replace(&mut answered[usize::from(tag)], true));
        }
        assert!(is_look(&client.call(0, look()).await?));
        Ok(())
    });
}

/// What a client says, byte by byte: messages that could be, some of them damaged, some only noise.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let message = (0_u16..4, asked()).prop_map(|(tag, message)| encode(tag, &message));
    let read = (0_u16..4, 0..6_u32).prop_map(|(tag, fid)| encode(tag, &read(fid)));
    let flush = (0_u16..8, 0_u16..8).prop_map(|(tag, old)| encode(tag, &flush(old)));
    let damaged = (
        message.clone(),
        any::<proptest::sample::Index>(),
        any::<u8>(),
    )
        .prop_map(|(mut bytes, at, byte)| {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        });
    let begin = Just(encode(
        NO_TAG,
        &Tmessage::Tversion {
            msize: MSIZE,
            version: "9P2000.L".to_owned(),
        },
    ));
    let piece = prop_oneof![
        6 => message, 6 => read, 6 => flush, 1 => begin, 1 => damaged, 1 => vec(any::<u8>(), 0..40),
    ];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

#[test]
fn noise_leaves_nothing_behind() {
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(60)
    };
    let mut runner = TestRunner::new(config);
    let ran = runner.run(&noise(), |noise| {
        with_server(async |server| {
            let mut client = server.client().await?;
            // Cut off on the way, or not.
            let _ = client.0.write_all(&noise).await;
            let _ = client.0.shutdown(Shutdown::Write);
            cut_off(&server, &mut client).await;
            assert_eq!((server.waiting_at_gate(), server.scope.live()), (0, 0));
            Ok(())
        });
        Ok(())
    });
    ran.unwrap();
}

/// The example's own acceptor.
#[test]
fn more_clients_than_places_are_served_in_turn() {
    with_server(async |_| {
        let tree = Tree::new(".".into(), |_| Box::pin(async {}));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let to = listener.local_addr()?;
        let _serving = smol::spawn(serve(listener, Arc::new(tree), Arc::new(|_| {})));
        let mut first = Vec::new();
        for _ in 0..64 {
            first.push(Client::attach(to).await?);
        }
        let late = smol::spawn(async move { Client::attach(to).await });
        drop(first.pop());
        let mut late: Client = late.await?;
        assert!(is_look(&late.call(1, look()).await?));
        io::Result::Ok(())
    });
}
