"""What runs inside a lab host: its PID 1 and the stand-ins for netplan, systemctl and the like.

Standard library only (and the YAML reader that is copied beside it): these modules are copied into every host's root.
"""
