//! The processes that `mpiexec` starts: a [`Communicator`] by MPI.
//!
//! MPI counts in `i32`, so whatever is longer goes in parts. An error inside MPI ends the job, as
//! is MPI's default; so does a rank that panics, since the others would wait for it for ever.

use std::cell::Cell;

use backdrop::communicator::Communicator;
use backdrop::error::Result;
use mpi::collective::SystemOperation;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::topology::{Color, Communicator as _, Process, SimpleCommunicator};
use mpi::traits::*;
use mpi::{Count, Tag, Threading};

/// The most bytes that one call of MPI carries.
pub(crate) const MAX_BYTES: usize = 1 << 30;

/// Values whose minimum is found at once.
const MINIMUM_PART: usize = 1 << 16;

/// What a job ends with after a panic: the exit code of a Rust program that panics.
pub(crate) const PANICKED: i32 = 101;

/// How bytes come to rank 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gather {
    /// Each rank sends a message when it is ready, and rank 0 takes them as they come.
    Messages,
    /// All ranks at once fill one buffer, each its own part.
    Buffer,
}

/// The processes of a job, as one of them sees them. Dropped, it leaves MPI, or ends the job if
/// that is because of a panic.
pub(crate) struct Processes {
    world: SimpleCommunicator,
    node: SimpleCommunicator,
    rank: usize,
    size: usize,
    gather: Gather,
    max_bytes: usize,
    /// The tag of this round's messages: rounds have [`EVEN`] and `EVEN + 1` in turn.
    tag: Cell<Tag>,
    /// Last, since MPI ends when it is dropped. Groups do without.
    _universe: Option<Universe>,
}

/// The tag of the first round, the third, and so on.
const EVEN: Tag = 0;

/// Where no bytes are. An empty `Vec` has no place in memory, and its address, 1, tells Open MPI that
/// the bytes are in the receiver's buffer already.
static NOTHING: [u8; 1] = [0];

impl Processes {
    /// Starts MPI. `max_bytes` is the most that one call carries, at most [`MAX_BYTES`] and at least 4.
    ///
    /// # Errors
    /// What is wrong with this MPI, in words.
    pub(crate) fn start(gather: Gather, max_bytes: usize) -> std::result::Result<Self, String> {
        let (universe, threading) = mpi::initialize_with_threading(Threading::Funneled)
            .ok_or("MPI has been started already".to_owned())?;
        if threading < Threading::Funneled {
            return Err("the MPI library is built for programs without threads; use another".to_owned());
        }
        let world = universe.world();
        Ok(Self {
            node: world.split_shared(0),
            rank: unsigned(world.rank()),
            size: unsigned(world.size()),
            world,
            gather,
            max_bytes: max_bytes.clamp(size_of::<f32>(), MAX_BYTES),
            tag: Cell::new(EVEN),
            _universe: Some(universe),
        })
    }

    /// The processes that call this with the same number. All call this together; the group must be
    /// dropped before these.
    ///
    /// # Errors
    /// If there is no such number in MPI.
    pub(crate) fn split(&self, number: usize) -> std::result::Result<Self, String> {
        // A process without a number would be left out; here each has one.
        let number = i32::try_from(number).map_err(|_| format!("{number} groups are too many"))?;
        let group = self.world.split_by_color(Color::with_value(number));
        let world = group.ok_or("MPI has left this process out of its group")?;
        Ok(Self {
            node: world.split_shared(0),
            rank: unsigned(world.rank()),
            size: unsigned(world.size()),
            world,
            gather: self.gather,
            max_bytes: self.max_bytes,
            tag: Cell::new(EVEN),
            _universe: None,
        })
    }

    /// The number of this process among those of its node, counted from 0.
    pub(crate) fn rank_on_node(&self) -> usize {
        unsigned(self.node.rank())
    }

    /// How many processes of this job its node has.
    pub(crate) fn size_of_node(&self) -> usize {
        unsigned(self.node.size())
    }

    /// How many processes of this node may use each core that this process, too, may use. All
    /// processes of a node call this together, each with the numbers of its cores.
    pub(crate) fn users(&self, cores: &[usize]) -> Vec<usize> {
        let mut cores_of_node = 0_u64;
        let own = cores.iter().map(|&core| core as u64 + 1).max().unwrap_or(0);
        self.node.all_reduce_into(&own, &mut cores_of_node, SystemOperation::max());
        let mut own = vec![0_u64; cores_of_node as usize];
        cores.iter().for_each(|&core| own[core] = 1);
        let mut users = vec![0_u64; own.len()];
        self.node.all_reduce_into(&own[..], &mut users[..], SystemOperation::sum());
        cores.iter().map(|&core| users[core] as usize).collect()
    }

