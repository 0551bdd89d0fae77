"""The pocket family: a procedural world and the small models that learn it from nothing."""
