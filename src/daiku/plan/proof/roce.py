"""Quality of service of RoCE: half of an agreement with the switches is worse than none."""

from __future__ import annotations

from collections.abc import Iterator

from daiku.errors import Fault
from daiku.plan.proof.rule import Case, Rule
from daiku.spec.fabric import RoceQos
from daiku.spec.source import Path

DSCP_OF_A_PRIORITY = 8
"""DSCPs that NICs and switches put into one priority, unless told otherwise: priority = DSCP / 8."""


def marks_seen(case: Case) -> Iterator[Fault]:
    for path, qos in _agreed(case):
        if qos.trust == "pcp":
            yield case.view.source.fault(
                (*path, "trust"), "rails carry no VLAN tag, and the priority (PCP) stands in the tag"
            )


def marks_apart(case: Case) -> Iterator[Fault]:
    for path, qos in _agreed(case):
        if qos.dscp == qos.cnp_dscp and qos.priority != qos.cnp_priority:
            yield case.view.clash(
                (*path, "cnpDscp"),
                f"DSCP {qos.dscp} is to be priority {qos.priority} and priority {qos.cnp_priority}",
                (*path, "dscp"),
                "RoCE packets",
            )


def notifications_pass(case: Case) -> Iterator[Fault]:
    for path, qos in _agreed(case):
        if qos.priority == qos.cnp_priority:
            yield case.view.clash(
                (*path, "cnpPriority"),
                f"congestion notifications wait in priority {qos.priority}, which flow control stops",
                (*path, "priority"),
                "RoCE packets",
            )


def others_not_paused(case: Case) -> Iterator[Fault]:
    for path, qos in _agreed(case):
        if qos.priority == 0:
            yield case.view.source.fault((*path, "priority"), "priority 0 is where all unmarked traffic goes")


def usual_table(case: Case) -> Iterator[Fault]:
    for path, qos in _agreed(case):
        if qos.trust != "dscp" or qos.priority == 0:
            continue
        usual = qos.dscp // DSCP_OF_A_PRIORITY
        if qos.priority != usual:
            yield case.view.clash(
                (*path, "dscp"),
                f"DSCP {qos.dscp} is priority {usual} in the usual table, not {qos.priority}",
                (*path, "priority"),
                "RoCE packets",
            )


def congestion_told(case: Case) -> Iterator[Fault]:
    for path, qos in _agreed(case):
        if not qos.ecn:
            yield case.view.source.fault(
                (*path, "ecn"), "flow control without congestion marks: senders never slow down"
            )


def _agreed(case: Case) -> Iterator[tuple[Path, RoceQos]]:
    for _, path, pool in case.view.pools():
        if pool.fabric.qos is not None and pool.fabric.rails:
            yield (*path, "fabric", "qos"), pool.fabric.qos


ERRORS = (
    Rule(
        "qos-trust-untagged",
        marks_seen,
        "Ports see no priority: RoCE travels unprotected beside everything else, and drops under load.",
        "Take `trust: dscp`.",
    ),
    Rule(
        "qos-dscp-twice",
        marks_apart,
        "The later one of two settings wins: either notifications or data travel in the wrong class.",
        "Give notifications a DSCP of their own: 48 is usual, with priority 6.",
    ),
)

WARNINGS = (
    Rule(
        "qos-cnp-paused",
        notifications_pass,
        "The message to slow down waits behind the data that it is about: pauses spread through the fabric.",
        "Give notifications a priority of their own: 6 is usual.",
    ),
    Rule(
        "qos-lossless-default",
        others_not_paused,
        "One slow receiver pauses SSH, storage and the node traffic of everybody with it.",
        "Agree on another priority: 3 is usual.",
    ),
    Rule(
        "qos-dscp-table",
        usual_table,
        "Switches that keep the usual table put RoCE into a class that they drop from, while NICs pause another.",
        "Take a DSCP of the priority (26 for 3), or see that every switch has the mapping.",
    ),
    Rule(
        "qos-without-ecn",
        congestion_told,
        "Under incast, pauses travel back to the senders and stop jobs that have no part in it.",
        "Turn ECN on where the switches mark; or leave `qos` out and do without flow control.",
    ),
)
