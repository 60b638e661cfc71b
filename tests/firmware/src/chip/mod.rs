//! What differs from chip to chip: interrupts, clocks, and how much there is of everything.

#[cfg(target_arch = "arm")]
mod arm;
#[cfg(target_arch = "riscv32")]
mod riscv;

#[cfg(target_arch = "arm")]
pub use arm::*;
#[cfg(target_arch = "riscv32")]
pub use riscv::*;

pub use crate::tick::on_tick;
pub use ecluse_conformance::Act;

/// 64 KiB of RAM, or megabytes.
const SMALL: bool = cfg!(not(target_has_atomic = "ptr"));

/// Bytes for a case's values and its tasks' futures: half the RAM where there is little.
pub const ARENA: usize = if SMALL { 30 << 10 } else { 1 << 20 };
/// Tasks at a time.
pub const PLACES: usize = 72;
/// How often a case may repeat its step.
pub const SCALE: usize = if SMALL { 16 } else { 2_000 };
