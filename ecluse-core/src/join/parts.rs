//! Children together: tuples of two to eight, arrays.
//!
//! Invariant **P1**: the members of a pinned tuple or array are pinned: nothing moves them, and
//! neither has a drop of its own.

use core::pin::Pin;

use super::{
    child::{Child, Part, Run},
    error::Stopped,
};
use crate::{cancel::Cx, sync::Lock};

/// Children that are joined: a tuple of two to eight, or an array. `K` has their kinds.
pub trait Children<'s, L: Lock, K> {
    /// What they fail with, all alike.
    type Error;
    /// Their places.
    type Parts: Parts<Error = Self::Error>;
    /// Room for an error of each.
    type Errors: super::ErrorSink<Self::Error>;

    /// Puts them below `cx`.
    fn place(self, cx: Cx<'s, L>) -> Self::Parts;

    /// No error yet.
    fn no_errors() -> Self::Errors;
}

/// The places of children: a tuple or an array of them. Sealed.
pub trait Parts: sealed::Sealed {
    /// What the children fail with.
    type Error;
    /// What they give, in order.
    type Values;
    /// How each of them ended, in order.
    type Outcomes;

    /// One of them.
    fn at(
        self: Pin<&mut Self>,
        index: usize,
    ) -> Option<Pin<&mut (dyn Run<Error = Self::Error> + '_)>>;

    /// Takes what they gave; `None` unless all did, and then nothing is taken.
    fn values(self: Pin<&mut Self>) -> Option<Self::Values>;

    /// Takes how each ended; `cut` is for those that did not.
    fn outcomes(self: Pin<&mut Self>, cut: impl Fn() -> Stopped<Self::Error>) -> Self::Outcomes;
}

/// Children that give the same type.
pub trait Alike: Parts {
    /// What each gives.
    type Value;

