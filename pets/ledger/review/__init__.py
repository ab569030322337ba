"""Review: a second person decides before an answer is made, or before it is shown."""
