"""Client: a service that feels like the library: the verbs of a session, asked over HTTP."""
