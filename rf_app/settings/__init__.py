"""What people set: records and their JSON forms, without PyTorch, so that every process can read them."""