    /// Ends all processes of the job, at once.
    pub(crate) fn abort(&self, code: i32) -> ! {
        self.world.abort(code)
    }

    fn root(&self) -> Process<'_> {
        self.world.process_at_rank(0)
    }

    /// A message ends with a part that is shorter than the largest; an empty one is one empty part.
    ///
    /// Sending waits until rank 0 receives. So no rank is more than one round ahead, and two tags
    /// in turn keep its messages apart from those of this round.
    fn send(&self, bytes: &[u8], tag: Tag) {
        let whole = bytes.chunks_exact(self.max_bytes);
        let last = whole.remainder();
        for part in whole.chain([last]) {
            self.root().synchronous_send_with_tag(part, tag);
        }
    }

    /// Receives the next message with a tag, and says from which rank.
    fn receive(&self, tag: Tag) -> (usize, Vec<u8>) {
        let mut bytes = Vec::new();
        let mut next = self.world.any_process().matched_probe_with_tag(tag);
        loop {
            let (message, status) = next;
            let (start, length) = (bytes.len(), unsigned(status.count(u8::equivalent_datatype())));
            bytes.resize(start + length, 0);
            message.matched_receive_into(&mut bytes[start..]);
            let from = status.source_rank();
            if length < self.max_bytes {
                return (unsigned(from), bytes);
            }
            next = self.world.process_at_rank(from).matched_probe_with_tag(tag);
        }
    }

    fn gather_messages(
        &self,
        bytes: Vec<u8>,
        take: &mut dyn FnMut(usize, Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let tag = self.tag.replace(EVEN + 1 - self.tag.get());
        if self.rank > 0 {
            self.send(&bytes, tag);
            return Ok(());
        }
        let mut result = take(0, bytes);
        for _ in 1..self.size {
            let (rank, bytes) = self.receive(tag);
            let taken = take(rank, bytes);
            result = result.and(taken);
        }
        result
    }

    /// The bytes of all ranks, one after another, are cut into parts that one call carries; almost
    /// always that is one part. Nothing is padded.
    fn gather_buffer(&self, bytes: &[u8], take: &mut dyn FnMut(usize, Vec<u8>) -> Result<()>) -> Result<()> {
        let mut lengths = vec![0_u64; self.size];
        self.world.all_gather_into(&(bytes.len() as u64), &mut lengths[..]);
        let mut rest = bytes;
        let mut unfinished = Vec::new();
        let mut result = Ok(());
        for parts in Plan::new(&lengths, self.max_bytes) {
            let (part, after) = rest.split_at(unsigned(parts.counts[self.rank]));
            rest = after;
            let part = if part.is_empty() { &NOTHING[..0] } else { part };
            if self.rank > 0 {
                self.root().gather_varcount_into(part);
                continue;
            }
            let length: usize = parts.counts.iter().copied().map(unsigned).sum();
            let mut buffer = vec![0_u8; length.max(1)];
            let (counts, displacements) = (&parts.counts[..], &parts.displacements[..]);
            let mut places = PartitionMut::new(&mut buffer[..], counts, displacements);
            self.root().gather_varcount_into_root(part, &mut places);
            let mut buffer = &buffer[..length];
            for rank in parts.ranks {
                let (part, after) = buffer.split_at(unsigned(parts.counts[rank]));
                buffer = after;
                unfinished.extend_from_slice(part);
                if unfinished.len() as u64 == lengths[rank] {
                    let taken = take(rank, std::mem::take(&mut unfinished));
                    result = result.and(taken);
                }
            }
        }
        result
    }
}

impl Communicator for Processes {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn gather(&self, bytes: Vec<u8>, take: &mut dyn FnMut(usize, Vec<u8>) -> Result<()>) -> Result<()> {
        match self.gather {
            Gather::Messages => self.gather_messages(bytes, take),
            Gather::Buffer => self.gather_buffer(&bytes, take),
        }
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let mut length = bytes.len() as u64;
        self.root().broadcast_into(&mut length);
        // No more than this rank can address: rank 0 has them in memory.
        bytes.resize(length as usize, 0);
        for part in bytes.chunks_mut(self.max_bytes) {
            self.root().broadcast_into(part);
        }
        Ok(())
    }

