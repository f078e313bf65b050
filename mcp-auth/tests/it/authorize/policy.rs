//! Who may call what: one policy for calls and for lists.

mod access;
mod adversary;
mod any_answer;
mod boundaries;
mod bypasses;
mod data;
mod edges;
mod lenient;
mod lists;
mod matrix;
mod mirrored;
mod model;
mod own_rules;
mod property;
mod reference;
mod rules;
mod styles;
mod tasks;
mod templates;
mod unlisted;

use crate::support::policy_server::{PolicyServer, REVISIONS, message, tool_call};
