//! The one report of all acts: tables and verdicts on the terminal, and a page as a file, from the same data.

mod page;
pub(crate) mod picture;
pub(crate) mod scene;
mod setting;
pub(crate) mod table;
pub(crate) mod verdict;

pub(crate) use self::{
    page::page,
    scene::{Played, Scene, Shown, Way},
    setting::Setting,
};
