"""The verbs of sessions: what whoever asks may do."""
