//! Tests over real sockets on loopback.

mod calls;
mod channels;
mod dialling;
mod mesh;
mod simulated;
mod tls;
mod topics;