    /// Takes what one of them gave.
    fn value(self: Pin<&mut Self>, index: usize) -> Option<Self::Value>;
}

mod sealed {
    pub trait Sealed {}
}

/// Whether all have ended well.
fn all_good<P: Parts>(mut parts: Pin<&mut P>) -> bool {
    let mut index = 0;
    while let Some(part) = parts.as_mut().at(index) {
        if !matches!(part.outcome(), Some(Ok(()))) {
            return false;
        }
        index += 1;
    }
    true
}

fn good<T, E>(outcome: Option<Result<T, E>>) -> Option<T> {
    outcome?.ok()
}

fn told<T, E>(
    outcome: Option<Result<T, E>>,
    cut: &impl Fn() -> Stopped<E>,
) -> Result<T, Stopped<E>> {
    match outcome {
        Some(outcome) => outcome.map_err(Stopped::Failed),
        None => Err(cut()),
    }
}

macro_rules! tuples {
    ($($first:ident $first_kind:ident $($child:ident $kind:ident $index:tt)*;)*) => {
        $(
            impl<'s, L: Lock, $first, $($child,)* $first_kind, $($kind),*>
                Children<'s, L, ($first_kind, $($kind),*)> for ($first, $($child),*)
            where
                $first: Child<'s, L, $first_kind>,
                $($child: Child<'s, L, $kind, Error = $first::Error>,)*
            {
                type Error = $first::Error;
                type Parts = ($first::Part, $($child::Part),*);
                type Errors = [Option<Self::Error>; [0, $($index),*].len()];

                #[allow(non_snake_case)]
                fn place(self, cx: Cx<'s, L>) -> Self::Parts {
                    let ($first, $($child),*) = self;
                    ($first.place(cx), $($child.place(cx)),*)
                }

                fn no_errors() -> Self::Errors {
                    [const { None }; [0, $($index),*].len()]
                }
            }

            impl<$first, $($child),*> sealed::Sealed for ($first, $($child),*) {}

            impl<$first: Part, $($child: Part<Error = $first::Error>),*> Parts
                for ($first, $($child),*)
            {
                type Error = $first::Error;
                type Values = ($first::Value, $($child::Value),*);
                type Outcomes = (
                    Result<$first::Value, Stopped<Self::Error>>,
                    $(Result<$child::Value, Stopped<Self::Error>>),*
                );

                fn at(
                    self: Pin<&mut Self>,
                    index: usize,
                ) -> Option<Pin<&mut (dyn Run<Error = Self::Error> + '_)>> {
                    // SAFETY: Validity: the members are pinned (P1). Aliasing: one is borrowed, as
                    // long as the whole.
                    unsafe {
                        let this = self.get_unchecked_mut();
                        Some(match index {
                            0 => Pin::new_unchecked(&mut this.0),
                            $($index => Pin::new_unchecked(&mut this.$index),)*
                            _ => return None,
                        })
                    }
                }

                fn values(mut self: Pin<&mut Self>) -> Option<Self::Values> {
                    if !all_good(self.as_mut()) {
                        return None;
                    }
                    // SAFETY: Validity: as in `at`. Aliasing: one after another.
                    unsafe {
                        let this = self.get_unchecked_mut();
                        Some((
                            good(Pin::new_unchecked(&mut this.0).take())?,
                            $(good(Pin::new_unchecked(&mut this.$index).take())?),*
                        ))
                    }
                }

                fn outcomes(
                    self: Pin<&mut Self>,
                    cut: impl Fn() -> Stopped<Self::Error>,
                ) -> Self::Outcomes {
                    // SAFETY: Validity: as in `at`. Aliasing: one after another.
                    unsafe {
                        let this = self.get_unchecked_mut();
                        (
                            told(Pin::new_unchecked(&mut this.0).take(), &cut),
                            $(told(Pin::new_unchecked(&mut this.$index).take(), &cut)),*
                        )
                    }
                }
            }

            impl<$first, $($child),*> Alike for ($first, $($child),*)
            where
                $first: Part,
                $($child: Part<Error = $first::Error, Value = $first::Value>,)*
            {
                type Value = $first::Value;

                fn value(self: Pin<&mut Self>, index: usize) -> Option<Self::Value> {
                    // SAFETY: Validity: as in `at`. Aliasing: one.
                    unsafe {
                        let this = self.get_unchecked_mut();
                        good(match index {
                            0 => Pin::new_unchecked(&mut this.0).take(),
                            $($index => Pin::new_unchecked(&mut this.$index).take(),)*
                            _ => None,
                        })
                    }
                }
            }
        )*
    };
}

tuples! {
    A KA B KB 1;
    A KA B KB 1 C KC 2;
    A KA B KB 1 C KC 2 D KD 3;
    A KA B KB 1 C KC 2 D KD 3 E KE 4;
    A KA B KB 1 C KC 2 D KD 3 E KE 4 F KF 5;
    A KA B KB 1 C KC 2 D KD 3 E KE 4 F KF 5 G KG 6;
    A KA B KB 1 C KC 2 D KD 3 E KE 4 F KF 5 G KG 6 H KH 7;
}

impl<'s, L: Lock, C, K, const N: usize> Children<'s, L, [K; 1]> for [C; N]
where
    C: Child<'s, L, K>,
{
    type Error = C::Error;
    type Parts = [C::Part; N];
    type Errors = [Option<C::Error>; N];

    fn place(self, cx: Cx<'s, L>) -> Self::Parts {
        self.map(|child| child.place(cx))
    }

    fn no_errors() -> Self::Errors {
        [const { None }; N]
    }
}

impl<P, const N: usize> sealed::Sealed for [P; N] {}

/// One of a pinned array.
fn member<P, const N: usize>(parts: Pin<&mut [P; N]>, index: usize) -> Option<Pin<&mut P>> {
    // SAFETY: Validity: the members are pinned (P1). Aliasing: one is borrowed, as long as all.
    unsafe {
        let part = parts.get_unchecked_mut().get_mut(index)?;
        Some(Pin::new_unchecked(part))
    }
}

impl<P: Part, const N: usize> Parts for [P; N] {
    type Error = P::Error;
    type Values = [P::Value; N];
    type Outcomes = [Result<P::Value, Stopped<P::Error>>; N];

    fn at(
        self: Pin<&mut Self>,
        index: usize,
    ) -> Option<Pin<&mut (dyn Run<Error = Self::Error> + '_)>> {
        Some(member(self, index)?)
    }

    fn values(mut self: Pin<&mut Self>) -> Option<Self::Values> {
        if !all_good(self.as_mut()) {
            return None;
        }
        Some(core::array::from_fn(|index| {
            match self.as_mut().value(index) {
                Some(value) => value,
                None => unreachable!("looked at above"),
            }
        }))
    }

    fn outcomes(
        mut self: Pin<&mut Self>,
        cut: impl Fn() -> Stopped<Self::Error>,
    ) -> Self::Outcomes {
        core::array::from_fn(|index| {
            let outcome = member(self.as_mut(), index).and_then(Part::take);
            told(outcome, &cut)
        })
    }
}

impl<P: Part, const N: usize> Alike for [P; N] {
    type Value = P::Value;

    fn value(self: Pin<&mut Self>, index: usize) -> Option<P::Value> {
        good(member(self, index)?.take())
    }
}
