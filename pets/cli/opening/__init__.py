"""Opening: what a command that opens data tells its custodian."""
