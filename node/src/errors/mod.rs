//! What can go wrong, for people: stable codes with a cause and a remedy, in English and Chinese.
//!
//! Families: `E01` configuration, `E02` identity and rights, `E03` starting and the control socket, `E04` delivery,
//! `E05` calls and measurements, `E15` the API;
//! a `W` instead of the `E` is a warning of the same family. A code, once published, keeps its meaning for ever.

mod catalogue;
mod code;
mod exit;
mod lang;
mod problem;

pub use catalogue::{Entry, Text};
pub use code::Code;
pub use exit::Exit;
pub use lang::Lang;
pub use problem::{Failed, HandlerError, Problem};
