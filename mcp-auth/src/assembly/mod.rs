//! From a configuration, in whatever form it is written, to running parts.

mod json_config;
