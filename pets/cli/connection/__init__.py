"""Questions from the command line to a service."""
