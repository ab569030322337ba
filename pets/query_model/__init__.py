"""The question: frozen nodes whose construction is their validation, and the text that they are read from."""
