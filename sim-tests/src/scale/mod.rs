//! How routing grows: random meshes of several sizes under churn, what their nodes say to each other, and whether what they
//! come to is right.
//!
//! One size is one scenario, played without the invariants that look at every turn, which cost more than the mesh itself at
//! this size. It starts, must converge, is left alone, loses and regains nodes at a steady rate while applications send,
//! and must converge again. Whether it has is the question of the invariants of a settled mesh, among them the plain
//! Dijkstra of `rt_complete`, and of a walk along the next hops from every node to every other.

mod judge;
mod meter;
mod plan;
mod play;
mod report;

pub use meter::{Outcomes, Rates};
pub use plan::Plan;
pub use play::{Measured, measure};
pub use report::Report;
