//! What only a chip can show: interrupts, executors at two priorities, a bounded stack; and bad input, met without a panic.
//!
//! Cases like those of the suite, in the module `chip`. Hosts have none of it.

mod input;
mod interrupt;
mod load;
mod priority;

use ecluse_conformance::{Caps, Case, Verdict};

use crate::chip;
use crate::runtime::Chip;

/// Lists the cases and runs one by name.
macro_rules! cases {
    ($($module:ident: $($name:ident)*;)*) => {
        /// The cases, in order.
        pub const CASES: &[Case] = &[$($(Case {
            module: "chip",
            name: stringify!($name),
            needs: Caps::NONE,
            engine_only: true,
        },)*)*];

        /// Runs one of them.
        ///
        /// # Panics
        /// If an expectation fails, or the case is not in the list.
        pub async fn run(rt: Chip, case: &Case) -> Verdict {
            match case.name {
                $($(stringify!($name) => $module::$name(rt).await,)*)*
                _ => unreachable!("a case that is listed"),
            }
            Verdict::Pass
        }
    };
}

cases! {
    interrupt:
        claim_is_released_in_an_interrupt
        claim_is_granted_in_an_interrupt
        slot_is_closed_in_an_interrupt
        line_is_released_in_an_interrupt
        interrupts_at_any_time_lose_nobody;
    priority:
        two_priorities_share_a_slot_without_livelock
        two_executors_poll_one_future;
    load:
        foreign_waker_waits_beside_tasks
        ticks_while_64_tasks_wait
        cancel_cycles_leave_the_stack_as_it_was;
    input:
        full_pool_gives_the_future_back
        closed_slot_is_an_error
        deadline_in_the_past_is_an_error
        future_is_polled_in_a_task_and_in_an_interrupt;
}

/// Why a case does not apply on this chip.
pub fn not_applicable(case: &Case) -> Option<&'static str> {
    let two = case.name.starts_with("two_");
    (two && !chip::PRIORITIES).then_some("no executors at two priorities here")
}
