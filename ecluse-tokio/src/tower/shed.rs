//! Why a request was shed, and how that is told: as an error, or as an answer.

use core::fmt;

use ecluse_core::NotAdmitted;
use http::{Response, StatusCode};

/// Why a request was not served. Nothing was done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shed {
    /// There was no permit, and no room to wait for one.
    NotAdmitted(NotAdmitted),
    /// It waited as long as it may.
    TimedOut,
}

impl Shed {
    /// What that is in HTTP: 413 for a request that is heavier than all that may be under way, 503
    /// for the others, which may be tried again later.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NotAdmitted(NotAdmitted::TooHeavy) => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// An answer of that status, without a body.
    #[must_use]
    pub fn response<B: Default>(self) -> Response<B> {
        let mut response = Response::default();
        *response.status_mut() = self.status();
        response
    }
}

impl fmt::Display for Shed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAdmitted(why) => write!(f, "the request was shed: {why}"),
            Self::TimedOut => f.write_str("the request was shed: it has waited too long"),
        }
    }
}

impl core::error::Error for Shed {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NotAdmitted(why) => Some(why),
            Self::TimedOut => None,
        }
    }
}

/// How it is told that a request was shed, to a service that gives `P` or `E`.
pub trait Tell<P, E> {
    /// The error of the whole.
    type Error;

    /// What the whole gives for it.
    ///
    /// # Errors
    /// If it is told as one.
    fn shed(why: Shed) -> Result<P, Self::Error>;

    /// An error of the service.
    fn error(error: E) -> Self::Error;
}

/// As an error: [`AdmissionError`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsError;

/// As an answer of HTTP: [`Shed::response`]. The errors are the service's own, so a service that has
/// none stays one, as servers want it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsAnswer;

impl<P, E> Tell<P, E> for AsError {
    type Error = AdmissionError<E>;

    fn shed(why: Shed) -> Result<P, Self::Error> {
        Err(AdmissionError::Shed(why))
    }

    fn error(error: E) -> Self::Error {
        AdmissionError::Service(error)
    }
}

impl<B: Default, E> Tell<Response<B>, E> for AsAnswer {
    type Error = E;

    fn shed(why: Shed) -> Result<Response<B>, E> {
        Ok(why.response())
    }

    fn error(error: E) -> E {
        error
    }
}

/// The error of a service that sheds load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionError<E> {
    /// The request was shed.
    Shed(Shed),
    /// What the service below said.
    Service(E),
}

impl<E: fmt::Display> fmt::Display for AdmissionError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shed(why) => why.fmt(f),
            Self::Service(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for AdmissionError<E> {
    /// It is shown as what it holds, so what is below is that one's.
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Shed(why) => why.source(),
            Self::Service(error) => error.source(),
        }
    }
}
