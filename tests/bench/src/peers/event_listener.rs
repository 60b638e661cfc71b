//! event-listener: a listener each, `notify(usize::MAX)`.

use std::future::Future;

use event_listener::Event;

use super::{GiveBack, Signal};

pub struct Listeners(Event);

struct NotifyAll<'a>(&'a Event);

impl GiveBack for NotifyAll<'_> {
    #[inline(always)]
    fn give_back(self) {
        self.0.notify(usize::MAX);
    }
}

impl Signal for Listeners {
    const NAME: &'static str = "event-listener";

    fn new() -> Self {
        Self(Event::new())
    }

    fn hold(&self) -> impl GiveBack {
        NotifyAll(&self.0)
    }

    #[inline(always)]
    fn wait(&self) -> impl Future {
        self.0.listen()
    }
}
