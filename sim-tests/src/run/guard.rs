//! Makes a panic a verdict.

use std::{
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use super::{Options, run};
use crate::{
    scenario::Scenario,
    verdict::{Verdict, Violation},
};

thread_local! {
    /// Where the last panic of this thread was, and what it said. The hook has no other way to hand it on.
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What the last panic of this thread said, if there was one since the last call: an asynchronous runtime catches the
/// panics of its tasks.
pub(crate) fn take_panic() -> Option<String> {
    LAST.with_borrow_mut(|last| (!last.is_empty()).then(|| std::mem::take(last)))
}

/// Runs a scenario; a panic is a violation that begins with its place in the source.
#[must_use]
pub fn guarded(scenario: &Scenario, options: Options) -> Verdict {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let said = info.payload_as_str().unwrap_or("no message");
            LAST.with_borrow_mut(|last| *last = format!("{place}: {said}"));
        }));
    });
    panic::catch_unwind(AssertUnwindSafe(|| run(scenario, options))).unwrap_or_else(|_| {
        let detail = LAST.with_borrow(Clone::clone);
        Verdict::Violation(Violation { invariant: String::from("panic"), at_ms: u64::MAX, detail })
    })
}
