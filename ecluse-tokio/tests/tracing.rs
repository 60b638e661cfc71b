//! What a `TracingObserver` tells: each step, by the name of its object.
#![cfg(feature = "tracing")]
#![allow(clippy::std_instead_of_core, reason = "these run on hosts only")]

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex},
};

use ecluse_tokio::{DefaultLock, Line, TracingObserver};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Writes events down, a line each.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<String>>);

impl Subscriber for Written {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "ecluse"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Line<'a>(&'a mut String);
        impl Visit for Line<'_> {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                write!(self.0, "{field}={value:?} ").unwrap();
            }
        }
        let mut written = self.0.lock().unwrap();
        event.record(&mut Line(&mut written));
        written.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn each_step_is_an_event() {
    let written = Written::default();
    tracing::subscriber::with_default(written.clone(), || {
        let line: Line<DefaultLock, _> = Line::with_observer(TracingObserver::new("login"));
        line.try_acquire_token().success().unwrap().release();
    });
    assert_eq!(
        *written.0.lock().unwrap(),
        "object=\"login\" number=0 step=Claimed \nobject=\"login\" number=1 step=Released(Done) \n"
    );
}
