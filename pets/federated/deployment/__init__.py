"""Sites on machines of their own: folders, startup kits, the carrier and its gateway."""
