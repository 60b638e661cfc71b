//! The proxy's cache, and the referee of a run, which sees what no single request can: who else
//! fetches the same, and whether there was a copy anyway.
//!
//! Invariants:
//! - A fetch is live from its making until its [`Fetch`] is dropped, however.
//! - A copy is fresh from when it is kept until its life is over.
//! - A fetch is **needless** if, when it sets out, another live one is after the same document, or
//!   one has arrived since less than the life of a copy: that should have been kept.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hyper::body::Bytes;

/// The number of a document.
pub(crate) type Document = u32;

#[derive(Debug)]
pub(crate) struct Books {
    start: Instant,
    /// How long a copy is fresh.
    life: Duration,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    documents: Box<[Entry]>,
    live: u64,
    counts: Counts,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    copy: Option<(Bytes, Instant)>,
    /// Until when the last fetch that arrived will do.
    arrived: Option<Instant>,
    live: u32,
    /// From when to when there was a fresh copy.
    kept: Vec<(Duration, Duration)>,
}

/// What was counted in a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Fetches from upstream that set out …
    pub(crate) begun: u64,
    /// … that nobody needed …
    pub(crate) needless: u64,
    /// … and that ended without an answer.
    pub(crate) cut_off: u64,
    /// How many were under way at the same time, at most.
    pub(crate) at_once: u64,
}

impl Books {
    pub(crate) fn new(documents: u32, life: Duration) -> Self {
        Self {
            start: Instant::now(),
            life,
            book: Mutex::new(Book {
                documents: vec![Entry::default(); documents as usize].into(),
                live: 0,
                counts: Counts::default(),
            }),
        }
    }

    /// The copy of a document, if it is fresh.
    pub(crate) fn copy(&self, document: Document) -> Option<Bytes> {
        self.book().documents[document as usize].fresh().cloned()
    }

    /// Keeps a copy for its time.
    pub(crate) fn keep(&self, document: Document, page: &Bytes) {
        let now = Instant::now();
        let entry = &mut self.book().documents[document as usize];
        let from = now.duration_since(self.start);
        entry.copy = Some((page.clone(), now + self.life));
        entry.kept.push((from, from + self.life));
    }

    /// Somebody sets out to fetch a document.
    pub(crate) fn fetch(self: &Arc<Self>, document: Document) -> Fetch {
        let book = &mut *self.book();
        let entry = &mut book.documents[document as usize];
        // (A copy is kept after its fetch has arrived, so its life does not end before this.)
        let arrived = entry.arrived.is_some_and(|until| until > Instant::now());
        let needless = entry.live > 0 || arrived;
        entry.live += 1;
        book.live += 1;
        book.counts.begun += 1;
        book.counts.needless += u64::from(needless);
        book.counts.at_once = book.counts.at_once.max(book.live);
        Fetch {
            document,
            arrived: false,
            books: Arc::clone(self),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.book().counts
    }

    /// From when to when there was a fresh copy of a document.
    pub(crate) fn kept(&self, document: Document) -> Vec<(Duration, Duration)> {
        self.book().documents[document as usize].kept.clone()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn fresh(&self) -> Option<&Bytes> {
        let (page, until) = self.copy.as_ref()?;
        (*until > Instant::now()).then_some(page)
    }
}

/// A fetch that is under way.
#[derive(Debug)]
pub(crate) struct Fetch {
    document: Document,
    arrived: bool,
    books: Arc<Books>,
}

impl Fetch {
    /// The answer is there.
    pub(crate) fn arrived(mut self) {
        self.arrived = true;
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        let book = &mut *self.books.book();
        let entry = &mut book.documents[self.document as usize];
        entry.live -= 1;
        book.live -= 1;
        if self.arrived {
            entry.arrived = Some(Instant::now() + self.books.life);
        } else {
            book.counts.cut_off += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_beside_another_or_soon_after_one_is_needless() {
        let books = Arc::new(Books::new(2, Duration::from_secs(3600)));
        let first = books.fetch(0);
        drop(books.fetch(1));
        assert_eq!(books.counts().needless, 0);
        drop(books.fetch(0));
        assert_eq!(books.counts().needless, 1);
        drop(first);
        drop(books.fetch(0));
        assert_eq!(books.counts().needless, 1, "none has arrived");
        books.fetch(0).arrived();
        drop(books.fetch(0));
        let counts = books.counts();
        assert_eq!((counts.begun, counts.needless), (6, 2));
        assert_eq!((counts.cut_off, counts.at_once), (5, 2));
    }

    #[test]
    fn a_copy_is_fresh_for_its_life() {
        let books = Books::new(1, Duration::from_secs(3600));
        assert!(books.copy(0).is_none());
        books.keep(0, &Bytes::new());
        assert!(books.copy(0).is_some());
        let books = Books::new(1, Duration::ZERO);
        books.keep(0, &Bytes::new());
        assert!(books.copy(0).is_none());
    }
}
