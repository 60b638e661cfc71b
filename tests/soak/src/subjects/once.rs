//! `Once`: made by one, and then never again.

use ecluse_core::Once;

use crate::subject::{Call, Dice, Faults, Inside, Subject};

/// So many cells, as each is good for one value.
const CELLS: usize = 64;

pub(super) struct Onces {
    cells: [Cell; CELLS],
    faults: Faults,
}

#[derive(Default)]
struct Cell {
    once: Once<Box<usize>>,
    making: Inside,
    made: Inside,
}

impl Subject for Onces {
    fn new() -> Self {
        Self {
            cells: core::array::from_fn(|_| Cell::default()),
            faults: Faults::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        let (at, work) = (dice.below(CELLS), dice.work());
        let cell = &self.cells[at];
        Box::pin(async move {
            let make = || async {
                let _stay = cell.making.enter(1, 1, &self.faults);
                work.done().await;
                // It stays: made once.
                core::mem::forget(cell.made.enter(1, 1, &self.faults));
                Box::new(at)
            };
            let value = cell.once.get_or_init(make).await;
            let wrong = value.is_ok_and(|value| **value != at);
            self.faults.note_if(wrong, "another's value");
        })
    }

    fn check(&mut self) {
        for cell in &self.cells {
            let lost = cell.once.is_set() == cell.made.is_empty();
            self.faults.note_if(lost, "a value lost");
            self.faults.note_if(!cell.making.is_empty(), "a run left");
        }
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }
}
