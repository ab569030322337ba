"""The query service: one custodian, many analysts, over HTTP; and the client that feels like the library."""
