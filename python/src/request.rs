//! An ASGI scope as a request.

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use mcp_auth::decision::PeerAddress;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList, PyString, PyTuple};

/// Request line and headers; `None` when they are not what HTTP allows.
pub(crate) fn parts(scope: &Bound<'_, PyDict>) -> PyResult<Option<Parts>> {
    let py = scope.py();
    let method = match scope.get_item(intern!(py, "method"))? {
        // No method of HTTP: a 400, as everything that is not what HTTP allows.
        Some(method) => Method::from_bytes(method.cast::<PyString>()?.to_str()?.as_bytes()).ok(),
        // RFC 8441 §4: a WebSocket is asked for by CONNECT; its scope has no method.
        None if is_websocket(scope)? => Some(Method::CONNECT),
        None => None,
    };
    let mut target = match scope.get_item(intern!(py, "raw_path"))? {
        Some(path) if !path.is_none() => path.cast::<PyBytes>()?.as_bytes().to_vec(),
        _ => {
            let path = match scope.get_item(intern!(py, "path"))? {
                Some(path) => path.extract::<String>()?,
                // Without a path there is no target, which is refused below.
                None => String::new(),
            };
            encode(&path).into_bytes()
        }
    };
    if let Some(query) = scope.get_item(intern!(py, "query_string"))? {
        let bytes = query.cast::<PyBytes>()?.as_bytes();
        if !bytes.is_empty() {
            target.push(b'?');
            target.extend_from_slice(bytes);
        }
    }
    let headers = match scope.get_item(intern!(py, "headers"))? {
        Some(headers) => {
            let list = listed(&headers)?;
            if !list.is(&headers) {
                scope.set_item(intern!(py, "headers"), &list)?;
            }
            read_headers(&list, |_| true)?
        }
        None => Some(HeaderMap::new()),
    };
    let uri = Uri::from_maybe_shared(bytes::Bytes::from(target)).ok();
    let (Some(method), Some(uri), Some(headers)) = (method, uri, headers) else { return Ok(None) };
    let (mut parts, ()) = Request::new(()).into_parts();
    (parts.method, parts.uri, parts.headers) = (method, uri, headers);
    Ok(Some(parts))
}

/// Notes the address of the connection, where the server tells it: `client` is a pair, or `None` on a socket without addresses.
pub(crate) fn note_peer(request: &mut Parts, scope: &Bound<'_, PyDict>) -> PyResult<()> {
    let Some(client) = scope.get_item(intern!(scope.py(), "client"))? else { return Ok(()) };
    if client.is_none() {
        return Ok(());
    }
    let host = client.get_item(0)?;
    // What is no text is no address either.
    if let Ok(text) = host.cast::<PyString>()
        && let Some(peer) = PeerAddress::parse(text.to_str()?)
    {
        request.extensions.insert(peer);
    }
    Ok(())
}

fn is_websocket(scope: &Bound<'_, PyDict>) -> PyResult<bool> {
    let kind = scope.get_item(intern!(scope.py(), "type"))?;
    match kind {
        Some(kind) => kind.eq("websocket"),
        None => Ok(false),
    }
}

/// ASGI headers, any iterable of pairs of bytes, so that they can be read more than once.
pub(crate) fn listed<'py>(headers: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if headers.is_instance_of::<PyList>() || headers.is_instance_of::<PyTuple>() {
        return Ok(headers.clone());
    }
    let list = PyList::empty(headers.py());
    PyIterator::from_object(headers)?.try_for_each(|pair| list.append(pair?))?;
    Ok(list.into_any())
}

/// Those of the headers that are asked for; `None` when one is not what HTTP allows, or there are too
/// many.
pub(crate) fn read_headers(
    headers: &Bound<'_, PyAny>,
    is_read: impl Fn(&HeaderName) -> bool,
) -> PyResult<Option<HeaderMap>> {
    let mut map = HeaderMap::new();
    for pair in PyIterator::from_object(headers)? {
        let (name_bytes, value_bytes) = name_and_value(&pair?)?;
        let Ok(name) = HeaderName::from_bytes(name_bytes.cast::<PyBytes>()?.as_bytes()) else {
            return Ok(None);
        };
        if is_read(&name) {
            let Ok(value) = HeaderValue::from_bytes(value_bytes.cast::<PyBytes>()?.as_bytes())
            else {
                return Ok(None);
            };
            if map.try_append(name, value).is_err() {
                return Ok(None);
            }
        }
    }
    Ok(Some(map))
}

/// One ASGI header: a tuple nearly always, which is taken apart faster than any other sequence.
pub(crate) fn name_and_value<'py>(
    pair: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    match pair.cast::<PyTuple>() {
        Ok(pair) => Ok((pair.get_item(0)?, pair.get_item(1)?)),
        Err(_) => Ok((pair.get_item(0)?, pair.get_item(1)?)),
    }
}

/// For servers that give the decoded path alone.
fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
