"""What is rendered as it stands: alerts with their runbooks, dashboards, and the keys that charts know."""
