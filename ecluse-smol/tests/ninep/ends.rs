//! Cut connections, resets, a server that stops: nobody is left, and nothing is said about what was before.

use std::net::Shutdown;

use ecluse_smol::cancel::Kind;
use smol::io::AsyncWriteExt;

use crate::{
    kit::{NEVER, is_look, look, open_all, read_deaf, said, slow_text, with_server},
    server::{
        client::{flush, read},
        wire::encode,
    },
};

#[test]
fn all_tasks_of_a_connection_that_is_cut_end() {
    with_server(async |server| {
        let mut client = server.client().await?;
        client.say(1, read(NEVER)).await?;
        read_deaf(&server, &mut client, 2).await?;
        client.say(3, flush(2)).await?;
        server.sees("Tflush").await;
        drop(client);
        server.end_of_connection().await;
        assert_eq!((server.waiting_at_gate(), server.scope.live()), (0, 0));
        Ok(())
    });
}

#[test]
fn a_client_that_stops_within_a_message_is_forgotten() {
    with_server(async |server| {
        for length in [0, 3, 4, 20] {
            let mut client = server.client().await?;
            let message = encode(1, &look());
            let some = &message[..length.min(message.len() - 1)];
            client.0.write_all(some).await?;
            client.0.shutdown(Shutdown::Write)?;
            server.end_of_connection().await;
        }
        assert_eq!(server.scope.live(), 0);
        Ok(())
    });
}

#[test]
fn a_client_that_reads_nothing_and_goes_is_forgotten() {
    with_server(async |server| {
        let mut client = server.client().await?;
        server.hold.hold();
        for tag in 0..60 {
            client.say(tag, look()).await?;
        }
        server.hold.tried().await;
        drop(client);
        server.end_of_connection().await;
        assert_eq!(server.scope.live(), 0);
        Ok(())
    });
}

#[test]
fn a_reset_ends_what_was_before_and_frees_every_tag() {
    with_server(async |server| {
        let mut client = server.client().await?;
        for _ in 0..3 {
            client.say(1, read(NEVER)).await?;
            read_deaf(&server, &mut client, 2).await?;
            client.say(3, flush(2)).await?;
            client.say(4, flush(3)).await?;
            said(client.hear().await, 4, |_| true);
            // The next that is said is the answer to `Tversion`; then tags and fids are free.
            client.begin().await?;
            assert_eq!(server.waiting_at_gate(), 0);
            open_all(&mut client).await?;
            for tag in 1..5 {
                assert!(is_look(&client.call(tag, look()).await?));
            }
        }
        // Whom the gate is opened for is of this session.
        read_deaf(&server, &mut client, 2).await?;
        server.open_gate();
        said(client.hear().await, 2, |reply| *reply == slow_text());
        Ok(())
    });
}

#[test]
fn a_server_that_stops_cuts_off_all_clients() {
    with_server(async |server| {
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = server.client().await?;
            client.say(1, read(NEVER)).await?;
            read_deaf(&server, &mut client, 2).await?;
            clients.push(client);
        }
        server.scope.cancel(Kind::Shutdown);
        for client in &mut clients {
            // An end, or a reset.
            assert!(!matches!(client.hear().await, Ok(Some(_))));
            server.end_of_connection().await;
        }
        assert_eq!((server.waiting_at_gate(), server.scope.live()), (0, 0));
        Ok(())
    });
}
