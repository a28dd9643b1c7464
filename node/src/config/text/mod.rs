//! From text to a tree in which every value knows where it stands.

mod interpolate;
mod overlay;
mod source;
mod tree;

pub(super) use interpolate::interpolate;
pub(super) use overlay::{Override, apply as apply_overrides};
pub(super) use source::line_of;
pub use source::{Bytes, Source, SourceId, SourceKind, Sources, Span};
pub(super) use tree::{Entry, Kind, Node, parse};
