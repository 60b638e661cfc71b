//! Bytes to messages and back.

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_assert_eq, prop_oneof, proptest,
    test_runner::Config,
};

use crate::server::wire::{
    Data, Malformed, Message, Qid, Rmessage, Time, Tmessage, decode, encode,
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("9P2000.L".to_owned()),
        Just("slow".to_owned()),
        Just("..".to_owned()),
        any::<String>(),
    ]
}

fn fid() -> impl Strategy<Value = u32> {
    prop_oneof![0..12_u32, any::<u32>()]
}

/// What a client can ask.
pub(crate) fn asked() -> impl Strategy<Value = Tmessage> + Clone {
    prop_oneof![
        fid().prop_map(|fid| Tmessage::Tstatfs { fid }),
        (fid(), 0..4_u32).prop_map(|(fid, flags)| Tmessage::Tlopen { fid, flags }),
        fid().prop_map(|fid| Tmessage::Treadlink { fid }),
        (fid(), any::<u64>()).prop_map(|(fid, mask)| Tmessage::Tgetattr { fid, mask }),
        (fid(), any::<u64>(), any::<u32>()).prop_map(|(fid, offset, count)| Tmessage::Treaddir {
            fid,
            offset,
            count
        }),
        (any::<u32>(), text()).prop_map(|(msize, version)| Tmessage::Tversion { msize, version }),
        (fid(), fid(), text(), text(), any::<u32>()).prop_map(
            |(fid, afid, uname, aname, n_uname)| Tmessage::Tattach {
                fid,
                afid,
                uname,
                aname,
                n_uname,
            }
        ),
        any::<u16>().prop_map(|oldtag| Tmessage::Tflush { oldtag }),
        (fid(), fid(), vec(text(), 0..16)).prop_map(|(fid, newfid, names)| Tmessage::Twalk {
            fid,
            newfid,
            names
        }),
        (fid(), any::<u64>(), any::<u32>()).prop_map(|(fid, offset, count)| Tmessage::Tread {
            fid,
            offset,
            count
        }),
        fid().prop_map(|fid| Tmessage::Tclunk { fid }),
    ]
    .boxed()
}

fn qid() -> impl Strategy<Value = Qid> {
    (any::<u8>(), any::<u32>(), any::<u64>()).prop_map(|(kind, version, path)| Qid {
        kind,
        version,
        path,
    })
}

/// What a server can answer.
fn answered() -> impl Strategy<Value = Rmessage> {
    prop_oneof![
        any::<u32>().prop_map(|errno| Rmessage::Rlerror { errno }),
        (qid(), any::<u32>()).prop_map(|(qid, iounit)| Rmessage::Rlopen { qid, iounit }),
        text().prop_map(|target| Rmessage::Rreadlink { target }),
        (qid(), any::<u64>(), any::<u32>()).prop_map(|(qid, number, mode)| {
            let time = Time {
                seconds: number,
                nanoseconds: 1,
            };
            Rmessage::Rgetattr {
                valid: number,
                qid,
                mode,
                uid: mode,
                gid: 2,
                nlink: 3,
                rdev: 4,
                size: number,
                blksize: 5,
                blocks: 6,
                atime: time,
                mtime: time,
                ctime: time,
                btime: time,
                generation: 7,
                data_version: number,
            }
        }),
        vec(any::<u8>(), 0..100).prop_map(|data| Rmessage::Rread { data: Data(data) }),
        vec(any::<u8>(), 0..100).prop_map(|data| Rmessage::Rreaddir { data: Data(data) }),
        vec(qid(), 0..16).prop_map(|qids| Rmessage::Rwalk { qids }),
        Just(Rmessage::Rflush {}),
        Just(Rmessage::Rclunk {}),
        qid().prop_map(|qid| Rmessage::Rattach { qid }),
    ]
}

/// W2: encoded again it is what it was, unless its type is not known.
fn check<M: Message>(bytes: &[u8]) {
    if let Ok((tag, message)) = decode::<M>(bytes) {
        let again = encode(tag, &message);
        let known = again.len() > 7 || bytes.len() == 3;
        assert!(!known || again[4..] == *bytes, "{message:?}");
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(500) })]

    #[test]
    fn what_was_encoded_is_decoded_to_the_same(tag: u16, asked in asked(), answered in answered()) {
        let bytes = encode(tag, &asked);
        prop_assert_eq!(decode(&bytes[4..]), Ok((tag, asked)));
        let bytes = encode(tag, &answered);
        prop_assert_eq!(decode(&bytes[4..]), Ok((tag, answered)));
    }

    #[test]
    fn noise_is_malformed_or_a_message(code: u8, bytes in vec(any::<u8>(), 0..64)) {
        check::<Tmessage>(&bytes);
        check::<Rmessage>(&bytes);
        let bytes = [&[code, 0, 0], &bytes[..]].concat();
        check::<Tmessage>(&bytes);
        check::<Rmessage>(&bytes);
    }

    #[test]
    fn a_message_that_is_cut_or_goes_on_is_malformed(asked in asked(), by in 1..9_usize) {
        let bytes = encode(1, &asked);
        let bytes = &bytes[4..];
        let cut = &bytes[..bytes.len().saturating_sub(by)];
        prop_assert_eq!(decode::<Tmessage>(cut), Err(Malformed::Short));
        let more = [bytes, &[0; 9][..by]].concat();
        prop_assert_eq!(decode::<Tmessage>(&more), Err(Malformed::Long));
    }
}

/// W1: what is only claimed costs nothing.
#[test]
fn lengths_without_bytes_are_malformed() {
    // Tversion, whose text has 65,535 bytes; Twalk with as many names; Rread of 4 GiB.
    let version = [100, 0, 0, 0, 0, 1, 0, 0xff, 0xff];
    assert_eq!(decode::<Tmessage>(&version), Err(Malformed::Short));
    let walk = [110, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff];
    assert_eq!(decode::<Tmessage>(&walk), Err(Malformed::Names(65535)));
    let read = [117, 0, 0, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(decode::<Rmessage>(&read), Err(Malformed::Short));
}
