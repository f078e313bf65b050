//! MAY THEY DO THIS? Sees only who is calling and what is called, never a token.

mod authorizer;
mod authorizers;
mod completed_template;
mod completion;
mod guarded;
mod member_names;
mod message;
mod operation;
mod policy;

pub use authorizer::{AccessRequest, Asked, Authorizer, Explanation, Verdict};
pub(crate) use authorizers::{Admission, Authorizers};
pub(crate) use message::{Messages, RELATED_TASK, WrittenHandle};
pub use operation::{Operation, OperationKind};
#[cfg(any(fuzzing, test))]
pub(crate) use policy::{NormalUri, normal_pattern};
