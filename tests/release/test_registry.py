"""Digests come from the registry and from nowhere else; every refusal is one clear error."""

from __future__ import annotations

import socket
import tracemalloc

import pytest

from daiku.errors import ApiError, CredentialsError, NotFoundError, RateLimitError, UnreachableError
from daiku.wire.registry import Registry
from tests.release.oci_registry import MANIFEST, OciRegistry, digest_of, serving


def test_the_digest_of_a_tag_is_the_indexs() -> None:
    with serving(OciRegistry()) as there:
        digest = there.image("org/app", "v1")
        assert Registry(there.at).digest("org/app", "v1") == digest


def test_a_path_in_front_of_all_repositories() -> None:
    with serving(OciRegistry()) as there:
        digest = there.image("mirror/quay/org/app", "v1")
        assert Registry(f"{there.at}/mirror/quay").digest("org/app", "v1") == digest


def test_without_the_header_the_bytes_are_read() -> None:
    with serving(OciRegistry(with_digest_header=False)) as there:
        digest = there.image("org/app", "v1")
        assert Registry(there.at).digest("org/app", "v1") == digest


def test_a_token_for_everybody_is_fetched_once_for_each_repository() -> None:
    with serving(OciRegistry(token="let-me-in")) as there:
        digests = {tag: there.image("org/app", tag) for tag in ("v1", "v2")}
        registry = Registry(there.at)
        assert {tag: registry.digest("org/app", tag) for tag in digests} == digests
        asked = [path for _, path, _ in there.calls if path.startswith("/token")]
        assert len(asked) == 1
        assert "scope=repository" in asked[0]
        assert "service=lab" in asked[0]


def test_a_pull_that_is_sent_elsewhere_arrives() -> None:
    with serving(OciRegistry()) as region, serving(OciRegistry(redirect_to=region.at)) as front:
        digest = region.image("org/app", "v1")
        assert Registry(front.at).digest("org/app", "v1") == digest


def test_a_chart_has_two_digests() -> None:
    with serving(OciRegistry()) as there:
        manifest = there.chart("charts/app", "1.2.3_4", b"archive")
        found = Registry(f"{there.at}/charts").chart("app", "1.2.3+4")
        assert (found.manifest, found.archive) == (manifest, digest_of(b"archive"))


def test_an_image_is_no_chart() -> None:
    with serving(OciRegistry()) as there:
        there.put("app", "1.0.0", MANIFEST, b'{"layers": []}')
        with pytest.raises(ApiError, match="this is no chart"):
            Registry(there.at).chart("app", "1.0.0")


def test_a_registry_that_contradicts_itself_is_not_believed() -> None:
    with serving(OciRegistry()) as there:
        there.chart("app", "1.0.0", b"archive")
        media, content = there.manifests["app", "1.0.0"]
        there.manifests["app", "1.0.0"] = (media, content)
        there.answers = {"status": 200, "headers": {"Docker-Content-Digest": "sha256:" + "0" * 64}}
        with pytest.raises(ApiError, match="the registry says"):
            Registry(there.at).chart("app", "1.0.0")


def test_a_digest_that_an_images_bytes_do_not_have_is_not_believed() -> None:
    with serving(OciRegistry()) as there:
        there.image("org/app", "v1")
        there.answers = {"status": 200, "headers": {"Docker-Content-Digest": "sha256:" + "0" * 64}}
        with pytest.raises(ApiError, match="the registry says sha256:000"):
            Registry(there.at).digest("org/app", "v1")


def test_an_answer_without_end_is_not_read_into_memory() -> None:
    with serving(OciRegistry()) as there:
        there.put("org/app", "v1", MANIFEST, bytes(64 * 1024 * 1024))
        tracemalloc.start()
        try:
            with pytest.raises(ApiError, match="larger than a manifest"):
                Registry(there.at).digest("org/app", "v1")
            assert tracemalloc.get_traced_memory()[1] < 32 * 1024 * 1024
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    ("answers", "kind", "says"),
    [
        ({"status": 404}, NotFoundError, "does not have it"),
        ({"status": 403}, CredentialsError, "does not let us read"),
        ({"status": 401}, CredentialsError, "nobody read without a login"),
        ({"status": 429, "headers": {"Retry-After": "60"}}, RateLimitError, "fewer requests"),
        ({"status": 500}, ApiError, "HTTP status 500"),
        ({"status": 200, "headers": {"Docker-Content-Digest": "md5:1"}}, ApiError, "the registry says md5:1"),
    ],
)
def test_refusals(answers: dict[str, object], kind: type[ApiError], says: str) -> None:
    with serving(OciRegistry(answers=answers)) as there, pytest.raises(kind, match=says) as caught:
        Registry(there.at).digest("org/app", "v1")
    assert caught.value.where == f"{there.at}/org/app:v1"


def test_a_token_is_not_fetched_in_the_clear_from_elsewhere() -> None:
    headers = {"WWW-Authenticate": 'Bearer realm="http://tokens.example/token"'}
    with serving(OciRegistry(answers={"status": 401, "headers": headers})) as there:
        with pytest.raises(CredentialsError, match="without a login"):
            Registry(there.at).digest("org/app", "v1")
        assert len(there.calls) == 1


def test_without_a_network_there_is_one_clear_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UnreachableError, match="does not answer") as caught:
        Registry(at).digest("org/app", "v1")
    assert "lock file" in caught.value.hint
