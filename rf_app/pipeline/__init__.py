"""One worker that owns the device and turns typed requests into pictures."""
