"""A sentence on what a field means, its `info`: seen with the pointer on its name or the keyboard in it."""

EXPLAINED = "explained"  # a class of assets/style.css
