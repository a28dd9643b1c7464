//! Tests over real sockets on loopback.

mod channels;
mod dialling;
mod mesh;
mod simulated;
mod tls;
