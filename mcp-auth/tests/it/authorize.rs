//! May they do this: policies, authorizers, and JSON that two readers could read differently.

mod failing_hooks;
mod json_readers;
mod plain_json;
mod policy;
