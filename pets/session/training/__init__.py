"""Training: its terms, its one charge, and its release."""
