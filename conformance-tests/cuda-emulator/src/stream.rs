//! Streams and events: what was queued, what must wait for what, and in which order it may run.
//!
//! Work is kept until something synchronises. Then one runnable stream after another executes the front of its
//! queue. Streams have random ranks and the highest rank goes first; the ranks are drawn anew at each
//! synchronisation and, half of the time, between operations as well. With one missing event between two
//! streams, such ranks find the wrong order with a probability near one half, however long the queues are
//! (Burckhardt et al. 2010, "A randomized scheduler with probabilistic guarantees of finding bugs",
//! <https://doi.org/10.1145/1735970.1736040>).
//!
//! The rules of order are those of the CUDA Programming Guide, "Asynchronous Concurrent Execution": a stream is
//! a queue; a wait takes the event as it was last recorded when the wait was called; the legacy default stream
//! waits for the blocking streams and they wait for it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[cfg(test)]
mod tests;

/// The number of the legacy default stream.
pub const LEGACY: u64 = 0;

/// A place in a stream: the operation of that number, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    stream: u64,
    number: u64,
}

/// What an entry of a queue does.
enum Work<O> {
    Operation(O),
    /// Marks the event of this number as reached.
    Record(u64),
    /// Only waits for the points that the entry names.
    Wait,
}

struct Entry<O> {
    work: Work<O>,
    /// Points of other streams that must be reached first.
    after: Vec<Point>,
    /// Place in the order of the calls.
    serial: u64,
}

struct Stream<O> {
    blocking: bool,
    /// The program destroyed it; it lives until its queue is empty.
    destroyed: bool,
    queue: VecDeque<Entry<O>>,
    issued: u64,
    done: u64,
    rank: u64,
    label: String,
}

impl<O> Stream<O> {
    fn new(blocking: bool, label: String) -> Self {
        Self { blocking, destroyed: false, queue: VecDeque::new(), issued: 0, done: 0, rank: 0, label }
    }
}

struct Event {
    timed: bool,
    recorded: Option<Point>,
    reached: Option<Instant>,
    label: String,
}

/// How the time between two events was asked for wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElapsedError {
    /// One of the events does not exist, was not recorded, or was made without timing.
    Invalid,
    /// One of the events was not reached yet.
    NotReady,
}

/// The queues of one context, with operations of type `O`.
pub struct Scheduler<O> {
    streams: BTreeMap<u64, Stream<O>>,
    events: BTreeMap<u64, Event>,
    last: u64,
    serial: u64,
    pending: usize,
    /// Whether the ranks change between two operations too.
    restless: bool,
    random: ChaCha8Rng,
}

impl<O> Scheduler<O> {
    /// No streams but the legacy default stream; `seed` decides all orders.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            streams: BTreeMap::from([(LEGACY, Stream::new(true, "the legacy default stream".into()))]),
            events: BTreeMap::new(),
            last: LEGACY,
            serial: 0,
            pending: 0,
            restless: false,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// A new stream; a `blocking` one and the legacy default stream wait for each other.
    pub fn create_stream(&mut self, blocking: bool, label: String) -> u64 {
        self.last += 1;
        self.streams.insert(self.last, Stream::new(blocking, label));
        self.last
    }

    /// Whether the stream exists and was not destroyed.
    #[must_use]
    pub fn has_stream(&self, stream: u64) -> bool {
        self.streams.get(&stream).is_some_and(|stream| !stream.destroyed)
    }

    /// Destroys a stream once its work is done; false if there is no such stream.
    pub fn destroy_stream(&mut self, stream: u64) -> bool {
        let Some(entry) = self.streams.get_mut(&stream).filter(|entry| !entry.destroyed) else {
            return false;
        };
        entry.destroyed = true;
        self.remove_if_over(stream);
        true
    }

    /// A new event, never recorded so far.
    pub fn create_event(&mut self, timed: bool, label: String) -> u64 {
        self.last += 1;
        self.events.insert(self.last, Event { timed, recorded: None, reached: None, label });
        self.last
    }

    /// Whether the event exists.
    #[must_use]
    pub fn has_event(&self, event: u64) -> bool {
        self.events.contains_key(&event)
    }

    /// Destroys an event; waits that were called keep their meaning. False if there is no such event.
    pub fn destroy_event(&mut self, event: u64) -> bool {
        self.events.remove(&event).is_some()
    }

    /// Queues an operation.
    ///
    /// # Panics
    /// If the stream does not exist.
    pub fn push(&mut self, stream: u64, operation: O) -> Point {
        self.enqueue(stream, Work::Operation(operation), Vec::new())
    }

    /// Queues the recording of an event.
    ///
    /// # Panics
    /// If the stream does not exist.
    pub fn record(&mut self, stream: u64, event: u64) {
        let point = self.enqueue(stream, Work::Record(event), Vec::new());
        if let Some(event) = self.events.get_mut(&event) {
            event.recorded = Some(point);
            event.reached = None;
        }
    }

    /// Makes what is queued later on `stream` wait for the event as it was last recorded.
    ///
    /// # Panics
    /// If the stream does not exist.
    pub fn wait(&mut self, stream: u64, event: u64) {
        if let Some(point) = self.events.get(&event).and_then(|event| event.recorded) {
            self.enqueue(stream, Work::Wait, vec![point]);
        }
    }

