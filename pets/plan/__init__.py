"""The bounded plan of a question against a schema, its sensitivities, and the vector that it lays out."""
