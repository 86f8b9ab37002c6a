//! Ranks that go on together or stop together, so that none waits for one that has failed.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::communicator::Communicator;
use crate::error::{Error, Result};

/// What comes after a rank's bytes, or instead of them.
const DONE: u8 = 0;
const CANCELLED: u8 = 1;
const FAILED: u8 = 2;

/// The ranks of a fit.
pub(super) struct Together<'a> {
    ranks: &'a dyn Communicator,
    waited: Cell<Duration>,
}

impl<'a> Together<'a> {
    pub(super) fn new(ranks: &'a dyn Communicator) -> Self {
        Self { ranks, waited: Cell::default() }
    }

    pub(super) fn ranks(&self) -> &'a dyn Communicator {
        self.ranks
    }

    pub(super) fn is_root(&self) -> bool {
        self.ranks.rank() == 0
    }

    /// The time spent in exchanging with other ranks and waiting for them.
    pub(super) fn waited(&self) -> Duration {
        self.waited.get()
    }

    /// This rank's part of some frames, which are divided by rounds: `each` frames, or fewer in the
    /// last round, which may leave nothing for a rank. All ranks have as many rounds.
    pub(super) fn rounds<'f>(&self, frames: &'f [usize], each: usize) -> Vec<&'f [usize]> {
        let (rank, size) = (self.ranks.rank(), self.ranks.size());
        let part = |round: &'f [usize]| &round[round.len() * rank / size..round.len() * (rank + 1) / size];
        frames.chunks((each * size).max(1)).map(part).collect()
    }

    /// Ends a stage of the work, of which `mine` came on this rank. If it went well on all of them,
    /// rank 0 takes the bytes of each.
    ///
    /// # Errors
    /// The same on all ranks: the error of the first rank that has one, of its stage or, on rank 0, of
    /// taking; elsewhere as [`Error::OnRank`].
    pub(super) fn finish(
        &self,
        mine: Result<Vec<u8>>,
        mut take: impl FnMut(usize, Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let start = Instant::now();
        let (bytes, mut own) = match mine {
            Ok(mut bytes) => {
                bytes.push(DONE);
                (bytes, None)
            }
            Err(Error::Cancelled) => (vec![CANCELLED], Some(Error::Cancelled)),
            Err(error) => {
                let mut bytes = error.to_string().into_bytes();
                bytes.push(FAILED);
                (bytes, Some(error))
            }
        };
        let mut cancelled = false;
        let mut failed: Option<(usize, String)> = None;
        let gathered = self.ranks.gather(bytes, &mut |rank, mut bytes| {
            match bytes.pop() {
                Some(DONE) => match take(rank, bytes) {
                    Err(error) if own.is_none() => own = Some(error),
                    _ => {}
                },
                Some(CANCELLED) => cancelled = true,
                _ => {
                    let message = String::from_utf8_lossy(&bytes).into_owned();
                    if failed.as_ref().is_none_or(|&(first, _)| rank < first) {
                        failed = Some((rank, message));
                    }
                }
            }
            Ok(())
        });
        if self.is_root() {
            if let Err(error) = gathered {
                own.get_or_insert(error);
            }
            match &own {
                Some(Error::Cancelled) => cancelled = true,
                Some(error) => failed = Some((0, error.to_string())),
                None => {}
            }
        }
        let mut verdict = match &failed {
            Some((rank, message)) => {
                let mut bytes = message.clone().into_bytes();
                bytes.extend((*rank as u32).to_le_bytes());
                bytes.push(FAILED);
                bytes
            }
            None if cancelled => vec![CANCELLED],
            None => vec![DONE],
        };
        self.ranks.broadcast(&mut verdict)?;
        self.waited.set(self.waited.get() + start.elapsed());
        match verdict.pop() {
            Some(DONE) => Ok(()),
            Some(CANCELLED) => Err(Error::Cancelled),
            _ => {
                let rank = verdict.split_off(verdict.len().saturating_sub(size_of::<u32>()));
                let rank = rank.try_into().map_or(0, u32::from_le_bytes) as usize;
                match own {
                    Some(error) if rank == self.ranks.rank() => Err(error),
                    _ => Err(Error::OnRank { rank, message: String::from_utf8_lossy(&verdict).into_owned() }),
                }
            }
        }
    }

    /// Ends a stage of the work that gives nothing to rank 0.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub(super) fn agree<T>(&self, mine: Result<T>) -> Result<T> {
        let (value, mine) = match mine {
            Ok(value) => (Some(value), Ok(Vec::new())),
            Err(error) => (None, Err(error)),
        };
        self.finish(mine, |_, _| Ok(()))?;
        match value {
            Some(value) => Ok(value),
            None => unreachable!("a rank that fails has no part in an agreement"),
        }
    }

    /// What all ranks have found, merged in no particular order, on all ranks.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    #[expect(clippy::needless_pass_by_value, reason = "what comes back has it in it")]
    pub(super) fn share<T: Merge>(&self, mine: T) -> Result<T> {
        let bytes = postcard::to_stdvec(&mine).map_err(not_exchanged)?;
        let mut all: Option<T> = None;
        self.finish(Ok(bytes), |_, bytes| {
            let part = postcard::from_bytes(&bytes).map_err(not_exchanged)?;
            match &mut all {
                Some(all) => all.merge(part),
                None => all = Some(part),
            }
            Ok(())
        })?;
        let bytes = self.of_root(|| postcard::to_stdvec(&all).map_err(not_exchanged))?;
        match postcard::from_bytes::<Option<T>>(&bytes).map_err(not_exchanged)? {
            Some(all) => Ok(all),
            None => unreachable!("there is a rank 0"),
        }
    }

    /// The bytes of all ranks one after another, in their order, on all ranks.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub(super) fn concatenated(&self, mine: Result<Vec<u8>>) -> Result<Vec<u8>> {
        let mut all = vec![Vec::new(); self.ranks.size()];
        self.finish(mine, |rank, bytes| {
            all[rank] = bytes;
            Ok(())
        })?;
        self.of_root(|| Ok(all.concat()))
    }

    /// What `make` gives on rank 0, on all ranks.
    ///
    /// # Errors
    /// That of `make`, as [`finish`](Self::finish) gives it.
    pub(super) fn of_root(&self, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        let mut bytes = self.agree(if self.is_root() { make() } else { Ok(Vec::new()) })?;
        let start = Instant::now();
        self.ranks.broadcast(&mut bytes)?;
        self.waited.set(self.waited.get() + start.elapsed());
        Ok(bytes)
    }
}

