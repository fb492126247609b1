"""AWS in the lab: moto's server with the Direct Connect operations that it lacks, and a Pulumi plugin that calls it."""