    fn enqueue(&mut self, stream: u64, work: Work<O>, mut after: Vec<Point>) -> Point {
        if stream == LEGACY {
            let others = self.streams.iter().filter(|(id, other)| **id != LEGACY && other.blocking);
            after.extend(others.map(|(id, other)| Point { stream: *id, number: other.issued }));
        } else if self.streams[&stream].blocking {
            after.push(Point { stream: LEGACY, number: self.streams[&LEGACY].issued });
        }
        after.retain(|point| !self.is_reached(*point));
        self.serial += 1;
        self.pending += 1;
        let serial = self.serial;
        let entry = self.streams.get_mut(&stream).expect("the caller checked that the stream exists");
        entry.issued += 1;
        entry.queue.push_back(Entry { work, after, serial });
        Point { stream, number: entry.issued }
    }

    /// How many entries are queued on all streams.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Whether the work up to a point is done.
    #[must_use]
    pub fn is_reached(&self, point: Point) -> bool {
        self.streams.get(&point.stream).is_none_or(|stream| stream.done >= point.number)
    }

    /// The last thing queued on a stream so far; for the legacy default stream also that of the blocking streams.
    #[must_use]
    pub fn tail(&self, stream: u64) -> Vec<Point> {
        self.streams
            .iter()
            .filter(|(id, other)| **id == stream || (stream == LEGACY && other.blocking))
            .map(|(id, other)| Point { stream: *id, number: other.issued })
            .collect()
    }

    /// Where an event was last recorded, if ever.
    #[must_use]
    pub fn recorded(&self, event: u64) -> Option<Point> {
        self.events.get(&event).and_then(|event| event.recorded)
    }

    /// Milliseconds between two events.
    ///
    /// # Errors
    /// If an event is not recorded, not timed or not reached.
    pub fn elapsed(&self, start: u64, end: u64) -> Result<f32, ElapsedError> {
        let time = |event: u64| {
            let event = self.events.get(&event).filter(|event| event.timed).ok_or(ElapsedError::Invalid)?;
            event.recorded.ok_or(ElapsedError::Invalid)?;
            event.reached.ok_or(ElapsedError::NotReady)
        };
        let (start, end) = (time(start)?, time(end)?);
        let sign = if end < start { -1.0 } else { 1.0 };
        let seconds = end.max(start).duration_since(start.min(end)).as_secs_f32();
        Ok(sign * seconds * 1000.0)
    }

    /// Draws new ranks; called when something synchronises.
    pub fn shuffle(&mut self) {
        self.restless = self.random.random();
        self.draw_ranks();
    }

    fn draw_ranks(&mut self) {
        for stream in self.streams.values_mut() {
            stream.rank = self.random.next_u64();
        }
    }

    /// Takes the next operation, which the caller executes before it calls anything else; `None` when nothing is
    /// queued any more.
    pub fn step(&mut self) -> Option<O> {
        loop {
            if self.restless && self.random.random_ratio(1, 4) {
                self.draw_ranks();
            }
            // An entry waits only for entries that were queued before it, so the oldest entry is always runnable.
            let (id, _) = self
                .streams
                .iter()
                .filter(|(_, stream)| {
                    let front = stream.queue.front();
                    front.is_some_and(|entry| entry.after.iter().all(|point| self.is_reached(*point)))
                })
                .max_by_key(|(_, stream)| stream.rank)?;
            let id = *id;
            let stream = self.streams.get_mut(&id)?;
            let entry = stream.queue.pop_front()?;
            stream.done += 1;
            self.pending -= 1;
            let point = Point { stream: id, number: stream.done };
            self.remove_if_over(id);
            match entry.work {
                Work::Operation(operation) => return Some(operation),
                Work::Record(event) => self.reach(event, point),
                Work::Wait => {}
            }
        }
    }

    fn reach(&mut self, event: u64, point: Point) {
        if let Some(event) = self.events.get_mut(&event).filter(|event| event.recorded == Some(point)) {
            event.reached = Some(Instant::now());
        }
    }

    /// Empties all queues without executing anything and returns the operations in the order of their calls.
    pub fn abandon(&mut self) -> Vec<O> {
        let mut rest = Vec::new();
        let ids: Vec<u64> = self.streams.keys().copied().collect();
        for id in ids {
            while let Some(stream) = self.streams.get_mut(&id)
                && let Some(entry) = stream.queue.pop_front()
            {
                stream.done += 1;
                let point = Point { stream: id, number: stream.done };
                match entry.work {
                    Work::Operation(operation) => rest.push((entry.serial, operation)),
                    Work::Record(event) => self.reach(event, point),
                    Work::Wait => {}
                }
            }
            self.remove_if_over(id);
        }
        self.pending = 0;
        rest.sort_by_key(|(serial, _)| *serial);
        rest.into_iter().map(|(_, operation)| operation).collect()
    }

    fn remove_if_over(&mut self, stream: u64) {
        if self.streams.get(&stream).is_some_and(|stream| stream.destroyed && stream.queue.is_empty()) {
            self.streams.remove(&stream);
        }
    }

    /// The operations in the queues.
    pub fn operations(&self) -> impl Iterator<Item = &O> {
        self.streams.values().flat_map(|stream| &stream.queue).filter_map(|entry| match &entry.work {
            Work::Operation(operation) => Some(operation),
            Work::Record(_) | Work::Wait => None,
        })
    }

    /// Labels of the streams that the program made and did not destroy.
    pub fn live_streams(&self) -> impl Iterator<Item = &str> {
        let live = self.streams.iter().filter(|(id, stream)| **id != LEGACY && !stream.destroyed);
        live.map(|(_, stream)| stream.label.as_str())
    }

    /// Labels of the events that the program made and did not destroy.
    pub fn live_events(&self) -> impl Iterator<Item = &str> {
        self.events.values().map(|event| event.label.as_str())
    }

    /// A random number from the seed of this scheduler, for the order of the blocks in a kernel.
    pub fn draw(&mut self) -> u64 {
        self.random.next_u64()
    }
}
