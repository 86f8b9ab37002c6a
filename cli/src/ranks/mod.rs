//! What processes do the work, and what each of them takes on: alone, or the ranks of MPI.

#[cfg(feature = "mpi")]
mod agree;
#[cfg(feature = "mpi")]
mod processes;
#[cfg(feature = "mpi")]
mod share;

use backdrop::communicator::{Alone, Communicator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::args::Compute;
use crate::failure::Failure;
#[cfg(feature = "mpi")]
use processes::{Gather, MAX_BYTES, Processes};

/// The processes that work together.
pub(crate) enum World {
    /// This one.
    Alone(Alone),
    /// Those that `mpiexec` has started, or some of them.
    #[cfg(feature = "mpi")]
    Mpi {
        /// The processes.
        processes: Box<Processes>,
        /// Whether a failure is reported as soon as all agree on it. A group of processes may
        /// have a failure that is not the whole program's.
        reports: bool,
    },
}

impl World {
    /// This process, or all of MPI. Must be dropped before the program ends.
    #[cfg(feature = "mpi")]
    pub(crate) fn start(mpi: bool, buffer_gather: bool) -> Result<Self, Failure> {
        if !mpi {
            return Ok(Self::Alone(Alone));
        }
        let gather = if buffer_gather { Gather::Buffer } else { Gather::Messages };
        let processes = Processes::start(gather, MAX_BYTES)
            .map_err(|reason| Failure::Data(format!("--mpi: {reason}")))?;
        // Another MPI's mpiexec starts processes that know nothing of one another.
        let meant = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"].iter().find_map(|name| std::env::var(name).ok());
        match meant.and_then(|size| size.parse().ok()) {
            Some(2_usize..) if processes.size() == 1 => Err(Failure::Usage(
                "--mpi: this mpiexec belongs to another MPI than the one that backdrop was built with; use that one's"
                    .to_owned(),
            )),
            _ => Ok(Self::Mpi { processes: Box::new(processes), reports: true }),
        }
    }

    /// This process; there is no MPI in this build.
    #[cfg(not(feature = "mpi"))]
    pub(crate) fn start(mpi: bool, _buffer_gather: bool) -> Result<Self, Failure> {
        if mpi {
            return Err(Failure::Usage(
                "--mpi: this build has no MPI; leave --mpi out, or build with MPI, which takes an MPI library and \
                 libclang: cargo install --path cli --features mpi"
                    .to_owned(),
            ));
        }
        Ok(Self::Alone(Alone))
    }

    /// What the library's functions that many processes share take.
    pub(crate) fn ranks(&self) -> &dyn Communicator {
        match self {
            Self::Alone(alone) => alone,
            #[cfg(feature = "mpi")]
            Self::Mpi { processes, .. } => &**processes,
        }
    }

    /// Whether this is the process that speaks and writes.
    pub(crate) fn is_first(&self) -> bool {
        self.ranks().rank() == 0
    }

    /// The number of this process, if it may have others beside it.
    pub(crate) fn rank(&self) -> Option<usize> {
        match self {
            Self::Alone(_) => None,
            #[cfg(feature = "mpi")]
            Self::Mpi { processes, .. } => Some(processes.rank()),
        }
    }

    /// How this process runs its work: as asked for, and where nothing was, so that the processes
    /// of a node share its cores and its CUDA devices. All processes call this together.
    pub(crate) fn compute(&self, asked: &Compute) -> Result<Compute, Failure> {
        match self {
            Self::Alone(_) => Ok(*asked),
            #[cfg(feature = "mpi")]
            Self::Mpi { processes, .. } => share::compute(processes, asked),
        }
    }

    /// Whether all processes have succeeded so far: all go on, or all fail, with the exit code of the
    /// first that has failed. All processes call this together.
    ///
    /// Under MPI rank 0 reports the failure, and does so here: once MPI has ended and another rank
    /// has given its exit code, `mpiexec` may end rank 0 at any time.
    pub(crate) fn agree<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        match self {
            Self::Alone(_) => result,
            #[cfg(feature = "mpi")]
            Self::Mpi { processes, reports } => agree::agree(&**processes, result).map_err(|failure| {
                if !reports {
                    return failure;
                }
                failure.report();
                Failure::Reported(failure.code())
            }),
        }
    }

    /// What `make` gives on rank 0, on all processes, or the failure of all. All call this together.
    pub(crate) fn of_first<T: Serialize + DeserializeOwned>(
        &self,
        make: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.ranks().size() == 1 {
            return self.agree(make());
        }
        let bytes = if self.is_first() { make().and_then(|made| to_bytes(&made)) } else { Ok(Vec::new()) };
        let mut bytes = self.agree(bytes)?;
        self.ranks().broadcast(&mut bytes)?;
        of_bytes(&bytes)
    }

    /// What all processes have, by rank, on all of them. All call this together.
    pub(crate) fn all_of<T: Serialize + DeserializeOwned>(&self, mine: T) -> Result<Vec<T>, Failure> {
        if self.ranks().size() == 1 {
            return Ok(vec![mine]);
        }
        let mine = self.agree(to_bytes(&mine))?;
        let mut all = vec![Vec::new(); self.ranks().size()];
        self.ranks().gather(mine, &mut |rank, bytes| {
            all[rank] = bytes;
            Ok(())
        })?;
        self.of_first(|| Ok(all))?.iter().map(|bytes| of_bytes(bytes)).collect()
    }

    /// The processes that call this with the same number, as a group of their own. All call this
    /// together.
    pub(crate) fn split(&self, number: usize) -> Result<Self, Failure> {
        match self {
            Self::Alone(alone) => {
                let _ = number;
                Ok(Self::Alone(*alone))
            }
            #[cfg(feature = "mpi")]
            Self::Mpi { processes, .. } => {
                let group = processes.split(number).map_err(Failure::Data);
                Ok(Self::Mpi { processes: Box::new(self.agree(group)?), reports: false })
            }
        }
    }
}

fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::Data(format!("cannot tell other ranks: {error}")))
}

fn of_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::Data(format!("cannot understand other ranks: {error}")))
}
