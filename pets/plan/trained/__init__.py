"""Training: what one step measures, how far one person moves it, and the public arithmetic between steps."""
