//! Why a scope was cancelled: what fits in the scope's word, beside the flag.
//!
//! | bits of the word | name | means |
//! |---|---|---|
//! | 0 | `CANCEL` | cancelled |
//! | 1 | `FORCE` | cancelled for good: shields and clean-ups do not count any more; implies `CANCEL` |
//! | 2 | `SHIELD` | not reached by an ancestor's `CANCEL`, only by its `FORCE`; fixed at creation |
//! | 3 | `INHERITED` | the reason came from an ancestor |
//! | 4 | `NAMED` | a name lies behind the scope's branch; fixed at creation |
//! | 5 | `SHARED` | behind the name lies a shared scope's crew; fixed at creation |
//! | 8–15 | kind | a [`Kind`] |
//! | 16–31 | code | the user's own |

use core::fmt;

pub(super) const CANCEL: usize = 1;
pub(super) const FORCE: usize = 2;
pub(super) const SHIELD: usize = 4;
const INHERITED: usize = 8;
pub(super) const NAMED: usize = 16;
pub(super) const SHARED: usize = 32;
/// What never changes of a word.
pub(super) const FIXED: usize = SHIELD | NAMED | SHARED;
const KIND_SHIFT: u32 = 8;
const CODE_SHIFT: u32 = 16;
/// What makes a [`Reason`]: all but the flag and the shield.
const TOLD: usize = 0xFFFF_FF00 | INHERITED | FORCE;

const _: () = assert!(usize::BITS >= 32, "a scope's word has 32 bits");

/// What sort of event cancelled a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
#[repr(u8)]
pub enum Kind {
    /// Somebody called for it.
    Explicit = 0,
    /// A deadline passed.
    Deadline = 1,
    /// A sibling failed, or won.
    Sibling = 2,
    /// A sibling panicked.
    Panic = 3,
    /// The scope's owner was dropped before its children had ended.
    Dropped = 4,
    /// The program is being shut down.
    Shutdown = 5,
    /// A limit was reached: the grace of a clean-up, say.
    Limit = 6,
}

impl Kind {
    const fn of(byte: usize) -> Self {
        match byte {
            1 => Self::Deadline,
            2 => Self::Sibling,
            3 => Self::Panic,
            4 => Self::Dropped,
            5 => Self::Shutdown,
            6 => Self::Limit,
            _ => Self::Explicit,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Explicit => "on request",
            Self::Deadline => "its deadline passed",
            Self::Sibling => "a sibling ended first",
            Self::Panic => "a sibling panicked",
            Self::Dropped => "its owner was dropped",
            Self::Shutdown => "shutting down",
            Self::Limit => "a limit was reached",
        })
    }
}

/// Why a scope was cancelled: a [`Kind`], a code of the user's own, whether it came from an ancestor.
///
/// It is kept in the scope's one word with the flag, so whoever sees a scope cancelled sees the
/// reason, and the first one stays.
///
/// ```
/// use ecluse_core::cancel::{Kind, Reason};
///
/// const DISK_FULL: u16 = 7;
/// let reason = Reason::new(Kind::Limit).with_code(DISK_FULL);
/// assert_eq!((reason.kind(), reason.code()), (Kind::Limit, DISK_FULL));
/// assert!(!reason.is_inherited());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Reason(u32);

impl Reason {
    /// A reason of this kind, with the code 0.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self((kind as u32) << KIND_SHIFT)
    }

    /// The same with a code of the user's own.
    #[must_use]
    pub const fn with_code(self, code: u16) -> Self {
        Self(self.0 & 0xFFFF | (code as u32) << CODE_SHIFT)
    }

    /// What sort of event it was.
    #[must_use]
    pub const fn kind(self) -> Kind {
        Kind::of(self.0 as usize >> KIND_SHIFT & 0xFF)
    }

    /// The user's own code, 0 if none was given.
    #[must_use]
    pub const fn code(self) -> u16 {
        (self.0 >> CODE_SHIFT) as u16
    }

    /// Whether an ancestor was cancelled, not the scope itself.
    #[must_use]
    pub const fn is_inherited(self) -> bool {
        self.0 as usize & INHERITED != 0
    }

    /// Whether it was cancelled by force: no clean-up is waited for.
    #[must_use]
    pub const fn is_forced(self) -> bool {
        self.0 as usize & FORCE != 0
    }

    /// Whether both are of one cancel, as far as that can be seen: the same kind and code. (Where it
    /// was inherited, and whether by force, differs from scope to scope.)
    pub(crate) const fn is_same(self, other: Self) -> bool {
        self.bits() == other.bits()
    }

    /// What a scope's word says.
    #[inline(always)]
    pub(super) const fn of(word: usize) -> Option<Self> {
        if word & CANCEL == 0 {
            None
        } else {
            Some(Self((word & TOLD) as u32))
        }
    }

    /// What goes into a word for it.
    const fn bits(self) -> usize {
        self.0 as usize & TOLD & !(FORCE | INHERITED)
    }
}

/// [`Kind::Explicit`], the code 0.
impl Default for Reason {
    fn default() -> Self {
        Self::new(Kind::Explicit)
    }
}

impl From<Kind> for Reason {
    fn from(kind: Kind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reason")
            .field("kind", &self.kind())
            .field("code", &self.code())
            .field("inherited", &self.is_inherited())
            .field("forced", &self.is_forced())
            .finish()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_inherited() {
            f.write_str("an outer scope: ")?;
        }
        self.kind().fmt(f)?;
        if self.code() != 0 {
            write!(f, " (code {})", self.code())?;
        }
        Ok(())
    }
}

/// The word after a cancel of the scope itself; `None` if it changes nothing.
pub(super) fn cancelled(word: usize, reason: Reason) -> Option<usize> {
    (word & CANCEL == 0).then(|| word | CANCEL | reason.bits())
}

/// The word after a forced cancel of the scope itself. A reason that it has stays.
pub(super) fn forced(word: usize, reason: Reason) -> Option<usize> {
    if word & FORCE != 0 {
        return None;
    }
    Some(cancelled(word, reason).unwrap_or(word) | FORCE)
}

/// The word of a scope whose parent's is `parent`; `None` if that changes nothing.
pub(super) fn inherited(word: usize, parent: usize) -> Option<usize> {
    let reached = if parent & FORCE != 0 {
        word & FORCE == 0
    } else {
        parent & CANCEL != 0 && word & (CANCEL | SHIELD) == 0
    };
    if !reached {
        return None;
    }
    let told = if word & CANCEL == 0 {
        parent & TOLD | INHERITED
    } else {
        0
    };
    Some(word | told | parent & (CANCEL | FORCE))
}

/// The scope is cancelled: the error of every checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Cancelled(Reason);

impl Cancelled {
    pub(crate) const fn new(reason: Reason) -> Self {
        Self(reason)
    }

    /// Why.
    #[must_use]
    pub const fn reason(self) -> Reason {
        self.0
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled: {}", self.0)
    }
}

impl core::error::Error for Cancelled {}
