"""The embedded datacentre: emulators of the real APIs, and hosts that really answer SSH."""
