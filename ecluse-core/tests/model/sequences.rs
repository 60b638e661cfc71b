//! Random sequences: each model walked by proptest.

use proptest::{
    array::uniform3,
    collection::vec,
    prelude::{Strategy, any},
    test_runner::{Config, TestRunner},
};

use crate::all::Call;

/// Walks so many sequences, of up to `longest` calls, from what `head` says.
pub(crate) fn sequences<H: Strategy, C: Call>(
    cases: u32,
    longest: usize,
    head: H,
    walk: impl Fn(H::Value, &[C]),
) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let call = uniform3(any::<u8>()).prop_map(C::of);
    TestRunner::new(config)
        .run(&(head, vec(call, 1..longest)), |(head, calls)| {
            walk(head, &calls);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

mod admission {
    use super::sequences;
    use crate::all::admission::walk;
    use ecluse_core::admission::{Bypass, Fifo, Policy};

    fn admission<P: Policy>(past: usize) {
        let head = (0..6_usize, 0..5_usize);
        sequences(25_000, 40, head, |(capacity, room), calls| {
            walk::<P>(capacity, room, past, calls);
        });
    }

    #[test]
    fn a_strict_admission_does_what_its_model_does() {
        admission::<Fifo>(0);
    }

    #[test]
    fn a_bypass_of_none_is_strict() {
        admission::<Bypass<0>>(0);
    }

    #[test]
    fn a_bypass_of_one_does_what_its_model_does() {
        admission::<Bypass<1>>(1);
    }

    #[test]
    fn a_bypass_of_three_does_what_its_model_does() {
        admission::<Bypass<3>>(3);
    }
}

mod channel {
    use super::sequences;
    use crate::all::channel::walk;
    use proptest::prelude::Just;

    fn channel<const N: usize>() {
        // An item that is moved under the lock, and one that is not.
        sequences(10_000, 50, Just(()), |(), calls| walk::<1, N>(calls));
        sequences(10_000, 50, Just(()), |(), calls| walk::<64, N>(calls));
    }

    #[test]
    fn a_rendezvous_does_what_its_model_does() {
        channel::<0>();
    }

    #[test]
    fn a_channel_of_one_does_what_its_model_does() {
        channel::<1>();
    }

    #[test]
    fn a_channel_of_two_does_what_its_model_does() {
        channel::<2>();
    }

    #[test]
    fn a_channel_of_three_does_what_its_model_does() {
        channel::<3>();
    }

    #[test]
    fn a_channel_of_four_does_what_its_model_does() {
        channel::<4>();
    }
}

mod flush {
    use super::sequences;
    use crate::all::flush::{growing, in_place, walk};
    use proptest::prelude::Just;

    #[test]
    fn a_table_does_what_its_model_does() {
        sequences(50_000, 60, Just(()), |(), calls| walk(&in_place(), calls));
    }

    #[test]
    fn a_growing_table_does_what_its_model_does() {
        sequences(50_000, 60, Just(()), |(), calls| walk(&growing(), calls));
    }
}

mod refresh {
    use super::sequences;
    use crate::all::refresh::walk;
    use proptest::prelude::Just;

    #[test]
    fn a_refresher_does_what_its_model_does_in_a_few_calls() {
        sequences(25_000, 12, Just(()), |(), calls| walk(calls));
    }

    #[test]
    fn a_refresher_does_what_its_model_does_in_some_calls() {
        sequences(25_000, 30, Just(()), |(), calls| walk(calls));
    }

    #[test]
    fn a_refresher_does_what_its_model_does_in_more_calls() {
        sequences(25_000, 50, Just(()), |(), calls| walk(calls));
    }

    #[test]
    fn a_refresher_does_what_its_model_does_in_many_calls() {
        sequences(25_000, 80, Just(()), |(), calls| walk(calls));
    }
}

mod slot {
    use super::sequences;
    use crate::all::slot::walk;
    use ecluse_core::{Barging, Handoff, Revocable};
    use proptest::prelude::Just;

    #[test]
    fn a_slot_that_hands_off_does_what_its_model_does() {
        sequences(5_000, 60, Just(()), |(), calls| walk::<Handoff>(calls));
    }

    #[test]
    fn a_slot_whose_grants_are_revoked_does_what_its_model_does() {
        sequences(5_000, 60, Just(()), |(), calls| walk::<Revocable>(calls));
    }

    #[test]
    fn a_slot_that_is_barged_into_does_what_its_model_does() {
        sequences(5_000, 60, Just(()), |(), calls| walk::<Barging>(calls));
    }
}

mod line {
    use super::sequences;
    use crate::all::line::walk;
    use proptest::prelude::Just;

    #[test]
    fn a_line_does_what_its_model_does() {
        sequences(10_000, 60, Just(()), |(), calls| walk(calls));
    }
}

mod group {
    use super::sequences;
    use crate::all::group::walk;
    use ecluse_core::flight::{Fail, Promote};
    use proptest::sample::select;

    #[test]
    fn a_group_that_promotes_does_what_its_model_does() {
        let limit = select(vec![usize::MAX, 1, 2]);
        sequences(10_000, 60, limit, |limit, calls| {
            walk::<Promote>(false, limit, calls);
        });
    }

    #[test]
    fn a_group_that_fails_does_what_its_model_does() {
        let limit = select(vec![usize::MAX, 1, 2]);
        sequences(10_000, 60, limit, |limit, calls| {
            walk::<Fail>(true, limit, calls);
        });
    }
}

mod once {
    use super::sequences;
    use crate::all::once::walk;
    use proptest::prelude::Just;

    #[test]
    fn a_once_does_what_its_model_does() {
        sequences(10_000, 60, Just(()), |(), calls| walk(calls));
    }
}

mod relay {
    use super::sequences;
    use crate::all::relay::walk;
    use proptest::prelude::Just;

    #[test]
    fn a_relay_does_what_its_model_does() {
        sequences(10_000, 60, Just(()), |(), calls| walk(calls));
    }
}

mod scope {
    use super::sequences;
    use crate::all::scope::walk;
    use proptest::prelude::Just;

    #[test]
    fn a_tree_of_scopes_does_what_its_model_does() {
        sequences(10_000, 60, Just(()), |(), calls| walk(calls));
    }
}
