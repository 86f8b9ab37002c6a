//! Compiling kernels: CUDA C++ to PTX by NVRTC when a kernel is first used, kept on disk.
//!
//! A compiled kernel lies in the user's cache directory (`$XDG_CACHE_HOME/array-api`), under a name
//! made from its source, the architecture and the compiler's version, so that nothing ever has to
//! be thrown away there for being out of date.
//!
//! Source: NVIDIA, *NVRTC (Runtime Compilation) User Guide*.

use std::ffi::{CStr, CString, c_int};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cudarc::nvrtc::{result, sys};
use sha2::{Digest, Sha256};

use super::driver::{self, Kernel, unavailable};
use crate::{Error, Result};

/// What all kernels share.
const PRELUDE: &str = include_str!("prelude.cuh");

/// The source of some kernels that belong together.
pub(super) struct Source {
    /// What they compute, in words, such as `log10 of double`.
    pub(super) description: String,
    /// CUDA C++, without the prelude.
    pub(super) text: String,
    /// Names of the kernels.
    pub(super) kernels: &'static [&'static str],
}

/// Kernels on a device.
#[derive(Debug)]
pub(super) struct Module(Vec<(&'static str, Kernel)>);

impl Module {
    /// The kernel of a name, one of the source's.
    pub(super) fn kernel(&self, name: &'static str) -> Kernel {
        match self.0.iter().find(|(known, _)| *known == name) {
            Some(&(_, kernel)) => kernel,
            None => unreachable!("a module has the kernels that its source names"),
        }
    }
}

/// The compiler for one architecture.
#[derive(Debug)]
pub(super) struct Compiler {
    /// Such as `compute_70`.
    architecture: String,
    /// Such as `12.9`.
    version: String,
    cache: Option<PathBuf>,
}

fn compiler_failed(error: result::NvrtcError) -> Error {
    Error::DeviceFailure {
        backend: "CUDA",
        operation: "compiling a kernel",
        reason: format!("{:?}", error.0),
    }
}

impl Compiler {
    /// The compiler for a compute capability, or for the newest one before it that it knows.
    pub(super) fn new(capability: (u32, u32)) -> Result<Self> {
        // SAFETY: loading the compiler's library runs its initialisers only.
        if !unsafe { sys::is_culib_present() } {
            return Err(unavailable(
                "libnvrtc.so.12, CUDA's runtime compiler, was not found; install it (CUDA 12, or the Python \
                 package nvidia-cuda-nvrtc-cu12) and put its folder into LD_LIBRARY_PATH",
            ));
        }
        let (mut major, mut minor, mut count): (c_int, c_int, c_int) = (0, 0, 0);
        // SAFETY: both are valid for writing.
        unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) }.result().map_err(compiler_failed)?;
        // SAFETY: `count` is valid for writing.
        unsafe { sys::nvrtcGetNumSupportedArchs(&raw mut count) }.result().map_err(compiler_failed)?;
        let mut known: Vec<c_int> = vec![0; count.max(0) as usize];
        // SAFETY: `known` has room for as many numbers as the compiler said.
        unsafe { sys::nvrtcGetSupportedArchs(known.as_mut_ptr()) }.result().map_err(compiler_failed)?;
        let wanted = (capability.0 * 10 + capability.1) as c_int;
        let Some(architecture) = known.into_iter().filter(|&known| known <= wanted).max() else {
            return Err(unavailable(format!(
                "libnvrtc {major}.{minor} does not compile for compute capability {}.{}; install an older one",
                capability.0, capability.1
            )));
        };
        Ok(Self {
            architecture: format!("compute_{architecture}"),
            version: format!("{major}.{minor}"),
            cache: dirs::cache_dir().map(|folder| folder.join("array-api")),
        })
    }

    /// The kernels of a source, ready for launch on the current context.
    pub(super) fn compile(&self, source: &Source) -> Result<Module> {
        let path = self.cache.as_ref().map(|folder| folder.join(self.file_name(source)));
        if let Some(ptx) = path.as_deref().and_then(read)
            && let Ok(kernels) = driver::load(&ptx, source.kernels)
        {
            return Ok(Module(kernels));
        }
        let ptx = self.run(source)?;
        if let Some(path) = path {
            // A cache that cannot be written costs time only.
            let _ = keep(&path, &source.description, &ptx);
        }
        Ok(Module(driver::load(&ptx, source.kernels)?))
    }

    fn file_name(&self, source: &Source) -> String {
        let mut hash = Sha256::new();
        for part in [&self.architecture, &self.version, PRELUDE, &source.text] {
            hash.update(part);
            hash.update([0]);
        }
        let mut name = String::new();
        for byte in hash.finalize().iter().take(16) {
            // Writing to a string cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        name + ".ptx"
    }

    /// Runs the compiler.
    fn run(&self, source: &Source) -> Result<CString> {
        let text = CString::new(format!("{PRELUDE}\n{}", source.text))
            .map_err(|_| unavailable("a kernel's source holds a zero"))?;
        let program = Program(result::create_program(&text, Some(c"kernel.cu")).map_err(compiler_failed)?);
        let options = [format!("--gpu-architecture={}", self.architecture), "--std=c++17".to_owned()];
        // SAFETY: the program is live, and its source too.
        if let Err(error) = unsafe { result::compile_program(program.0, &options) } {
            // SAFETY: the program is live.
            let log = unsafe { result::get_program_log(program.0) }.unwrap_or_default();
            let log: Vec<u8> = log.into_iter().map(|c| c as u8).take_while(|&c| c != 0).collect();
            return Err(Error::DeviceFailure {
                backend: "CUDA",
                operation: "compiling a kernel",
                reason: format!(
                    "{:?} for {}:\n{}",
                    error.0,
                    source.description,
                    String::from_utf8_lossy(&log)
                ),
            });
        }
        // SAFETY: the program is live and compiled.
        let ptx = unsafe { result::get_ptx(program.0) }.map_err(compiler_failed)?;
        let ptx: Vec<u8> = ptx.into_iter().map(|c| c as u8).take_while(|&c| c != 0).collect();
        CString::new(ptx).map_err(|_| unavailable("a compiled kernel holds a zero"))
    }
}

/// A program of the compiler's.
struct Program(sys::nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: the program is live, and nobody else has the handle.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

/// A file of the cache; none if there is none, or one that was cut short.
fn read(path: &Path) -> Option<CString> {
    let text = std::fs::read(path).ok()?;
    let body = text.strip_suffix(END)?;
    CString::new(body).ok()
}

/// What a file of the cache ends with.
const END: &[u8] = b"// end\n";

/// Writes a file of the cache, whole or not at all.
fn keep(path: &Path, description: &str, ptx: &CStr) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let unfinished = path.with_extension(format!("{}-{:?}", std::process::id(), std::thread::current().id()));
    let text = [b"// ", description.as_bytes(), b"\n", ptx.to_bytes(), END].concat();
    let written = std::fs::write(&unfinished, text).and_then(|()| std::fs::rename(&unfinished, path));
    if written.is_err() {
        // Nothing is left behind; if that fails too, there is no more to be done.
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}
