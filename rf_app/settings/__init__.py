"""What the page and the trainers both know: settings as plain values, read without PyTorch."""
