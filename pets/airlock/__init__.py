"""What a person looks for in a file that somebody wants to take out, looked for before one has to."""