/// What parts of can be brought together.
pub(super) trait Merge: Serialize + DeserializeOwned {
    /// Adds another part.
    fn merge(&mut self, other: Self);
}

#[expect(clippy::needless_pass_by_value, reason = "made to be used in map_err")]
fn not_exchanged(error: postcard::Error) -> Error {
    Error::InvalidArgument(format!("cannot exchange results with other ranks: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::communicator::{Alone, threads};

    #[test]
    fn every_frame_is_one_ranks_and_all_have_as_many_rounds() {
        let frames: Vec<usize> = (10..33).collect();
        for size in 1..6 {
            let parts = threads(size, |ranks| {
                let together = Together::new(ranks);
                together.rounds(&frames, 3).into_iter().map(<[usize]>::to_vec).collect::<Vec<_>>()
            });
            let rounds = frames.len().div_ceil(3 * size);
            assert!(parts.iter().all(|part| part.len() == rounds && part.iter().all(|f| f.len() <= 3)));
            let all: Vec<usize> = (0..rounds)
                .flat_map(|round| parts.iter().flat_map(move |part| part[round].clone()))
                .collect();
            assert_eq!(all, frames);
        }
        assert!(Together::new(&Alone).rounds(&[], 3).is_empty());
    }

    #[test]
    fn one_failure_is_the_failure_of_all() {
        let messages = threads(4, |ranks| {
            let together = Together::new(ranks);
            let rank = ranks.rank();
            together.agree(Ok(())).unwrap();
            let error = |message: &str| Error::InvalidArgument(format!("{message} {rank}"));
            let mine = if rank >= 2 { Err(error("no disk")) } else { Ok(vec![rank as u8]) };
            let mut taken = Vec::new();
            let take = |rank, bytes| {
                taken.push((rank, bytes));
                Ok(())
            };
            let failed = together.finish(mine, take).unwrap_err();
            taken.sort();
            assert_eq!(taken.len(), if rank == 0 { 2 } else { 0 });
            let full = together.finish(Ok(Vec::new()), |_, _| Err(error("full")));
            let cancelled = together.agree(if rank == 3 { Err::<(), _>(Error::Cancelled) } else { Ok(()) });
            let root = together.of_root(|| Ok(b"from the root".to_vec())).unwrap();
            assert_eq!(root, b"from the root");
            [failed.to_string(), full.unwrap_err().to_string(), cancelled.unwrap_err().to_string()]
        });
        for (rank, [failed, full, cancelled]) in messages.iter().enumerate() {
            assert_eq!(failed, if rank == 2 { "no disk 2" } else { "rank 2: no disk 2" });
            assert_eq!(full, if rank == 0 { "full 0" } else { "rank 0: full 0" });
            assert_eq!(cancelled, "cancelled");
        }
    }
}
