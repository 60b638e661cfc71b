//! `Root`, `Scope`, `Cx`: a server is told to stop. What its requests wait for ends, however deep they are, with the reason;
//! what must not stay half done is finished first.

use std::pin::pin;

use ecluse_tokio::{Cancelled, Cx, Root, cancel::Kind};
use tokio::{
    sync::{Notify, mpsc},
    task::yield_now,
};

static SERVER: Root = Root::new();
static HALF_WAY: Notify = Notify::const_new();

/// Carries out orders until it is told to stop; gives up between two of them only.
async fn transfers(
    cx: Cx<'_>,
    orders: &mut mpsc::Receiver<u32>,
    moved: &mut u32,
) -> Result<(), Cancelled> {
    while let Some(amount) = cx.guard(orders.recv()).await? {
        cx.protect(async |_| {
            HALF_WAY.notify_one(); // it is taken from one account …
            yield_now().await;
            *moved += amount; // … and put into the other
        })
        .await;
    }
    Ok(())
}

#[tokio::main]
pub(crate) async fn main() {
    let (order, mut orders) = mpsc::channel(1);
    order.send(50).await.expect("there is room");
    let connection = pin!(SERVER.cx().child());
    let request = pin!(connection.as_ref().enter().child());
    let (cx, mut moved) = (request.as_ref().enter(), 0);
    let (ended, _) = tokio::join!(transfers(cx, &mut orders, &mut moved), async {
        HALF_WAY.notified().await;
        SERVER.cancel(Kind::Shutdown)
    });
    let why = ended.expect_err("the server was stopped").reason();
    println!("{moved} moved, all of it; then it ended: {why}");
    assert_eq!((moved, why.kind()), (50, Kind::Shutdown));
    assert!(why.is_inherited());
}
