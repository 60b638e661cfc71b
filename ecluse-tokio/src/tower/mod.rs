//! Layers of tower: a [`Refresher`](crate::Refresher) that authorizes requests, and an
//! [`Admission`](crate::Admission) that sheds load. They add no semantics: whoever is cut off, fails
//! or comes too late meets what the two say about that.
//!
//! | file | holds |
//! |---|---|
//! | `bearer` | `BearerLayer`: the token on each request, and one retry after a refusal |
//! | `repeat` | whether a body can be sent again |
//! | `admission` | `AdmissionLayer`: admitted, queued for a while, or refused at once |
//! | `shed` | why a request was refused, and how that is told |

mod admission;
mod bearer;
mod repeat;
mod shed;

pub use self::{
    admission::{AdmissionLayer, AdmissionService, Admitting, One, Weigh},
    bearer::{Authorized, Bearer, BearerError, BearerLayer, BearerService},
    repeat::{Cloned, Never, Repeat},
    shed::{AdmissionError, AsAnswer, AsError, Shed, Tell},
};
