"""Shared by all parts: names, configs, errors, files, randomness, console, memory."""
