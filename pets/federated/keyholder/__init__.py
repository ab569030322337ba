"""The key holder's side: what it opens, and how it is reached."""
