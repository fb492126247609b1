"""(Plan, Facts) to files: what each machine holds and what the cluster is given. No other room knows
Jinja."""
