//! cached: `ClaimRegistry`, a table of keys that are taken. Nobody can wait for one, so it is in the
//! rows of claiming only.

use cached::prelude::ClaimRegistry;

pub struct Claims(ClaimRegistry<u64>);

impl Claims {
    pub const NAME: &'static str = "cached ClaimRegistry, floor";

    pub fn new() -> Self {
        Self(ClaimRegistry::new())
    }

    #[inline(always)]
    pub fn take_and_free(&self, key: u64) {
        drop(self.0.claim(key));
    }
}
