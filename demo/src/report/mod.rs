//! The one report of all acts: tables on the terminal, a picture as a file.

mod axis;
pub(crate) mod picture;
pub(crate) mod table;