    fn minimum(&self, values: &mut [f32]) -> Result<()> {
        // As integers, -0 is less than 0, and the result does not depend on who is asked first. In parts
        // that stay in the cache.
        let length = MINIMUM_PART.min(self.max_bytes / size_of::<f32>());
        let (mut own, mut smallest) = (vec![0_i32; length], vec![0_i32; length]);
        for part in values.chunks_mut(length) {
            let (own, smallest) = (&mut own[..part.len()], &mut smallest[..part.len()]);
            own.iter_mut().zip(&*part).for_each(|(own, value)| *own = ordered(value.to_bits().cast_signed()));
            self.world.all_reduce_into(&*own, smallest, SystemOperation::min());
            for (value, &least) in part.iter_mut().zip(&*smallest) {
                *value = f32::from_bits(ordered(least).cast_unsigned());
            }
        }
        Ok(())
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What is wrong has been said by the panic. The others wait for this rank, now or soon.
            eprintln!("backdrop: rank {} of {} panicked: all ranks end", self.rank, self.size);
            self.abort(PANICKED);
        }
    }
}

/// A rank or a count, which MPI gives as a signed number and which is never negative here.
fn unsigned(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// The bits of numbers as integers in the same order (that of `f32::total_cmp`), and back.
fn ordered(bits: i32) -> i32 {
    bits ^ ((bits >> 31) & i32::MAX)
}

/// How the bytes of all ranks are cut into parts that one call carries.
struct Plan {
    /// What is left of each rank's bytes.
    rest: Vec<u64>,
    max_bytes: u64,
    /// The first rank that is not done with.
    rank: usize,
}

/// A part: how many bytes it has of each rank, and where they begin in it.
struct Parts {
    /// The ranks whose bytes, perhaps none, are in this part.
    ranks: std::ops::Range<usize>,
    counts: Vec<Count>,
    displacements: Vec<Count>,
}

impl Plan {
    fn new(lengths: &[u64], max_bytes: usize) -> Self {
        Self { rest: lengths.to_vec(), max_bytes: max_bytes as u64, rank: 0 }
    }
}

impl Iterator for Plan {
    type Item = Parts;

    fn next(&mut self) -> Option<Parts> {
        let (first, size) = (self.rank, self.rest.len());
        if first == size {
            return None;
        }
        let mut parts = Parts { ranks: first..size, counts: vec![0; size], displacements: vec![0; size] };
        let mut end = 0;
        while let Some(rest) = self.rest.get_mut(self.rank) {
            let count = (self.max_bytes - end).min(*rest);
            // Both are at most `MAX_BYTES`.
            parts.counts[self.rank] = count as Count;
            parts.displacements[self.rank] = end as Count;
            end += count;
            *rest -= count;
            if *rest > 0 {
                parts.ranks.end = self.rank + 1;
                break;
            }
            self.rank += 1;
        }
        Some(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_every_byte_of_every_rank_once_and_in_order() {
        for lengths in [vec![0], vec![7], vec![0, 0, 0], vec![3, 0, 12, 5, 0], vec![10, 10], vec![0, 25, 1]] {
            for max_bytes in [1, 4, 5, 10, 100] {
                let mut found = vec![0; lengths.len()];
                let mut next_rank = 0;
                let mut parts_made = 0;
                for parts in Plan::new(&lengths, max_bytes) {
                    parts_made += 1;
                    let mut end = 0;
                    for rank in parts.ranks.clone() {
                        assert_eq!(parts.displacements[rank], end);
                        end += parts.counts[rank];
                        found[rank] += parts.counts[rank] as u64;
                    }
                    assert!(end as usize <= max_bytes);
                    assert_eq!(parts.counts.iter().sum::<Count>(), end, "none of other ranks");
                    assert!(parts.ranks.start == next_rank || parts.ranks.start + 1 == next_rank);
                    next_rank = parts.ranks.end;
                }
                assert_eq!((&found, next_rank), (&lengths, lengths.len()));
                let total: u64 = lengths.iter().sum();
                assert_eq!(parts_made, total.div_ceil(max_bytes as u64).max(1), "{lengths:?} by {max_bytes}");
            }
        }
    }

    #[test]
    fn ordered_bits_have_the_order_of_numbers() {
        let numbers =
            [f32::NEG_INFINITY, -2.5, -f32::MIN_POSITIVE, -0.0, 0.0, 1e-40, 1.0, f32::MAX, f32::INFINITY];
        let bits = numbers.map(|number| number.to_bits().cast_signed());
        assert!(bits.map(ordered).is_sorted_by(|a, b| a < b));
        assert_eq!(bits.map(ordered).map(ordered), bits);
    }
}
