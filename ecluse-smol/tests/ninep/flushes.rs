//! The order on the wire, whenever a flush comes.

use crate::{
    kit::{DEAF, FILE, LATE, NEVER, is_look, look, read_deaf, said, slow_text, with_server},
    server::{
        client::{ROOT, flush, read},
        wire::{Rmessage, Tmessage},
    },
};

const FLUSHED: Rmessage = Rmessage::Rflush {};

#[test]
fn a_read_that_was_flushed_before_its_reply_is_never_answered() {
    with_server(async |server| {
        let mut client = server.client().await?;
        client.say(1, read(NEVER)).await?;
        assert_eq!(client.call(2, flush(1)).await?, FLUSHED);
        client.say(1, read(LATE)).await?;
        server.at_gate.recv().await.unwrap();
        assert_eq!(client.call(2, flush(1)).await?, FLUSHED);
        server.open_gate();
        // Its tag is free, and nothing more is said about it.
        assert!(is_look(&client.call(1, look()).await?));
        Ok(())
    });
}

#[test]
fn a_reply_in_spite_of_its_flush_goes_out_before_the_flush_is_answered() {
    with_server(async |server| {
        let mut client = server.client().await?;
        read_deaf(&server, &mut client, 1).await?;
        client.say(2, flush(1)).await?;
        // Others go on meanwhile.
        assert!(is_look(&client.call(3, look()).await?));
        server.open_gate();
        said(client.hear().await, 1, |reply| *reply == slow_text());
        said(client.hear().await, 2, |reply| *reply == FLUSHED);
        Ok(())
    });
}

#[test]
fn a_flush_that_crosses_its_reply_is_answered_after_it() {
    with_server(async |server| {
        let mut client = server.client().await?;
        server.hold.hold();
        client.say(1, read(FILE)).await?;
        server.hold.tried().await;
        client.say(2, flush(1)).await?;
        server.sees("Tflush").await;
        server.hold.let_go();
        said(
            client.hear().await,
            1,
            |reply| matches!(reply, Rmessage::Rread { data } if data.0 == [7; 4096]),
        );
        said(client.hear().await, 2, |reply| *reply == FLUSHED);
        Ok(())
    });
}

#[test]
fn flushes_of_answered_unknown_and_own_tags_are_answered_at_once() {
    with_server(async |server| {
        let mut client = server.client().await?;
        assert!(is_look(&client.call(1, look()).await?));
        assert_eq!(client.call(2, flush(1)).await?, FLUSHED);
        assert_eq!(client.call(2, flush(1)).await?, FLUSHED);
        assert_eq!(client.call(2, flush(77)).await?, FLUSHED);
        assert_eq!(client.call(2, flush(2)).await?, FLUSHED);
        // What "interrupted" could be taken for is an answer: there is no such fid.
        let answer = client.call(1, read(99)).await?;
        assert_eq!(answer, Rmessage::Rlerror { errno: 9 });
        Ok(())
    });
}

#[test]
fn repeated_flushes_are_answered_in_their_order() {
    with_server(async |server| {
        let mut client = server.client().await?;
        read_deaf(&server, &mut client, 1).await?;
        for tag in 2..40 {
            client.say(tag, flush(1)).await?;
        }
        assert!(is_look(&client.call(40, look()).await?));
        server.open_gate();
        said(client.hear().await, 1, |reply| *reply == slow_text());
        for tag in 2..40 {
            said(client.hear().await, tag, |reply| *reply == FLUSHED);
        }
        Ok(())
    });
}

#[test]
fn a_flush_that_was_flushed_is_not_answered_and_holds_nobody_up() {
    with_server(async |server| {
        let mut client = server.client().await?;
        read_deaf(&server, &mut client, 1).await?;
        client.say(2, flush(1)).await?;
        client.say(3, flush(1)).await?;
        assert_eq!(client.call(4, flush(2)).await?, FLUSHED);
        // Its tag is free, while the request that it named still runs.
        assert!(is_look(&client.call(2, look()).await?));
        server.open_gate();
        said(client.hear().await, 1, |reply| *reply == slow_text());
        said(client.hear().await, 3, |reply| *reply == FLUSHED);
        assert!(is_look(&client.call(1, look()).await?));
        Ok(())
    });
}

/// Reply or flush first, as it happens: a reply is before its flush's answer or never, and the tag is
/// free then.
#[test]
fn a_tag_is_free_as_soon_as_its_flush_was_answered() {
    with_server(async |server| {
        let mut client = server.client().await?;
        for round in 0..500 {
            server.forget();
            client.say(1, read(FILE)).await?;
            if round % 2 == 0 {
                // It is being answered, or was.
                server.sees("<-     1 Rread").await;
            }
            client.say(2, flush(1)).await?;
            let mut replied = false;
            loop {
                match client.hear().await? {
                    Some((1, Rmessage::Rread { .. })) if !replied => replied = true,
                    Some((2, FLUSHED)) => break,
                    other => panic!("in round {round}: {other:?}"),
                }
            }
            assert!(replied || round % 2 > 0, "in round {round}");
            assert!(is_look(&client.call(1, look()).await?));
        }
        Ok(())
    });
}

/// A client whose walk was flushed uses the number of its new fid again.
#[test]
fn a_walk_that_was_flushed_leaves_no_fid_behind() {
    with_server(async |server| {
        let mut client = server.client().await?;
        let walk = Tmessage::Twalk {
            fid: ROOT,
            newfid: 9,
            names: vec!["inner".to_owned(), "leaf".to_owned()],
        };
        for round in 0..300 {
            client.say(1, walk.clone()).await?;
            client.say(2, flush(1)).await?;
            let mut walked = false;
            loop {
                match client.hear().await? {
                    Some((1, Rmessage::Rwalk { .. })) => walked = true,
                    Some((2, FLUSHED)) => break,
                    other => panic!("in round {round}: {other:?}"),
                }
            }
            let clunked = client.call(1, Tmessage::Tclunk { fid: 9 }).await?;
            assert_eq!(clunked == Rmessage::Rclunk {}, walked, "in round {round}");
        }
        Ok(())
    });
}

/// Five readers killed at once: five flushes, in no order of tags.
#[test]
fn many_reads_flushed_at_once_are_all_settled() {
    with_server(async |server| {
        let mut client = server.client().await?;
        for tag in 0..20 {
            client
                .say(tag, read(if tag % 4 == 0 { DEAF } else { NEVER }))
                .await?;
        }
        for _ in 0..5 {
            server.at_gate.recv().await.unwrap();
        }
        for tag in (0..20).rev() {
            client.say(100 + tag, flush(tag)).await?;
        }
        for _ in 0..5 {
            server.open_gate();
        }
        let mut settled = Vec::new();
        for _ in 0..25 {
            match client.hear().await? {
                Some((tag, reply)) if tag < 20 => {
                    assert_eq!((tag % 4, reply), (0, slow_text()));
                    assert!(!settled.contains(&(100 + tag)), "{tag}: after its flush");
                    settled.push(tag);
                }
                Some((tag, FLUSHED)) => {
                    assert!(
                        (tag - 100) % 4 > 0 || settled.contains(&(tag - 100)),
                        "{tag}"
                    );
                    settled.push(tag);
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(is_look(&client.call(0, look()).await?));
        Ok(())
    });
}
