"""A kubelet as far as the API server asks one for logs: HTTPS on loopback that answers for the pods it was told of."""

from __future__ import annotations

import ssl
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from daiku.wire.kubernetes import KubernetesApi
from tests.kubernetes.certificates import Authority

STATUS = {"Content-Type": "application/strategic-merge-patch+json"}


@contextmanager
def kubelet(api: KubernetesApi, authority: Authority, node: str, logs: dict[str, str]) -> Generator[None]:
    """A Node `node` whose kubelet has `logs`, by pod. A pod that is not among them has no log there (404)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            _, what, _namespace, pod, _container = asked.path.split("/")
            text = logs.get(pod) if what == "containerLogs" else None
            body = (text or "").encode()[: int(parse_qs(asked.query)["limitBytes"][0])]
            self.send_response(404 if text is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base names it so
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pair = authority.server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pair.cert + pair.key)
        file.flush()
        context.load_cert_chain(file.name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        with node_at(api, node, server.server_address[1]):
            yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def node_at(api: KubernetesApi, name: str, port: int | None) -> Generator[None]:
    """A Node whose kubelet is said to listen at that port of loopback, or never told; gone when the block ends."""
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    api.call("POST", "/api/v1/nodes", body=body)
    try:
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        if port is not None:
            api.call("PATCH", f"/api/v1/nodes/{name}/status", body={"status": status}, headers=STATUS)
        yield
    finally:
        api.delete(body)
