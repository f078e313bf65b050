//! Where frameworks ask: the layer's service at its path, adapters without tower, rmcp.

mod adapter;
mod mounting;
#[cfg(feature = "rmcp3")]
mod rmcp;
mod stream_end;
mod stream_start;
