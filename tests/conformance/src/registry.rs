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
    /// No [`Caps::INTERRUPTS`].
    NoInterrupts,
    /// No [`Caps::PRIORITIES`].
    OnePriority,
    /// No [`Caps::STACK`].
    NoStack,
    /// No [`Caps::PLACES`].
    NoPlaces,
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
            Self::NoInterrupts => "no interrupt handlers here",
            Self::OnePriority => "no executor that preempts another here",
            Self::NoStack => "the stack cannot be painted here",
            Self::NoPlaces => "tasks need no places here",
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
    (Caps::INTERRUPTS, Why::NoInterrupts),
    (Caps::PRIORITIES, Why::OnePriority),
    (Caps::STACK, Why::NoStack),
    (Caps::PLACES, Why::NoPlaces),
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

/// Cases that are run together: all of them, or those that one image of firmware holds.
///
/// What is in no part that an image names is not compiled into it.
pub trait Part {
    /// The cases, module by module, in the order of the page.
    const MODULES: &'static [&'static [Case]];

    /// Runs a case; `None` if it is not in this part.
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

/// Puts a room's modules together, in parts: `suite! { Claims: claim, guard; Lines: line; }`.
macro_rules! suite {
    ($($(#[$doc:meta])* $part:ident: $($module:ident),+ $(,)?;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            #[allow(dead_code, unreachable_pub, reason = "firmware names the parts of one of the compiled rooms")]
            pub enum $part {}

            suite!(@impl $part: $($module)+);
        )+

        /// This room's cases, all parts of it.
        #[derive(Debug)]
        pub(crate) enum Room {}

        suite!(@impl Room: $($($module)+)+);
    };
    (@impl $part:ident: $($module:ident)+) => {
        impl $crate::registry::Part for $part {
            const MODULES: &'static [&'static [$crate::registry::Case]] = &[$($module::CASES),+];

            async fn run<R: $crate::Runtime>(rt: R, case: &'static $crate::registry::Case) -> Option<$crate::Verdict> {
                match case.module {
                    $(stringify!($module) => $module::run(rt, case.name).await,)+
                    _ => None,
                }
            }
        }
    };
}
