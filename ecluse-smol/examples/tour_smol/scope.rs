//! `Root`, `Scope`, `Cx`: a server is told to stop. What its requests wait for ends, however deep they are, with the reason;
//! what must not stay half done is finished first.

use std::pin::pin;

use ecluse_smol::{Cancelled, Cx, Root, cancel::Kind};
use smol::{
    channel::{Receiver, Sender, bounded},
    future::{yield_now, zip},
};

static SERVER: Root = Root::new();

/// Carries out orders until it is told to stop; gives up between two of them only.
async fn transfers(
    cx: Cx<'_>,
    orders: Receiver<u32>,
    half_way: Sender<()>,
    moved: &mut u32,
) -> Result<(), Cancelled> {
    while let Ok(amount) = cx.guard(orders.recv()).await? {
        cx.protect(async |_| {
            half_way.send(()).await.expect("main listens"); // it is taken from one account …
            yield_now().await;
            *moved += amount; // … and put into the other
        })
        .await;
    }
    Ok(())
}

pub(crate) fn main() {
    smol::block_on(async {
        let ((order, orders), (half_way, waits)) = (bounded(1), bounded(1));
        order.send(50).await.expect("there is room");
        let connection = pin!(SERVER.cx().child());
        let request = pin!(connection.as_ref().enter().child());
        let (cx, mut moved) = (request.as_ref().enter(), 0);
        let (ended, _) = zip(transfers(cx, orders, half_way, &mut moved), async {
            waits.recv().await.expect("an order is carried out");
            SERVER.cancel(Kind::Shutdown)
        })
        .await;
        let why = ended.expect_err("the server was stopped").reason();
        println!("{moved} moved, all of it; then it ended: {why}");
        assert_eq!((moved, why.kind()), (50, Kind::Shutdown));
        assert!(why.is_inherited());
    });
}
