//! What the ranks of a test do. A wrong result is a panic, which ends the job.

use std::thread::sleep;
use std::time::Duration;

use backdrop::communicator::Communicator;
use backdrop::error::Error;

use crate::processes::{Gather, Processes};

/// Plays a part: its name, how bytes are gathered, and how many go at once.
pub fn play(part: &str) {
    let mut words = part.split(' ');
    let mut word = || words.next().unwrap();
    let name = word();
    let gather = match word() {
        "messages" => Gather::Messages,
        "buffer" => Gather::Buffer,
        other => panic!("no way to gather: {other}"),
    };
    let max_bytes = word().parse().unwrap();
    let processes = Processes::start(gather, max_bytes).unwrap();
    match name {
        "rounds" => rounds(&processes),
        "parts" => parts(&processes),
        "error" => error(&processes),
        "panic" => panic(&processes),
        "panic-of-taking" => panic_of_taking(&processes),
        "node" => node(&processes),
        other => panic!("no part: {other}"),
    }
}

/// Bytes that tell their rank and round; shifted, so that a piece in the wrong place shows.
fn bytes_of(rank: usize, round: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251 + 7 * rank + 31 * round) as u8).collect()
}

/// Gathers bytes of `length(rank, round)`, and checks that all come to rank 0, once.
fn gather(ranks: &dyn Communicator, round: usize, length: fn(usize, usize) -> usize) {
    let own = bytes_of(ranks.rank(), round, length(ranks.rank(), round));
    let mut taken = Vec::new();
    let result = ranks.gather(own, &mut |rank, bytes| {
        assert!(bytes == bytes_of(rank, round, length(rank, round)), "of rank {rank} in round {round}");
        taken.push(rank);
        Ok(())
    });
    result.unwrap();
    taken.sort_unstable();
    let expected: Vec<usize> = if ranks.rank() == 0 { (0..ranks.size()).collect() } else { Vec::new() };
    assert_eq!(taken, expected, "in round {round}");
}

fn broadcast(ranks: &dyn Communicator, length: usize) {
    // Whatever the others have, more or less, is replaced.
    let mut bytes = bytes_of(ranks.rank(), 3, length * (1 + ranks.rank()) / 2 * 2);
    if ranks.rank() == 0 {
        bytes = bytes_of(0, 3, length);
    }
    ranks.broadcast(&mut bytes).unwrap();
    assert!(bytes == bytes_of(0, 3, length), "{length} bytes");
}

fn minimum(ranks: &dyn Communicator, length: usize) {
    let value = |rank: usize, index: usize| ((index * 37 + rank * 61) % 101) as f32 - 50.0;
    let mut values: Vec<f32> = (0..length).map(|index| value(ranks.rank(), index)).collect();
    ranks.minimum(&mut values).unwrap();
    let all = 0..ranks.size();
    let least = |index: usize| all.clone().map(|rank| value(rank, index)).fold(f32::INFINITY, f32::min);
    let wrong = values.iter().enumerate().find(|&(index, &found)| found != least(index));
    assert_eq!(wrong, None);
}

fn rounds(ranks: &dyn Communicator) {
    // A slow rank now and then, and nothing between the rounds that makes the others wait for it.
    for round in 0..50 {
        if round % ranks.size() == ranks.rank() {
            sleep(Duration::from_millis(2));
        }
        gather(ranks, round, |rank, round| rank * 100 * (round % 3));
    }
    // More than 5 MB of some, nothing of others; an exact number of parts of 1000000 bytes.
    for round in 0..4 {
        gather(ranks, round, |rank, round| [6_000_001, 0, 2_000_000, 17, 1_000_000][(rank + round) % 5]);
    }
    gather(ranks, 4, |_, _| 0);
    for length in [0, 1, 1_000_000, 5_500_000] {
        broadcast(ranks, length);
        minimum(ranks, length);
        gather(ranks, 5, |rank, _| rank);
    }
    // A gather and a broadcast in turn, as a fit has them.
    for round in 0..20 {
        gather(ranks, round, |rank, round| if rank == round % 4 { 0 } else { 30_000 });
        broadcast(ranks, round);
    }
    let mut values = [f32::INFINITY, -0.0, 0.0, 1e-40 * (1.0 + ranks.rank() as f32), f32::NEG_INFINITY];
    if ranks.rank() == ranks.size() - 1 {
        values.swap(1, 2);
    }
    ranks.minimum(&mut values).unwrap();
    let last = if ranks.size() == 1 { [0.0_f32, -0.0] } else { [-0.0, -0.0] };
    let expected = [f32::INFINITY, last[0], last[1], 1e-40, f32::NEG_INFINITY];
    assert_eq!(values.map(f32::to_bits), expected.map(f32::to_bits));
}

/// A few bytes at a time, so that everything goes in many parts.
fn parts(ranks: &dyn Communicator) {
    for round in 0..8 {
        gather(ranks, round, |rank, round| (rank * 5 + round * 3) % 13);
        broadcast(ranks, round * 2 + 1);
        minimum(ranks, round);
    }
}

fn error(ranks: &dyn Communicator) {
    for round in 0..3 {
        let mut taken = 0;
        let result = ranks.gather(bytes_of(ranks.rank(), round, 250), &mut |_, _| {
            taken += 1;
            Err(Error::InvalidArgument(format!("number {taken}")))
        });
        if ranks.rank() == 0 {
            assert_eq!(result.unwrap_err().to_string(), "number 1");
            assert_eq!(taken, ranks.size());
        } else {
            result.unwrap();
            assert_eq!(taken, 0);
        }
        // What comes after is not mixed up with it.
        gather(ranks, round + 1, |rank, _| rank * 60);
    }
}

/// The last rank panics, and the others wait for it.
fn panic(ranks: &dyn Communicator) {
    if ranks.rank() == ranks.size() - 1 {
        panic!("this rank has had enough");
    }
    for round in 0..3 {
        gather(ranks, round, |_, _| 1000);
        broadcast(ranks, 10);
    }
}

/// Rank 0 panics in a round.
fn panic_of_taking(ranks: &dyn Communicator) {
    let own = vec![0; 1000];
    ranks.gather(own, &mut |_, _| panic!("this rank has had enough")).unwrap();
    broadcast(ranks, 10);
}

/// All ranks are on one node.
fn node(processes: &Processes) {
    assert_eq!((processes.rank_on_node(), processes.size_of_node()), (processes.rank(), processes.size()));
    // Core 3 is everybody's, the others each rank's own.
    assert_eq!(processes.users(&[3, 10 + processes.rank()]), [processes.size(), 1]);
    // One that knows nothing of its cores.
    let cores = if processes.rank() == 0 { &[][..] } else { &[0] };
    assert_eq!(processes.users(cores), vec![processes.size() - 1; cores.len()]);
}
