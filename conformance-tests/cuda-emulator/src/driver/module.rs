//! Modules: PTX in, kernels and global variables out.

use std::ffi::{CStr, c_char, c_uint, c_void};
use std::sync::Arc;

use cudarc::driver::sys::{self, CUdeviceptr, CUfunction, CUjit_option, CUmodule, CUresult};

use crate::context::{Context, Function, Loaded};
use crate::exports::{exports, put};
use crate::fault::{Fault, FaultKind};
use crate::handle::{self, Kind};
use crate::platform::current;
use crate::ptx::Module;

/// The first bytes of a cubin, and of the two forms of a fat binary (in the order of the file).
const BINARIES: [[u8; 4]; 3] = [*b"\x7fELF", [0x50, 0xed, 0x55, 0xba], [0xb1, 0x43, 0x62, 0x46]];

/// # Safety
/// `image` is null or points to text that ends with a zero byte.
unsafe fn load(image: *const c_void) -> Result<CUmodule, (CUresult, String)> {
    if image.is_null() {
        return Err((CUresult::CUDA_ERROR_INVALID_VALUE, "no image".to_owned()));
    }
    // SAFETY: not null, and ends with a zero byte.
    let bytes = unsafe { CStr::from_ptr(image.cast()) }.to_bytes();
    if BINARIES.iter().any(|magic| bytes.starts_with(magic)) {
        let message = "the emulator runs PTX, not binaries for a device: compile for compute_70";
        eprintln!("cuda-emulator: cuModuleLoadData: {message}");
        return Err((CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU, message.to_owned()));
    }
    let mut context = current().map_err(|error| (error, String::new()))?;
    context.check().map_err(|error| (error, String::new()))?;
    let parsed = str::from_utf8(bytes)
        .map_err(|error| Fault::new(FaultKind::InvalidPtx, format!("not UTF-8: {error}")))
        .and_then(Module::parse)
        .and_then(|mut module| module.load(&context.memory).map(|()| module));
    match parsed {
        Ok(module) => {
            let number = context.next_serial();
            let label = format!("cuModuleLoadData #{number}");
            context.modules.insert(number, Loaded { module: Arc::new(module), label });
            Ok(handle::pack(Kind::Module, context.device, number))
        }
        Err(fault) => {
            // The checker's report of it; a module that does not load breaks no context.
            context.report(&fault);
            Err((CUresult::CUDA_ERROR_INVALID_PTX, fault.to_string()))
        }
    }
}

/// Where `cuModuleLoadDataEx` is to write the log of errors, and how many bytes fit.
///
/// # Safety
/// `options` and `values` point to `count` elements.
unsafe fn error_log(
    count: c_uint,
    options: *mut CUjit_option,
    values: *mut *mut c_void,
) -> Option<(*mut c_char, usize)> {
    if options.is_null() || values.is_null() {
        return None;
    }
    let value = |wanted| {
        // SAFETY: both arrays have `count` elements.
        let index = (0..count as usize).find(|index| unsafe { *options.add(*index) } == wanted)?;
        // SAFETY: as above.
        Some(unsafe { *values.add(index) })
    };
    let buffer = value(CUjit_option::CU_JIT_ERROR_LOG_BUFFER)?;
    let bytes = value(CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)?.addr();
    (!buffer.is_null() && bytes > 0).then_some((buffer.cast(), bytes))
}

/// The number of the module that a handle names.
fn number(context: &Context, module: CUmodule) -> Result<u64, CUresult> {
    handle::unpack(module, Kind::Module)
        .filter(|(device, number)| *device == context.device && context.modules.contains_key(number))
        .map(|(_, number)| number)
        .ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)
}

/// # Safety
/// `text` is null or ends with a zero byte.
unsafe fn name<'a>(text: *const c_char) -> Result<&'a str, CUresult> {
    if text.is_null() {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    // SAFETY: not null, and ends with a zero byte.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| CUresult::CUDA_ERROR_NOT_FOUND)
}

exports! {
    fn cuModuleLoadData(module: *mut CUmodule, image: *const c_void) -> CUresult {
        if module.is_null() {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        put(module, load(image).map_err(|(error, _)| error)?)
    }

    fn cuModuleLoadDataEx(
        module: *mut CUmodule,
        image: *const c_void,
        count: c_uint,
        options: *mut CUjit_option,
        values: *mut *mut c_void,
    ) -> CUresult {
        if module.is_null() {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        match load(image) {
            Ok(loaded) => put(module, loaded),
            Err((error, message)) => {
                if let Some((buffer, bytes)) = error_log(count, options, values) {
                    let length = message.len().min(bytes - 1);
                    buffer.copy_from_nonoverlapping(message.as_ptr().cast(), length);
                    buffer.add(length).write(0);
                }
                Err(error)
            }
        }
    }

    fn cuModuleUnload(module: CUmodule) -> CUresult {
        let mut context = current()?;
        let number = number(&context, module)?;
        // Kernels of the module may be queued.
        let finished = context.finish();
        context.functions.retain(|_, function| function.module != number);
        if let Some(mut loaded) = context.modules.remove(&number)
            && let Some(module) = Arc::get_mut(&mut loaded.module)
            && let Err(fault) = module.unload(&context.memory)
        {
            context.report(&fault);
        }
        finished
    }

    fn cuModuleGetFunction(function: *mut CUfunction, module: CUmodule, kernel: *const c_char) -> CUresult {
        let kernel = name(kernel)?;
        let mut context = current()?;
        context.check()?;
        let module = number(&context, module)?;
        if context.modules[&module].module.kernel(kernel).is_none() {
            return Err(CUresult::CUDA_ERROR_NOT_FOUND);
        }
        let serial = context.next_serial();
        let found = Function { module, kernel: kernel.to_owned(), dynamic_shared: None };
        context.functions.insert(serial, found);
        put(function, handle::pack(Kind::Function, context.device, serial))
    }

    fn cuModuleGetGlobal_v2(
        address: *mut CUdeviceptr,
        bytes: *mut usize,
        module: CUmodule,
        variable: *const c_char,
    ) -> CUresult {
        let variable = name(variable)?;
        let context = current()?;
        context.check()?;
        let number = number(&context, module)?;
        let found = context.modules[&number].module.variable(variable);
        let (start, size) = found.ok_or(CUresult::CUDA_ERROR_NOT_FOUND)?;
        // Either may be null, as the manual says.
        if !address.is_null() {
            put(address, start)?;
        }
        if bytes.is_null() { Ok(()) } else { put(bytes, size as usize) }
    }
}
