//! Nondeterminism on purpose, to prove that the checks for it see it.
//!
//! With [`WorldOptions::canary`](crate::WorldOptions::canary) every packet takes some milliseconds more or less, drawn from
//! the standard library's per-process random state and from where the allocator puts things. A double run that does not
//! notice is broken.

use core::time::Duration;
use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
};

/// Up to about four milliseconds, different in every run: more than a tick of the asynchronous tier, which would hide less.
pub(crate) fn noise() -> Duration {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_usize(core::ptr::from_ref(Box::new(0_u8).as_ref()).addr());
    Duration::from_nanos(hasher.finish() & 0x3f_ffff)
}
