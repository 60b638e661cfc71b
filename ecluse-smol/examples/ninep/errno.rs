//! Error numbers of 9P2000.L, which are Linux's.

use std::io;

/// What an `Rlerror` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) u32);

pub(crate) const ENOENT: Errno = Errno(2);
pub(crate) const EIO: Errno = Errno(5);
pub(crate) const EBADF: Errno = Errno(9);
pub(crate) const EAGAIN: Errno = Errno(11);
pub(crate) const EACCES: Errno = Errno(13);
pub(crate) const ENOTDIR: Errno = Errno(20);
pub(crate) const EISDIR: Errno = Errno(21);
pub(crate) const EINVAL: Errno = Errno(22);
pub(crate) const ENFILE: Errno = Errno(23);
pub(crate) const EROFS: Errno = Errno(30);
pub(crate) const ENAMETOOLONG: Errno = Errno(36);
pub(crate) const EOPNOTSUPP: Errno = Errno(95);

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        let number = error
            .raw_os_error()
            .and_then(|number| number.try_into().ok());
        number.map_or(EIO, Self)
    }
}
