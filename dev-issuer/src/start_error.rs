//! Why [`Builder::start`](crate::Builder::start) failed.

use std::net::SocketAddr;
use std::{error, fmt, io};

/// Why the issuer did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Another process, or another issuer, listens at this address.
    PortTaken(SocketAddr),
    /// The address is reachable from other machines. This issuer lets anyone sign in as anyone.
    NotLoopback(SocketAddr),
    /// The issuer path is not `/`-separated segments of unreserved characters (RFC 3986 §2.3).
    InvalidPath(String),
    /// A scope is not an RFC 6749 §3.3 scope-token.
    InvalidScope(String),
    /// There is no user to sign in as.
    NoUsers,
    /// The address could not be bound for another reason.
    Bind(SocketAddr, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortTaken(address) => write!(f, "{address} is taken by another process"),
            Self::NotLoopback(address) => {
                write!(f, "{address} is not a loopback address: a development issuer is local only")
            }
            Self::InvalidPath(path) => write!(f, "{path:?} is not an issuer path like /tenant1"),
            Self::InvalidScope(scope) => write!(f, "{scope:?} is not a scope"),
            Self::NoUsers => f.write_str("an issuer needs at least one user"),
            Self::Bind(address, _) => write!(f, "{address} could not be bound"),
        }
    }
}

impl error::Error for StartError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Bind(_, source) => Some(source),
            _ => None,
        }
    }
}
