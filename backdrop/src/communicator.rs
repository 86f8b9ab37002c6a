//! Processes that work together, which MPI calls ranks: the [`Communicator`] trait, a process
//! [`Alone`], and [threads] that take the part of processes.
//!
//! MPI itself is no part of this crate; whoever starts the processes implements the trait.

use std::sync::mpsc::{Receiver, Sender, channel};

use crate::error::{Error, Result};

/// What a rank knows of the others. All ranks call the same functions in the same order.
///
/// ```
/// use backdrop::communicator::{Communicator, threads};
///
/// let minima = threads(3, |ranks| {
///     let mut values = [ranks.rank() as f32, -(ranks.rank() as f32)];
///     ranks.minimum(&mut values).map(|()| values)
/// });
/// for minimum in minima {
///     assert_eq!(minimum?, [0.0, -2.0]);
/// }
/// # Ok::<(), backdrop::error::Error>(())
/// ```
pub trait Communicator {
    /// The number of this process, counted from 0.
    fn rank(&self) -> usize;

    /// How many processes there are.
    fn size(&self) -> usize;

    /// Brings bytes of every rank to rank 0, where `take` gets them with the rank that they are of,
    /// as they come. It is called once for each rank, its own among them, even if it has failed
    /// before; elsewhere it is not called.
    ///
    /// # Errors
    /// On rank 0 the first error of `take`.
    fn gather(&self, bytes: Vec<u8>, take: &mut dyn FnMut(usize, Vec<u8>) -> Result<()>) -> Result<()>;

    /// Replaces the bytes of all ranks by those of rank 0.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no way to bring that many.
    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<()>;

    /// Replaces each value, on all ranks, by the smallest that any rank has in its place. None is NaN.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no way to bring that many.
    fn minimum(&self, values: &mut [f32]) -> Result<()>;
}

/// A process without others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Communicator for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn gather(&self, bytes: Vec<u8>, take: &mut dyn FnMut(usize, Vec<u8>) -> Result<()>) -> Result<()> {
        take(0, bytes)
    }

    fn broadcast(&self, _bytes: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn minimum(&self, _values: &mut [f32]) -> Result<()> {
        Ok(())
    }
}

/// Has `size` threads do some work, each as a rank of its own, and gives what comes of it by rank.
///
/// # Panics
/// If `work` does.
pub fn threads<T: Send>(size: usize, work: impl Fn(&dyn Communicator) -> T + Sync) -> Vec<T> {
    let (to_root, from_ranks): (Vec<_>, Vec<_>) = (0..size).map(|_| channel()).unzip();
    let (to_ranks, from_root): (Vec<_>, Vec<_>) = (0..size).map(|_| channel()).unzip();
    let mut root = Some(Root { from_ranks, to_ranks });
    let ranks = to_root.into_iter().zip(from_root).enumerate();
    let ranks: Vec<Thread> = ranks
        .map(|(rank, (to_root, from_root))| Thread { rank, size, to_root, from_root, root: root.take() })
        .collect();
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = ranks.into_iter().map(|rank| scope.spawn(move || work(&rank))).collect();
        let results = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        results.collect()
    })
}

/// A thread that takes the part of a process.
struct Thread {
    rank: usize,
    size: usize,
    to_root: Sender<Vec<u8>>,
    from_root: Receiver<Vec<u8>>,
    root: Option<Root>,
}

/// What rank 0 has besides.
struct Root {
    from_ranks: Vec<Receiver<Vec<u8>>>,
    to_ranks: Vec<Sender<Vec<u8>>>,
}

impl Communicator for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn gather(&self, bytes: Vec<u8>, take: &mut dyn FnMut(usize, Vec<u8>) -> Result<()>) -> Result<()> {
        self.to_root.send(bytes).map_err(ended)?;
        let mut result = Ok(());
        if let Some(Root { from_ranks, .. }) = &self.root {
            // Any order will do; this is not that of the ranks.
            for (rank, from_rank) in from_ranks.iter().enumerate().rev() {
                let taken = take(rank, from_rank.recv().map_err(ended)?);
                result = result.and(taken);
            }
        }
        result
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<()> {
        if let Some(Root { to_ranks, .. }) = &self.root {
            for to_rank in to_ranks {
                to_rank.send(bytes.clone()).map_err(ended)?;
            }
        }
        *bytes = self.from_root.recv().map_err(ended)?;
        Ok(())
    }

    fn minimum(&self, values: &mut [f32]) -> Result<()> {
        let to_bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        let from_bytes = |bytes: &[u8], to: &mut dyn FnMut(usize, f32)| {
            let values = bytes.as_chunks().0.iter().copied().map(f32::from_ne_bytes);
            values.enumerate().for_each(|(index, value)| to(index, value));
        };
        let mut smallest = values.to_vec();
        self.gather(to_bytes(values), &mut |_, bytes| {
            from_bytes(&bytes, &mut |index, value| smallest[index] = smallest[index].min(value));
            Ok(())
        })?;
        let mut bytes = to_bytes(&smallest);
        self.broadcast(&mut bytes)?;
        from_bytes(&bytes, &mut |index, value| values[index] = value);
        Ok(())
    }
}

/// The error of a rank that waits for one that has ended.
fn ended<E>(_: E) -> Error {
    Error::InvalidArgument("another rank has ended".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_all_ranks_come_to_rank_0_in_every_round() {
        for size in [1, 2, 5] {
            let seen = threads(size, |ranks| {
                let mut seen = Vec::new();
                for round in 0..3 {
                    let bytes = vec![ranks.rank() as u8; ranks.rank() + round];
                    ranks
                        .gather(bytes, &mut |rank, bytes| {
                            assert_eq!(bytes, vec![rank as u8; rank + round]);
                            seen.push(rank);
                            Ok(())
                        })
                        .unwrap();
                    let mut word = vec![ranks.rank() as u8 + 7; round];
                    ranks.broadcast(&mut word).unwrap();
                    assert_eq!(word, vec![7; round]);
                }
                seen.chunks_mut(size).for_each(<[usize]>::sort_unstable);
                seen
            });
            let all: Vec<usize> = (0..size).collect();
            assert_eq!(seen[0], all.repeat(3));
            assert!(seen[1..].iter().all(Vec::is_empty));
        }
    }

    #[test]
    fn an_error_of_taking_comes_after_everything_has_been_taken() {
        let results = threads(3, |ranks| {
            let mut taken = 0;
            let result = ranks.gather(vec![ranks.rank() as u8], &mut |_, _| {
                taken += 1;
                Err(Error::Cancelled)
            });
            (result.is_err(), taken)
        });
        assert_eq!(results, [(true, 3), (false, 0), (false, 0)]);
    }

    #[test]
    fn one_that_is_alone_has_nothing_to_do() {
        let mut bytes = vec![1, 2];
        Alone.broadcast(&mut bytes).unwrap();
        let mut values = [3.0];
        Alone.minimum(&mut values).unwrap();
        let mut taken = Vec::new();
        let mut take = |rank, bytes| {
            taken.push((rank, bytes));
            Ok(())
        };
        Alone.gather(bytes, &mut take).unwrap();
        assert_eq!((Alone.rank(), Alone.size(), values, taken), (0, 1, [3.0], vec![(0, vec![1, 2])]));
    }
}
