"""The IaaS API (`/cloud/zone/{zone}/api/cloud/1.1`): one file a resource family, all rows in `models`."""
