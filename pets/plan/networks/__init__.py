"""Networks: how rows enter one, as far as a plan says, without rows and without weights."""
