//! Why the body of a request is refused, or what it names.

use http::StatusCode;

/// Why the body of a request is refused before anything in it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageFault {
    /// A batch, in a revision that has none (2025-06-18 and later).
    Batch,
    /// `Mcp-Method`, `Mcp-Name`, `MCP-Protocol-Version` or `Mcp-Param-*` says something else than the body, or is missing
    /// in a revision that asks for it (2026-07-28 and later).
    HeaderMismatch,
    /// The body did not come within `body_timeout`.
    Timeout,
    /// Not JSON-RPC 2.0, or with two members of one name.
    Invalid,
    /// Not JSON.
    NotJson,
    /// An event at which the caller cannot take a stream up again: it is not sealed for them, or no session of theirs is
    /// named.
    UnknownEvent,
    /// A `requestState` that was not given to the caller for this request, or has ended.
    UnknownState,
    /// A session that the caller did not begin, or that nobody has begun here.
    UnknownSession,
    /// A task that no call of the caller's has made.
    UnknownTask,
    /// Longer than `max_body_bytes`, or a batch of too many messages.
    TooLarge,
    /// A body in a request that must have none, such as GET. The server behind might act on it.
    Unexpected,
    /// Not JSON in UTF-8, or compressed: the server behind might read it differently.
    UnsupportedMediaType,
}

impl MessageFault {
    /// The stable code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Batch => "batch_not_allowed",
            Self::HeaderMismatch => "header_mismatch",
            Self::Timeout => "body_timeout",
            Self::Unexpected => "unexpected_body",
            Self::Invalid => "invalid_message",
            Self::NotJson => "not_json",
            Self::TooLarge => "body_too_large",
            Self::UnknownEvent => "unknown_event",
            Self::UnknownSession => "unknown_session",
            Self::UnknownState => "unknown_state",
            Self::UnknownTask => "unknown_task",
            Self::UnsupportedMediaType => "unsupported_media_type",
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownSession | Self::UnknownEvent => StatusCode::NOT_FOUND,
            // The transport is in order: so servers answer it, in the way of JSON-RPC.
            Self::UnknownState | Self::UnknownTask => StatusCode::OK,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The error code in the JSON-RPC answer: of JSON-RPC 2.0 §5.1, and of MCP for headers.
    pub(crate) fn json_rpc_code(self) -> i32 {
        match self {
            Self::NotJson => -32700,
            Self::HeaderMismatch => -32020,
            // As the official SDKs answer it.
            Self::UnknownSession | Self::UnknownEvent => -32001,
            // MCP 2025-11-25, "Tasks", and the extension of 2026-07-28: invalid params.
            Self::UnknownState | Self::UnknownTask => -32602,
            Self::Batch
            | Self::Invalid
            | Self::Timeout
            | Self::TooLarge
            | Self::Unexpected
            | Self::UnsupportedMediaType => -32600,
        }
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Batch => "batches exist in revision 2025-03-26 only",
            Self::HeaderMismatch => {
                "an Mcp-* or MCP-Protocol-Version header contradicts the body, or is missing"
            }
            Self::Invalid => "not a JSON-RPC 2.0 message that is complete and has distinct members",
            Self::NotJson => "the body is not JSON",
            Self::Timeout => "the body did not come in time",
            Self::Unexpected => "only POST has a body",
            Self::TooLarge => "the body is too large",
            Self::UnknownEvent => "Event not found",
            Self::UnknownSession => "Session not found",
            Self::UnknownState => "Invalid or expired requestState",
            Self::UnknownTask => "Task not found",
            Self::UnsupportedMediaType => {
                "the body must be application/json in UTF-8, not compressed"
            }
        }
    }

    /// What was expected and what came instead, for the log.
    pub(crate) fn compared(self) -> (&'static str, &'static str) {
        let expected = match self {
            Self::UnknownEvent => "an event of this caller",
            Self::UnknownSession => "a session of this caller",
            Self::UnknownState => "a requestState of this caller and request",
            Self::UnknownTask => "a task of this caller",
            _ => return ("one JSON-RPC message", self.description()),
        };
        (expected, "another one")
    }
}
