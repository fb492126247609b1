"""The emulated registry speaks as the OCI distribution specification says (section "Pull")."""

from __future__ import annotations

import http.client
import json

import pytest

from tests.release.oci_registry import INDEX, MANIFEST, OciRegistry, digest_of, serving


def call(
    registry: OciRegistry, method: str, path: str, accept: str = "*/*"
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", registry.port, timeout=10)
    try:
        connection.request(method, path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_a_manifest_by_tag_and_by_digest_is_the_same_bytes() -> None:
    with serving(OciRegistry()) as registry:
        digest = registry.image("org/app", "v1")
        for reference in ("v1", digest):
            status, headers, content = call(registry, "GET", f"/v2/org/app/manifests/{reference}", INDEX)
            assert (status, headers["Content-Type"], digest_of(content)) == (200, INDEX, digest)
            assert headers["Docker-Content-Digest"] == digest


def test_head_gives_the_headers_of_get_and_no_body() -> None:
    with serving(OciRegistry()) as registry:
        registry.image("org/app", "v1")
        _, got, content = call(registry, "GET", "/v2/org/app/manifests/v1")
        status, headers, nothing = call(registry, "HEAD", "/v2/org/app/manifests/v1")
        assert (status, nothing, headers["Content-Length"]) == (200, b"", str(len(content)))
        assert headers["Docker-Content-Digest"] == got["Docker-Content-Digest"]


def test_what_is_not_accepted_is_not_given() -> None:
    with serving(OciRegistry()) as registry:
        registry.image("org/app", "v1")
        assert call(registry, "GET", "/v2/org/app/manifests/v1", MANIFEST)[0] == 404


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v2/org/app/manifests/v9", "MANIFEST_UNKNOWN"),
        (f"/v2/org/app/blobs/sha256:{'0' * 64}", "BLOB_UNKNOWN"),
    ],
)
def test_errors_have_the_specifications_form(path: str, code: str) -> None:
    with serving(OciRegistry()) as registry:
        status, _, content = call(registry, "GET", path)
        (error,) = json.loads(content)["errors"]
        assert (status, error["code"]) == (404, code)


def test_a_blob_is_what_its_digest_says() -> None:
    with serving(OciRegistry()) as registry:
        registry.chart("charts/app", "1.0.0", b"archive")
        status, _, content = call(registry, "GET", f"/v2/charts/app/blobs/{digest_of(b'archive')}")
        assert (status, content) == (200, b"archive")


def test_who_has_no_token_is_told_where_to_get_one() -> None:
    with serving(OciRegistry(token="let-me-in")) as registry:
        status, headers, _ = call(registry, "GET", "/v2/org/app/manifests/v1")
        assert status == 401
        assert headers["WWW-Authenticate"].startswith('Bearer realm="http://127.0.0.1:')
        assert 'scope="repository:org/app:pull"' in headers["WWW-Authenticate"]
        assert call(registry, "GET", "/v2/")[0] == 401
