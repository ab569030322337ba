"""What was spoken between a client and a service, kept so that those of today still understand it."""
