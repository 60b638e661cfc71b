//! What the other tests take for granted about a simulated run.

#![allow(clippy::std_instead_of_core, clippy::alloc_instead_of_core)]

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use ecluse_sim::{Choices, Ended, Handle, Sim, Stuck};

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Four tasks of four steps each; what they wrote, and who was chosen.
fn scenario(choices: Choices) -> (Vec<(usize, usize)>, Vec<u32>) {
    let mut sim = Sim::new(choices);
    let handle = sim.handle();
    let written = Arc::new(Mutex::new(Vec::new()));
    let all = async {
        let tasks: Vec<_> = (0..4)
            .map(|task| {
                let written = Arc::clone(&written);
                handle.spawn(async move {
                    for step in 0..4 {
                        written.lock().unwrap().push((task, step));
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await, Ended::Finished);
        }
    };
    sim.block_on(all).expect("the run ends");
    let written = written.lock().unwrap().clone();
    (written, sim.schedule())
}

#[test]
fn same_seed_same_schedule_and_other_seeds_differ() {
    let runs: Vec<_> = (0..16).map(|s| scenario(Choices::from_seed(s))).collect();
    for (seed, run) in runs.iter().enumerate() {
        assert_eq!(*run, scenario(Choices::from_seed(seed as u64)));
    }
    let distinct: std::collections::HashSet<_> = runs.into_iter().map(|run| run.0).collect();
    assert!(distinct.len() > 12, "only {} schedules", distinct.len());
}

#[test]
fn given_bytes_choose_and_their_end_is_first_come_first_served() {
    let (in_order, _) = scenario(Choices::from_bytes(&[]));
    assert_eq!(in_order[..4], [(0, 0), (1, 0), (2, 0), (3, 0)]);
    let (other, _) = scenario(Choices::from_bytes(&[3, 2, 1, 1, 0, 2, 3]));
    assert_ne!(in_order, other);
    assert_eq!(other.len(), 16);
}

#[test]
fn deadlock_is_reported_with_the_names_of_those_who_wait() {
    let mut sim = Sim::new(Choices::from_seed(1));
    let handle = sim.handle();
    drop(handle.spawn_named("alice", pending()));
    drop(handle.spawn_named("bob", async {}));
    let stuck = sim.block_on(pending::<()>()).unwrap_err();
    assert_eq!(stuck, Stuck::Deadlock(vec!["main".into(), "alice".into()]));
    assert!(stuck.to_string().contains("main, alice"));
}

#[test]
fn endless_run_is_cut_short() {
    let mut sim = Sim::new(Choices::from_seed(1)).max_steps(100);
    let spin = async {
        loop {
            yield_now().await;
        }
    };
    let stuck = sim.block_on::<Pin<Box<dyn Future<Output = ()>>>>(Box::pin(spin));
    assert_eq!(stuck, Err(Stuck::Endless(vec!["main".into()])));
}

#[test]
fn timers_fire_in_order_and_time_stands_still_while_anybody_is_busy() {
    let mut sim = Sim::new(Choices::from_seed(7));
    let handle = sim.handle();
    let clock = handle.clock();
    let fired = Arc::new(Mutex::new(Vec::new()));
    let main = async {
        let mut tasks = Vec::new();
        for millis in [30, 10, 20, 10] {
            let (clock, fired) = (clock.clone(), Arc::clone(&fired));
            tasks.push(handle.spawn(async move {
                let at = Duration::from_millis(millis);
                clock.sleep_until(at).await;
                assert_eq!(clock.now(), at);
                fired.lock().unwrap().push(millis);
            }));
        }
        for _ in 0..100 {
            yield_now().await;
            assert_eq!(clock.now(), Duration::ZERO);
        }
        for task in tasks {
            assert_eq!(task.await, Ended::Finished);
        }
    };
    sim.block_on(main).expect("the run ends");
    assert_eq!(*fired.lock().unwrap(), [10, 10, 20, 30]);
}

#[test]
fn dropped_sleep_does_not_move_the_clock() {
    let mut sim = Sim::new(Choices::from_seed(7));
    let clock = sim.handle().clock();
    let main = async {
        let mut far = Box::pin(clock.sleep_until(Duration::from_secs(1000)));
        let polled = poll_fn(|cx| Poll::Ready(far.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
        drop(far);
        clock.sleep_until(Duration::from_secs(1)).await;
        clock.now()
    };
    assert_eq!(sim.block_on(main), Ok(Duration::from_secs(1)));
}

/// Tells when it is dropped.
struct Tell(Arc<Mutex<u32>>);

impl Drop for Tell {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

fn told(handle: &Handle, drops: &Arc<Mutex<u32>>) -> ecluse_sim::Task {
    let tell = Tell(Arc::clone(drops));
    handle.spawn(async move {
        let _tell = tell;
        pending::<()>().await;
    })
}

#[test]
fn abort_drops_the_future_before_the_join_resolves() {
    let drops = Arc::new(Mutex::new(0));
    for seed in 0..32 {
        let mut sim = Sim::new(Choices::from_seed(seed));
        let handle = sim.handle();
        *drops.lock().unwrap() = 0;
        let main = async {
            let task = told(&handle, &drops);
            if seed % 2 == 0 {
                yield_now().await;
            }
            task.abort();
            task.abort();
            let ended = task.await;
            (ended, *drops.lock().unwrap())
        };
        assert_eq!(sim.block_on(main), Ok((Ended::Aborted, 1)));
    }
}

#[test]
fn dropping_the_simulation_drops_its_futures() {
    let drops = Arc::new(Mutex::new(0));
    let mut sim = Sim::new(Choices::from_seed(3));
    let handle = sim.handle();
    let _task = told(&handle, &drops);
    sim.block_on(yield_now()).expect("the run ends");
    drop(sim);
    assert_eq!(*drops.lock().unwrap(), 1);
}

#[test]
fn panicking_task_is_told_apart() {
    let mut sim = Sim::new(Choices::from_seed(3));
    let task = sim.handle().spawn(async { panic!("on purpose") });
    assert_eq!(sim.block_on(task), Ok(Ended::Panicked));
}
