//! Whether a body can be sent again.

/// Makes a copy of a body before it is sent, if it can: for a request that may have to be sent twice.
/// Any `Fn(&B) -> Option<B>` is one.
pub trait Repeat<B> {
    /// The copy.
    fn copy(&self, body: &B) -> Option<B>;
}

/// Clones the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cloned;

/// Sends nothing twice: for bodies that are streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Never;

impl<B: Clone> Repeat<B> for Cloned {
    fn copy(&self, body: &B) -> Option<B> {
        Some(body.clone())
    }
}

impl<B> Repeat<B> for Never {
    fn copy(&self, _: &B) -> Option<B> {
        None
    }
}

impl<B, F: Fn(&B) -> Option<B>> Repeat<B> for F {
    fn copy(&self, body: &B) -> Option<B> {
        self(body)
    }
}
