//! What is served, and that it is no more than that.

use std::io;

use crate::{
    kit::{Server, with_server},
    server::{
        client::{Client, ROOT, list},
        wire::{Dirent, Rmessage, Tmessage},
    },
};

/// Tries to walk from the root.
async fn walk(client: &mut Client, names: &[&str]) -> io::Result<Rmessage> {
    let walk = Tmessage::Twalk {
        fid: ROOT,
        newfid: 60,
        names: names.iter().map(ToString::to_string).collect(),
    };
    let answer = client.call(1, walk).await?;
    client.call(1, Tmessage::Tclunk { fid: 60 }).await?;
    Ok(answer)
}

async fn client(server: &Server) -> io::Result<Client> {
    Client::attach(server.to).await
}

#[test]
fn no_name_leads_out_of_the_folder() {
    with_server(async |server| {
        let mut client = client(&server).await?;
        let Rmessage::Rwalk { qids: inside } = walk(&mut client, &["inner", ".."]).await? else {
            panic!("no way back");
        };
        for way in [&[".."][..], &["..", "..", ".."], &["slow", "..", ".."]] {
            let Rmessage::Rwalk { qids } = walk(&mut client, way).await? else {
                panic!("no way back");
            };
            assert_eq!(qids.last(), inside.last(), "{way:?}");
        }
        for (name, errno) in [
            ("", 2),
            (".", 2),
            ("inner/leaf", 2),
            ("/etc", 2),
            ("../..", 2),
            ("nul\0", 2),
            ("nothing", 2),
        ] {
            let answer = walk(&mut client, &[name]).await?;
            assert_eq!(answer, Rmessage::Rlerror { errno }, "{name}");
        }
        // A link is shown, and leads nowhere.
        let Rmessage::Rwalk { qids } = walk(&mut client, &["link", ".."]).await? else {
            panic!("no link");
        };
        assert_eq!(qids.len(), 1);
        let refused = client.open(61, &["link"]).await;
        assert!(refused.is_err());
        let target = client.call(1, Tmessage::Treadlink { fid: 61 }).await?;
        let up = "..".to_owned();
        assert_eq!(target, Rmessage::Rreadlink { target: up });
        Ok(())
    });
}

#[test]
fn files_are_read_and_not_written() {
    with_server(async |server| {
        let mut client = client(&server).await?;
        client.open(5, &["file"]).await?;
        let (mut offset, count) = (0, 3000);
        loop {
            let read = Tmessage::Tread {
                fid: 5,
                offset,
                count,
            };
            let Rmessage::Rread { data } = client.call(1, read).await? else {
                panic!("not read");
            };
            if data.0.is_empty() {
                break;
            }
            assert!(data.0.iter().all(|byte| *byte == 7));
            offset += data.0.len() as u64;
        }
        assert_eq!(offset, 10_000);
        let (fid, newfid, names) = (ROOT, 6, vec!["file".to_owned()]);
        client
            .call(1, Tmessage::Twalk { fid, newfid, names })
            .await?;
        for flags in [1, 2, 0o1001] {
            let answer = client.call(1, Tmessage::Tlopen { fid: 6, flags }).await?;
            assert_eq!(answer, Rmessage::Rlerror { errno: 30 });
        }
        Ok(())
    });
}

#[test]
fn a_folder_is_listed_piece_by_piece() {
    with_server(async |server| {
        let mut client = client(&server).await?;
        client.open(5, &[]).await?;
        let mut names = Vec::new();
        let (mut offset, count) = (0, 40);
        loop {
            let piece = Tmessage::Treaddir {
                fid: 5,
                offset,
                count,
            };
            let Rmessage::Rreaddir { data } = client.call(1, piece).await? else {
                panic!("not listed");
            };
            assert!(data.0.len() <= 40);
            let entries = Dirent::all(&data.0).unwrap();
            let Some(last) = entries.last() else { break };
            offset = last.next;
            names.extend(entries.into_iter().map(|entry| entry.name));
        }
        // No room for one entry is not the end of the folder.
        let (offset, count) = (0, 10);
        let piece = Tmessage::Treaddir {
            fid: 5,
            offset,
            count,
        };
        let answer = client.call(1, piece).await?;
        assert_eq!(answer, Rmessage::Rlerror { errno: 22 });
        names.sort();
        assert_eq!(names, ["file", "inner", "link", "slow"]);
        client.open(6, &["slow"]).await?;
        let Rmessage::Rreaddir { data } = client.call(1, list(6)).await? else {
            panic!("not listed");
        };
        assert_eq!(Dirent::all(&data.0).unwrap().len(), 3);
        let file = client.open(7, &["file"]).await;
        assert!(file.is_ok());
        let answer = client.call(1, list(7)).await?;
        assert_eq!(answer, Rmessage::Rlerror { errno: 20 });
        Ok(())
    });
}
