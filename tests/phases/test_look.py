"""What the look at a host makes of its files."""

from __future__ import annotations

from pathlib import Path

from daiku.apply.phases.host.look import certificates

ONE = "-----BEGIN CERTIFICATE-----\nMIIB\nAAAA\n-----END CERTIFICATE-----\n"
TWO = "-----BEGIN CERTIFICATE-----\nMIIB\nBBBB\n-----END CERTIFICATE-----\n"


def test_a_bundle_is_the_set_of_its_certificates(tmp_path: Path) -> None:
    def of(text: str) -> list[str]:
        path = tmp_path / "ca.crt"
        path.write_text(text)
        return certificates(str(path))

    assert of(ONE + TWO) == of("# the next one\n" + TWO.replace("\n", "\r\n") + "\n" + ONE)
    assert set(of(ONE)) < set(of(ONE + TWO))
    assert len(of(ONE + TWO)) == 2
    assert of("") == of("no certificate") == certificates(str(tmp_path / "none")) == []
