//! Whole links: scripts with literal times over a wire in memory, and chaos.

mod chaos;
mod dialling;
mod life;
mod refusals;
mod rivals;
mod world;
