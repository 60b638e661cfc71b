//! Prints `lock<TAB>name<TAB>bytes` for every type and every lock of the host.

use ecluse_core::{CriticalSection, StdMutex};
use ecluse_size::table;

fn main() {
    for (name, bytes) in table::<CriticalSection>() {
        println!("critical-section\t{name}\t{bytes}");
    }
    for (name, bytes) in table::<StdMutex>() {
        println!("std\t{name}\t{bytes}");
    }
}
