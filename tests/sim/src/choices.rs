//! Where the schedule comes from.

/// A stream of decisions, the same each time for the same start.
#[derive(Clone, Debug)]
pub struct Choices {
    given: Vec<u8>,
    next: usize,
    state: u64,
}

impl Choices {
    /// Decisions from a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self::from_parts(Vec::new(), seed)
    }

    /// Decisions from bytes, one each (a fuzzer's input); when they are used up, the first ready task is chosen each time.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut choices = Self::from_parts(bytes.to_vec(), 0);
        choices.state = 0;
        choices
    }

    fn from_parts(given: Vec<u8>, seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring schedules, and xorshift must not start at 0: mixed as in splitmix64.
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self {
            given,
            next: 0,
            state: (mixed ^ (mixed >> 31)) | 1,
        }
    }

    /// One of `0..among`. A choice of one takes no decision, so that bytes are spent only where they matter.
    pub(crate) fn choose(&mut self, among: usize) -> usize {
        assert!(among > 0, "nothing to choose from");
        if among == 1 {
            return 0;
        }
        if let Some(byte) = self.given.get(self.next) {
            self.next += 1;
            return usize::from(*byte) % among;
        }
        if self.state == 0 {
            return 0;
        }
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        // The high half is the better one; among is far below 2^32, so the bias does not matter.
        let wide = (self.state >> 32) * among as u64;
        usize::try_from(wide >> 32).expect("below among")
    }
}
