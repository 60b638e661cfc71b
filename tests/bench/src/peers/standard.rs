//! The standard library: floors, since neither can be awaited.

use std::{collections::HashMap, sync::Mutex};

use super::GiveBack;

pub struct StdMutex(Mutex<()>);

impl GiveBack for std::sync::MutexGuard<'_, ()> {}

impl StdMutex {
    pub const NAME: &'static str = "std Mutex, floor";

    pub fn new() -> Self {
        Self(Mutex::new(()))
    }

    #[inline(always)]
    pub fn lock(&self) -> impl GiveBack {
        self.0.lock()
    }
}

/// A table of keys that are taken: what one with waiters cannot be below.
#[derive(Default)]
pub struct MapOfKeys(Mutex<HashMap<u64, ()>>);

impl MapOfKeys {
    pub const NAME: &'static str = "Mutex<HashMap>, floor";

    #[inline(always)]
    pub fn take_and_free(&self, key: u64) {
        self.0.lock().expect("no panic").insert(key, ());
        self.0.lock().expect("no panic").remove(&key);
    }
}
