"""What every part builds on: names, configs, errors, files, randomness, the console, memory."""
