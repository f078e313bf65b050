//! WHOSE KEYS? Finding an authorization server's metadata and keys: the only network code.

mod budget;
mod discovery;
mod http_client;
mod key_set;
mod metadata;
mod refresh;

pub(crate) use http_client::ReqwestClient;
pub use http_client::{HttpClient, HttpError};
pub(crate) use key_set::KeySet;
pub(crate) use metadata::{Metadata, MetadataPatch};
pub(crate) use refresh::{FetchContext, Issuer, MetadataSource, Verified, VerifyError};
