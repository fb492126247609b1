"""Licences: nothing that a cluster uses, but clients list them. The lab's account has none and is offered none."""

from __future__ import annotations

from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.wire import Call, Reply, routes


@routes.on("GET", "/license")
def find(call: Call) -> Reply:
    return listing(call, "Licenses", [])


@routes.on("GET", "/product/license")
def find_plans(call: Call) -> Reply:
    return listing(call, "LicenseInfo", [])
