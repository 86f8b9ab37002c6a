//! The emulated machine for this crate's own tests of the exported functions.
//!
//! The machine belongs to the process, so the tests that use it take turns.

#![expect(unsafe_code, reason = "calls exported C functions")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::context::Context;
use crate::driver::calls::{cuCtxSetCurrent, cuDevicePrimaryCtxRelease_v2, cuDevicePrimaryCtxRetain};
use crate::platform::{context_handle, current, initialise_with, set_current_device};
use crate::report::{FaultReport, cuda_emulator_reset_meter};
use crate::settings::Settings;
use crate::stream::Scheduler;

static TURN: Mutex<()> = Mutex::new(());

/// Memory of each device: small, so that a test can use it up.
pub(crate) const MEMORY: u64 = 1 << 20;

/// A turn on a machine with two devices, the first of which is current.
pub(crate) struct Session {
    _turn: MutexGuard<'static, ()>,
}

/// Asserts that a call succeeded.
macro_rules! succeed {
    ($($call:expr),+ $(,)?) => {$(
        // SAFETY: the test gives valid places.
        assert_eq!(unsafe { $call }, $crate::exports::Status::SUCCESS, "{}", stringify!($call));
    )+};
}
pub(crate) use succeed;

impl Session {
    /// Waits for a turn; `seed` decides the random orders.
    pub(crate) fn new(seed: u64) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        initialise_with(Settings { visible: vec![0, 1], memory: MEMORY, seed: 1, pools: true });
        let mut handle = std::ptr::null_mut();
        succeed!(cuDevicePrimaryCtxRetain(&raw mut handle, 0));
        assert_eq!(handle, context_handle(0));
        succeed!(cuCtxSetCurrent(handle));
        let session = Self { _turn: turn };
        session.context().scheduler = Scheduler::new(seed);
        cuda_emulator_reset_meter();
        session
    }

    pub(crate) fn context(&self) -> MutexGuard<'static, Context> {
        current().expect("the session retains it")
    }

    /// The faults so far; the context works again.
    pub(crate) fn take_faults(&self) -> Vec<FaultReport> {
        let mut context = self.context();
        let faults = context.faults();
        context.forget_faults();
        faults
    }

    /// The kinds of the faults so far; the context works again.
    pub(crate) fn take_kinds(&self) -> Vec<String> {
        self.take_faults().into_iter().map(|fault| fault.kind).collect()
    }
}

impl Drop for Session {
    /// Leaves an empty device to the next test.
    fn drop(&mut self) {
        self.take_faults();
        {
            let mut context = self.context();
            for (address, ..) in context.memory.live() {
                context.memory.free(address).expect("it is live");
            }
            context.modules.clear();
            context.functions.clear();
            context.libraries.clear();
            context.scheduler = Scheduler::new(0);
        }
        succeed!(cuDevicePrimaryCtxRelease_v2(0));
        set_current_device(None);
    }
}
