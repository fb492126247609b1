"""Who the caller is and what its key may do."""

from __future__ import annotations

from daiku.lab.sakura.iaas.wire import ACCOUNT_ID, Call, Id, Reply, routes


@routes.on("GET", "/auth-status")
def auth_status(call: Call) -> Reply:
    """The lab has one account, whose key may do everything."""
    name = call.world.inventory.account.name
    return Reply(
        200,
        {
            "Account": {"ID": Id(ACCOUNT_ID), "Name": name, "Code": name, "Class": "account"},
            "Member": {"Code": "lab00000", "Class": "member"},
            "AuthClass": "account",
            "AuthMethod": "apikey",
            "IsAPIKey": True,
            "ExternalPermission": "eventlog+bill+dedicatedphy",
            "OperationPenalty": "none",
            "Permission": "create",
            "is_ok": True,
        },
    )
