"""Serves a Client ID Metadata Document on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class ClientDocument:
    """The document, its URL (which is the client id), and how often it was read."""

    def __init__(self, url: str, metadata: dict[str, Any]) -> None:
        self.client_id = url
        self.reads = 0
        self.content = json.dumps({"client_id": url, **metadata}).encode()


@contextmanager
def serve_client_document(metadata: dict[str, Any]) -> Iterator[ClientDocument]:
    """Serves `metadata` with the `client_id` that is the document's own URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document.reads += 1
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(document.content)))
            self.end_headers()
            self.wfile.write(document.content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        document = ClientDocument(f"http://127.0.0.1:{server.server_port}/client.json", metadata)
        Thread(target=server.serve_forever, daemon=True).start()
        yield document
        server.shutdown()
