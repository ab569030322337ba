"""Wire: what goes between a service and its clients, as text: strict JSON, problems, and the forms of requests."""
