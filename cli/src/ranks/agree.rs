//! How ranks find out that one of them has failed.

use backdrop::communicator::Communicator;

use crate::failure::Failure;

/// All ranks go on, or all fail: rank 0 with the failure of the first that has failed, the others with
/// its exit code.
pub(super) fn agree<T>(ranks: &dyn Communicator, result: Result<T, Failure>) -> Result<T, Failure> {
    // Nothing if all is well, else an exit code and the words that go with it.
    let own = match &result {
        Ok(_) => Vec::new(),
        Err(failure) => [&[failure.code()], failure.to_string().as_bytes()].concat(),
    };
    let mut failures = vec![Vec::new(); ranks.size()];
    ranks.gather(own, &mut |rank, bytes| {
        failures[rank] = bytes;
        Ok(())
    })?;
    let first = failures.iter().position(|failure| !failure.is_empty());
    let mut failure = first.map(|rank| std::mem::take(&mut failures[rank])).unwrap_or_default();
    ranks.broadcast(&mut failure)?;
    let Some((&code, words)) = failure.split_first() else { return result };
    Err(match first {
        // Rank 0 has the failure itself.
        Some(0) => return result,
        Some(rank) => of_rank(rank, code, &String::from_utf8_lossy(words)),
        // Not rank 0.
        None => Failure::Reported(code),
    })
}

/// The failure of another rank.
fn of_rank(rank: usize, code: u8, words: &str) -> Failure {
    let interrupted = Failure::Interrupted;
    if code == interrupted.code() {
        return interrupted;
    }
    let usage = Failure::Usage(format!("rank {rank}: {words}"));
    if code == usage.code() { usage } else { Failure::Data(usage.to_string()) }
}

#[cfg(test)]
mod tests {
    use backdrop::communicator::threads;

    use super::*;

    /// What a rank has, and what becomes of it: a value, or an exit code and words.
    type Outcome = Result<u8, (u8, String)>;

    /// What each rank makes of it that rank `n` has the `n`th result.
    fn agreed(results: &[fn() -> Result<u8, Failure>]) -> Vec<Outcome> {
        threads(results.len(), |ranks| {
            agree(ranks, results[ranks.rank()]()).map_err(|failure| (failure.code(), failure.to_string()))
        })
    }

    #[test]
    fn ranks_go_on_together_or_fail_together() {
        let silent = |code| Err((code, String::new()));
        assert_eq!(agreed(&[|| Ok(7), || Ok(8), || Ok(9)]), [Ok(7), Ok(8), Ok(9)]);

        let failed = agreed(&[
            || Ok(7),
            || Err(Failure::Usage("no device".into())),
            || Err(Failure::Data("no file".into())),
        ]);
        assert_eq!(failed, [Err((2, "rank 1: no device".into())), silent(2), silent(2)]);

        let first = agreed(&[|| Err(Failure::Data("no file".into())), || Err(Failure::Interrupted)]);
        assert_eq!(first, [Err((1, "no file".into())), silent(1)]);

        let stopped = agreed(&[|| Ok(7), || Err(Failure::Interrupted)]);
        assert_eq!(stopped, [Err((130, "interrupted".into())), silent(130)]);

        assert_eq!(agreed(&[|| Err(Failure::Data("no file".into()))]), [Err((1, "no file".into()))]);
    }
}
