//! How the ranks of a node share its cores and its CUDA devices.

use array_api::{Cuda, Device};

use super::processes::Processes;
use crate::args::Compute;
use crate::failure::Failure;

/// How a rank runs its work: as asked for, and where nothing was, on its share.
pub(super) fn compute(processes: &Processes, asked: &Compute) -> Result<Compute, Failure> {
    // All ranks come here, whatever is asked of them or goes wrong below.
    let users = processes.users(&allowed());
    let parallelism = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads(&users, parallelism, processes.size_of_node());
    let cuda = Device::cuda_from_env()? || asked.cupy;
    let device = match asked.device {
        None if cuda => {
            let devices = Cuda::devices()?.len().max(1);
            u16::try_from(processes.rank_on_node() % devices).ok()
        }
        device => device,
    };
    let threads = asked.threads.or(u16::try_from(threads).ok());
    tracing::info!(threads, device, "this rank runs on");
    Ok(Compute { device, threads, ..*asked })
}

/// The cores that this process may run on, by number. None where the system does not tell.
fn allowed() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.and_then(|list| numbers(list.trim())).unwrap_or_default()
}

/// The numbers in a list such as `0-3,8,10-11`.
fn numbers(list: &str) -> Option<Vec<usize>> {
    let ranges = list.split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    Some(ranges.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The threads of a rank that may run on some cores, each with so many `users` among the ranks of
/// the node, and may take `parallelism` cores at once: fewer, if a quota says so, for all ranks of
/// the node together.
///
/// `mpiexec` may have given each rank cores of its own, or each socket to some ranks, or all cores
/// to all. A core counts for each rank by its share of it.
fn threads(users: &[usize], parallelism: usize, size_of_node: usize) -> usize {
    let equal = parallelism / size_of_node.max(1);
    let share: f64 = users.iter().map(|&users| 1.0 / users.max(1) as f64).sum();
    // Shares of one core add up to it, but for rounding.
    let share = (share + 1e-6) as usize;
    let threads = if users.is_empty() || parallelism < users.len() { equal } else { share };
    threads.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read() {
        assert_eq!(numbers("0-3,8,10-11"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
        assert_eq!(numbers("5"), Some(vec![5]));
        assert_eq!(numbers(""), None);
        assert_eq!(numbers("0-x"), None);
        if cfg!(target_os = "linux") {
            assert!(!allowed().is_empty());
        }
    }

    #[test]
    fn ranks_share_the_cores_that_they_have_in_common() {
        // Alone on the node; bound to two cores each; four on all of 16 cores; three on 8.
        assert_eq!(threads(&[1; 16], 16, 1), 16);
        assert_eq!(threads(&[1, 1], 2, 8), 2);
        assert_eq!(threads(&[4; 16], 16, 4), 4);
        assert_eq!(threads(&[3; 8], 8, 3), 2);
        // More ranks than cores; three that share exactly three.
        assert_eq!(threads(&[4, 4], 2, 4), 1);
        assert_eq!(threads(&[3, 3, 3], 3, 3), 1);
        // A quota of 4 cores on 64 for two ranks; a system that does not tell which cores.
        assert_eq!(threads(&[2; 64], 4, 2), 2);
        assert_eq!(threads(&[], 8, 2), 4);
    }
}
