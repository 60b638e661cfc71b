//! A question that is nearly always answered at once, and what it takes where it is not.
//!
//! An `async` block keeps the mint's room within itself from the beginning, and is moved with it. Here
//! that room is filled only once it is needed, and an answer at once touches none of it.

use core::{
    future::Future,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use crate::wait::polled_again;

pin_project! {
    /// `begin` looks: it gives the answer, or the future of what takes longer. `keep` does away with what
    /// that gives, and `give` makes the answer of what is left. `P` is what all of them need.
    pub(super) struct Asking<P, B, F, K, G> {
        begin: Option<(P, B)>,
        // (There is one while there is a rest.)
        place: Option<P>,
        #[pin]
        rest: Option<F>,
        keep: K,
        give: G,
    }
}

impl<P, B, F, K, G> Asking<P, B, F, K, G> {
    #[inline(always)]
    pub(super) fn new<A, Y>(place: P, begin: B, keep: K, give: G) -> Self
    where
        B: FnOnce(P) -> ControlFlow<A, (P, F)>,
        F: Future,
        K: Fn(&mut P, F::Output) -> Y,
        G: Fn(P, Y) -> A,
    {
        Self {
            begin: Some((place, begin)),
            place: None,
            rest: None,
            keep,
            give,
        }
    }

    /// What is not answered at once: apart, so that it takes nothing from what is.
    #[inline(never)]
    fn poll_rest<Y>(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Y>
    where
        F: Future,
        K: Fn(&mut P, F::Output) -> Y,
    {
        let mut this = self.project();
        let (Some(rest), Some(place)) = (this.rest.as_mut().as_pin_mut(), this.place) else {
            return polled_again("a question to a refresher");
        };
        let output = ready!(rest.poll(cx));
        this.rest.set(None);
        Poll::Ready((this.keep)(place, output))
    }
}

impl<A, Y, P, B, F, K, G> Future for Asking<P, B, F, K, G>
where
    B: FnOnce(P) -> ControlFlow<A, (P, F)>,
    F: Future,
    K: Fn(&mut P, F::Output) -> Y,
    G: Fn(P, Y) -> A,
{
    type Output = A;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A> {
        let mut this = self.as_mut().project();
        if let Some((place, begin)) = this.begin.take() {
            match begin(place) {
                ControlFlow::Break(answer) => return Poll::Ready(answer),
                ControlFlow::Continue((place, rest)) => {
                    *this.place = Some(place);
                    this.rest.set(Some(rest));
                }
            }
        }
        let kept = ready!(self.as_mut().poll_rest(cx));
        let this = self.project();
        match this.place.take() {
            Some(place) => Poll::Ready((this.give)(place, kept)),
            None => Poll::Pending,
        }
    }
}
