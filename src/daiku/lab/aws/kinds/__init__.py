"""The AWS resource types that the stack uses, one file a service. Inputs are named as pulumi_aws sends them."""
