"""Access: who asks, how the service knows, and what they may do."""
