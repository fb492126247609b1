"""pulumi-resource-sakura: a native Pulumi provider for Sakura Cloud and PHY.

`fields` says what a resource is (data), `handler` what a resource does (a protocol), `resources/` holds one
file a resource, `adapter` is the only place that knows Pulumi's experimental provider server, `sdk` is what
stacks import.
"""
