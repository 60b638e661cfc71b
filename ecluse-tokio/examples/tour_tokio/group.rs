//! `Group`: flights by key. A hundred requests for two pages: each page is rendered once, its bytes are shared, and nothing
//! of it is left in the group.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use ecluse_tokio::Group;
use tokio::{
    sync::Semaphore,
    task::{JoinSet, yield_now},
};

type Page = Result<Arc<str>, u16>;

static PAGES: Group<&str, Page> = Group::new();
static RENDERED: AtomicU32 = AtomicU32::new(0);
static RENDERER: Semaphore = Semaphore::const_new(0);

async fn page(path: &'static str) -> Page {
    let render = || async move {
        RENDERED.fetch_add(1, Ordering::Relaxed);
        RENDERER.acquire().await.expect("never closed").forget();
        Ok(Arc::from(format!("<h1>{path}</h1>")))
    };
    match PAGES.run(path, render).await {
        Ok(answer) => answer.value,
        Err(_) => Err(503),
    }
}

#[tokio::main]
pub(crate) async fn main() {
    let mut requests = JoinSet::new();
    for path in ["/", "/about"].repeat(50) {
        requests.spawn(page(path));
    }
    while (PAGES.peek("/"), PAGES.peek("/about")) != (Some(49), Some(49)) {
        yield_now().await;
    }
    RENDERER.add_permits(2);
    let served = requests.join_all().await;
    assert!(served.iter().all(Result::is_ok));
    let rendered = RENDERED.load(Ordering::Relaxed);
    println!("{} requests, {rendered} pages rendered", served.len());
    assert_eq!((served.len(), rendered, PAGES.len()), (100, 2, 0));
}
