"""Fetching published data sets: mirrors, packages, hashes and the cache of verified files."""
