//! `Group`: flights by key. A hundred requests for two pages: each page is rendered once, its bytes are shared, and nothing
//! of it is left in the group.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use ecluse_smol::Group;
use smol::{future::yield_now, lock::Semaphore};

type Page = Result<Arc<str>, u16>;

static PAGES: Group<&str, Page> = Group::new();
static RENDERED: AtomicUsize = AtomicUsize::new(0);
static RENDERER: Semaphore = Semaphore::new(0);

async fn page(path: &'static str) -> Page {
    let render = || async move {
        RENDERED.fetch_add(1, Ordering::Relaxed);
        RENDERER.acquire().await.forget();
        Ok(Arc::from(format!("<h1>{path}</h1>")))
    };
    match PAGES.run(path, render).await {
        Ok(answer) => answer.value,
        Err(_) => Err(503),
    }
}

pub(crate) fn main() {
    smol::block_on(async {
        let paths = ["/", "/about"].repeat(50);
        let requests: Vec<_> = paths
            .into_iter()
            .map(|path| smol::spawn(page(path)))
            .collect();
        while (PAGES.peek("/"), PAGES.peek("/about")) != (Some(49), Some(49)) {
            yield_now().await;
        }
        RENDERER.add_permits(2);
        let mut served = 0;
        for request in requests {
            served += usize::from(request.await.is_ok());
        }
        let rendered = RENDERED.load(Ordering::Relaxed);
        println!("{served} requests, {rendered} pages rendered");
        assert_eq!((served, rendered, PAGES.len()), (100, 2, 0));
    });
}
