"""The analyst's side: a federation to ask, its transport, and models over it."""
