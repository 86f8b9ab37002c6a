//! The order of queued work, seen through many seeds.

use super::{ElapsedError, LEGACY, Scheduler};

/// Everything queued, in the order in which it runs.
fn order(scheduler: &mut Scheduler<&'static str>) -> Vec<&'static str> {
    scheduler.shuffle();
    std::iter::from_fn(|| scheduler.step()).collect()
}

/// In how many of 100 seeds `first` ran before `second`.
fn times_before(
    first: &str,
    second: &str,
    queue: impl Fn(&mut Scheduler<&'static str>, u64, u64),
    blocking: bool,
) -> usize {
    let is_before = |seed: &u64| {
        let mut scheduler = Scheduler::new(*seed);
        let a = scheduler.create_stream(blocking, "a".into());
        let b = scheduler.create_stream(blocking, "b".into());
        queue(&mut scheduler, a, b);
        let order = order(&mut scheduler);
        let place = |name| order.iter().position(|other| *other == name);
        place(first) < place(second)
    };
    (0..100).filter(is_before).count()
}

#[test]
fn one_stream_is_a_queue() {
    for seed in 0..20 {
        let mut scheduler = Scheduler::new(seed);
        let stream = scheduler.create_stream(true, String::new());
        for name in ["a", "b", "c", "d"] {
            scheduler.push(stream, name);
        }
        assert_eq!(order(&mut scheduler), ["a", "b", "c", "d"]);
        assert_eq!(scheduler.pending(), 0);
    }
}

#[test]
fn without_an_event_both_orders_occur() {
    let both = times_before(
        "upload",
        "kernel",
        |scheduler, a, b| {
            scheduler.push(a, "upload");
            scheduler.push(b, "kernel");
        },
        true,
    );
    assert!((30..=70).contains(&both), "{both} of 100");
}

#[test]
fn a_wrong_order_is_found_behind_long_queues() {
    let ahead = times_before(
        "upload",
        "kernel",
        |scheduler, a, b| {
            scheduler.push(a, "upload");
            for _ in 0..100 {
                scheduler.push(b, "other");
            }
            scheduler.push(b, "kernel");
        },
        false,
    );
    assert!((50..=90).contains(&ahead), "{ahead} of 100");
}

#[test]
fn an_event_orders_two_streams() {
    let ordered = times_before(
        "upload",
        "kernel",
        |scheduler, a, b| {
            let event = scheduler.create_event(false, String::new());
            scheduler.push(a, "upload");
            scheduler.record(a, event);
            scheduler.wait(b, event);
            // The wait took the event as it was: neither a later record nor its end changes anything.
            scheduler.push(a, "later");
            scheduler.record(a, event);
            scheduler.destroy_event(event);
            scheduler.push(b, "kernel");
        },
        false,
    );
    assert_eq!(ordered, 100);
}

#[test]
fn the_legacy_stream_waits_for_blocking_streams_only() {
    let queue = |scheduler: &mut Scheduler<&'static str>, a: u64, b: u64| {
        scheduler.push(a, "before");
        scheduler.push(LEGACY, "legacy");
        scheduler.push(b, "after");
    };
    assert_eq!(times_before("before", "legacy", queue, true), 100);
    assert_eq!(times_before("legacy", "after", queue, true), 100);
    let free = times_before("before", "legacy", queue, false);
    assert!((30..=70).contains(&free), "{free} of 100");
}

#[test]
fn a_destroyed_stream_still_runs_its_queue() {
    let mut scheduler = Scheduler::new(3);
    let stream = scheduler.create_stream(true, "worker".into());
    scheduler.push(stream, "a");
    assert_eq!(scheduler.live_streams().collect::<Vec<_>>(), ["worker"]);
    assert!(scheduler.destroy_stream(stream));
    assert!(!scheduler.destroy_stream(stream));
    assert!(!scheduler.has_stream(stream));
    assert_eq!(scheduler.live_streams().count(), 0);
    assert_eq!(order(&mut scheduler), ["a"]);
}

#[test]
fn time_between_events() {
    let mut scheduler = Scheduler::new(0);
    let (start, end) =
        (scheduler.create_event(true, "start".into()), scheduler.create_event(true, "end".into()));
    let untimed = scheduler.create_event(false, "untimed".into());
    assert_eq!(scheduler.elapsed(start, end), Err(ElapsedError::Invalid));
    scheduler.record(LEGACY, start);
    scheduler.push(LEGACY, "work");
    scheduler.record(LEGACY, end);
    scheduler.record(LEGACY, untimed);
    assert_eq!(scheduler.elapsed(start, end), Err(ElapsedError::NotReady));
    assert_eq!(order(&mut scheduler), ["work"]);
    let forward = scheduler.elapsed(start, end).expect("both were reached");
    assert!((0.0..1000.0).contains(&forward), "{forward} ms");
    assert_eq!(scheduler.elapsed(end, start), Ok(-forward));
    assert_eq!(scheduler.elapsed(start, untimed), Err(ElapsedError::Invalid));
    assert_eq!(scheduler.live_events().collect::<Vec<_>>(), ["start", "end", "untimed"]);
}

#[test]
fn abandoned_work_comes_back_in_the_order_of_the_calls() {
    let mut scheduler = Scheduler::new(0);
    let a = scheduler.create_stream(false, String::new());
    let b = scheduler.create_stream(false, String::new());
    for (stream, name) in [(b, "1"), (a, "2"), (b, "3"), (a, "4")] {
        scheduler.push(stream, name);
    }
    assert_eq!(scheduler.abandon(), ["1", "2", "3", "4"]);
    assert_eq!(scheduler.pending(), 0);
    assert!(scheduler.tail(a).into_iter().all(|point| scheduler.is_reached(point)));
}
