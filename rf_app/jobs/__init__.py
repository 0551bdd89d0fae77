"""Training jobs: what can be trained, the queue in its database, and the processes that work it off."""
