"""What the tabs do, without a browser."""
