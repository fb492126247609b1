"""The part of daiku that runs on a host: it reads the live state and makes it equal to a manifest.

Its modules are sent as text over SSH and run by the host's own python3 (3.8 or newer), so they import the standard
library and each other only, and nothing of them stays on the host. docs/convergence.md describes the protocol.
What they guarantee:

- All new contents are written beside their files first; only when all are on the disk is the first one renamed. So a
  full disk changes nothing, and no reader ever sees half a file.
- Which triggers must run is on the disk before the first file changes. So a crash between a file and its trigger
  leaves a note, and the next run goes on from it.
- Once a host has begun to change, it goes on to the end, even if the connection is lost.
"""
