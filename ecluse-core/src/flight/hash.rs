//! The hasher of groups that name none.

use core::hash::BuildHasher;

use foldhash::fast::{FixedState, FoldHasher};

/// A fast hash. With `std` it is seeded anew in each process, so that nobody outside can choose
/// keys that collide; without, its seed is fixed: give a group on a hostile wire a
/// [`BuildHasher`] with a seed of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultHash;

impl BuildHasher for DefaultHash {
    type Hasher = FoldHasher<'static>;

    #[inline]
    fn build_hasher(&self) -> Self::Hasher {
        FixedState::with_seed(seed()).build_hasher()
    }
}

#[cfg(feature = "std")]
#[inline]
fn seed() -> u64 {
    use std::{hash::RandomState, sync::OnceLock};
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| RandomState::new().hash_one(0_u8))
}

#[cfg(not(feature = "std"))]
#[inline(always)]
fn seed() -> u64 {
    0
}
