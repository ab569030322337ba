"""One query's way through the sites: the order, the coordinator, its envelopes, a step of a fit."""
