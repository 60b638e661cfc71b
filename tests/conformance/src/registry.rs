//! The list of cases: their names, what they need of a runtime, and how one is run by name.

use crate::kit::Text;
use crate::runtime::{Caps, Runtime};

/// What a case came to. A failure is a panic.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// The behaviour holds.
    Pass,
    /// It holds, and here is a trace that must be the same bytes on every runtime.
    Trace(&'static str, &'static Text),
}

/// Why a case is not run on a runtime. There are no other reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No [`Caps::THREADS`].
    OneThread,
    /// No [`Caps::ABORT`].
    NoAbort,
    /// No [`Caps::UNWIND`].
    NoUnwind,
    /// No [`Caps::STD`].
    NoStd,
    /// No [`Caps::SHUTDOWN`].
    NoShutdown,
    /// No [`Caps::TASK_DROP`].
    DropDetaches,
    /// No [`Caps::CANCEL_AWAIT`].
    NoCancelAwait,
    /// No [`Caps::ALLOC`].
    NoAlloc,
    /// No [`Caps::REAL_CLOCK`].
    VirtualClock,
    /// No [`Caps::BLOCKING`].
    NoBlocking,
    /// The case needs what only the engine has.
    NotInReference,
}

impl Why {
    /// The reason in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::OneThread => "tasks never run in parallel here",
            Self::NoAbort => "tasks cannot be aborted here",
            Self::NoUnwind => "panics abort here",
            Self::NoStd => "no standard library here",
            Self::NoShutdown => "the runtime never ends while tasks live",
            Self::DropDetaches => "dropping a task's handle detaches it here",
            Self::NoCancelAwait => "no cancellation to await here",
            Self::NoAlloc => "no heap here",
            Self::VirtualClock => "the clock is virtual here",
            Self::NoBlocking => "no thread may block here",
            Self::NotInReference => "not in the reference",
        }
    }
}

/// What stands for each capability when it is missing.
const LACKING: &[(Caps, Why)] = &[
    (Caps::STD, Why::NoStd),
    (Caps::ALLOC, Why::NoAlloc),
    (Caps::THREADS, Why::OneThread),
    (Caps::ABORT, Why::NoAbort),
    (Caps::UNWIND, Why::NoUnwind),
    (Caps::SHUTDOWN, Why::NoShutdown),
    (Caps::TASK_DROP, Why::DropDetaches),
    (Caps::CANCEL_AWAIT, Why::NoCancelAwait),
    (Caps::REAL_CLOCK, Why::VirtualClock),
    (Caps::BLOCKING, Why::NoBlocking),
];

/// One case of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The module it stands in, after the primitive it is about.
    pub module: &'static str,
    /// The behaviour's id and what holds.
    pub name: &'static str,
    /// What it needs of a runtime.
    pub needs: Caps,
    /// Whether it is compiled for the core only.
    pub engine_only: bool,
}

impl Case {
    /// Why the case does not apply to a runtime with these capabilities; `None`: it does.
    #[must_use]
    pub fn not_applicable(&self, caps: Caps) -> Option<Why> {
        LACKING
            .iter()
            .find(|(cap, _)| self.needs.contains(*cap) && !caps.contains(*cap))
            .map(|(_, why)| *why)
    }

    /// The same for the reference's column.
    #[must_use]
    pub fn not_applicable_to_reference(&self, caps: Caps) -> Option<Why> {
        if self.engine_only {
            Some(Why::NotInReference)
        } else {
            self.not_applicable(caps)
        }
    }
}

/// A run of a module's case by name; a plain function type to keep the modules' `run` alike.
pub(crate) trait Suite {
    /// The cases of every module, in the order of the page.
    const MODULES: &'static [&'static [Case]];

    /// Runs the case; `None` if it is not in this suite.
    fn run<R: Runtime>(rt: R, case: &'static Case) -> impl Future<Output = Option<Verdict>>;
}

/// Lists a module's cases: `cases! { claim: c01_…, c02_… needs ABORT UNWIND, }`.
macro_rules! cases {
    (@list $engine:literal $module:ident: $($name:ident $(needs $($cap:ident)+)?),* $(,)?) => {
        /// The cases of this module.
        pub(crate) const CASES: &[$crate::registry::Case] = &[$($crate::registry::Case {
            module: stringify!($module),
            name: stringify!($name),
            needs: $crate::Caps::NONE$($(.and($crate::Caps::$cap))+)?,
            engine_only: $engine,
        }),*];

        /// Runs one of them by name.
        pub(crate) async fn run<R: $crate::Runtime>(rt: R, name: &str) -> Option<$crate::Verdict> {
            match name {
                $(stringify!($name) => Some($name(rt).await),)*
                _ => None,
            }
        }
    };
    (engine $module:ident: $($rest:tt)*) => { cases!(@list true $module: $($rest)*); };
    ($module:ident: $($rest:tt)*) => { cases!(@list false $module: $($rest)*); };
}

/// A case that needs the standard library's types. Without them it is listed all the same, and never run.
macro_rules! on_hosts {
    (async fn $name:ident<R: Runtime>($rt:ident: R) -> Verdict $body:block) => {
        #[cfg(feature = "std")]
        async fn $name<R: Runtime>($rt: R) -> Verdict $body

        #[cfg(not(feature = "std"))]
        async fn $name<R: Runtime>(_: R) -> Verdict {
            unreachable!("not applicable without the standard library")
        }
    };
}

/// Puts a room's modules together: `suite![claim, line];`.
macro_rules! suite {
    ($($module:ident),* $(,)?) => {
        /// This room's cases.
        pub(crate) struct Room;

        impl $crate::registry::Suite for Room {
            const MODULES: &'static [&'static [$crate::registry::Case]] = &[$($module::CASES),*];

            async fn run<R: $crate::Runtime>(rt: R, case: &'static $crate::registry::Case) -> Option<$crate::Verdict> {
                // A room may be empty.
                let _ = &rt;
                match case.module {
                    $(stringify!($module) => $module::run(rt, case.name).await,)*
                    _ => None,
                }
            }
        }
    };
}
