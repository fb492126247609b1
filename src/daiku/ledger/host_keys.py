"""Pinned SSH host keys. A pin holds for one incarnation of a host: a reinstalled machine has a new key by right."""

from __future__ import annotations

from collections.abc import Mapping

from daiku.ledger.database import Database


class PinnedHostKeys:
    """The pins of a cluster's hosts, as `wire.ssh_types.HostKeys` asks for them.

    `incarnations` says which incarnation of each host exists now (NodeFacts.incarnation); a host that it does not
    name has the incarnation "". A pin of another incarnation does not count.
    """

    def __init__(self, database: Database, incarnations: Mapping[str, str] | None = None) -> None:
        self._database = database
        self._incarnations = dict(incarnations or {})

    def pinned(self, host: str) -> str | None:
        """The key pinned for the present incarnation of `host`, or None."""
        rows = self._database.rows(
            "SELECT key FROM host_keys WHERE host = ? AND incarnation = ?",
            host,
            self._incarnations.get(host, ""),
        )
        return str(rows[0]["key"]) if rows else None

    def pin(self, host: str, key: str) -> None:
        """Trust `key` (`ssh-ed25519 AAAA...`) for the present incarnation of `host` from now on."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO host_keys (host, incarnation, key) VALUES (?, ?, ?)",
                (host, self._incarnations.get(host, ""), key),
            )

    def forget(self, host: str) -> bool:
        """Drop the pin of `host`, so that its next key is trusted; False when there was none."""
        with self._database.writing() as connection:
            return connection.execute("DELETE FROM host_keys WHERE host = ?", (host,)).rowcount > 0
