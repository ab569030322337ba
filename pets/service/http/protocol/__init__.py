"""The page of the protocol: OpenAPI of every endpoint, the forms of bodies and replies, and examples."""
