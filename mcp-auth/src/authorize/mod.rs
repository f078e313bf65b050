//! MAY THEY DO THIS? Sees only who is calling, never a token.

mod scope;

pub use scope::Scopes;
