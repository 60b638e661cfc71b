//! The code of the guide and of the project's README, as doc-tests: `cargo test -p ecluse-guide --doc`.

#![no_std]

macro_rules! pages {
    ($($name:ident: $path:literal,)+) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!($path)]
            mod $name {}
        )+
    };
}

pages! {
    readme: "../../../README.md",
    choosing: "../../../docs/guide/choosing.md",
    orphans: "../../../docs/guide/orphans.md",
    cancel_safety: "../../../docs/guide/cancel-safety.md",
    states: "../../../docs/guide/states.md",
    on_a_chip: "../../../docs/guide/on-a-chip.md",
    adapters: "../../../docs/guide/adapters.md",
    migrating: "../../../docs/guide/migrating.md",
}
