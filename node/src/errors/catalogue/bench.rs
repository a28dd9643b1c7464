//! `E05`: measuring.

use super::{Entry, entry};
use crate::errors::Code;

pub(super) const ENTRIES: &[Entry] = &[entry(
    Code::E0501,
    ["a measurement came to nothing", "测量未能完成"],
    [
        "One of the processes that take part could not be started, or ended early.",
        "参与测量的某个进程无法启动或提前结束。",
    ],
    [
        "The message says which one and why. Loopback connections must be allowed, and memory be left.",
        "消息中说明了是哪个进程及原因；请确认允许回环连接且内存充足。",
    ],
)];
