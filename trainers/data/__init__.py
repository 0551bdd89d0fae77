"""Pairs of noise and latent: Parquet shards and how trainers read them."""
