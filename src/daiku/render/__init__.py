"""(Plan, Facts) to files: what each machine holds and what the cluster is given. The only room that knows Jinja."""
