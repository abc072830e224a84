"""Run trials on one machine or a cluster, resumable; finished rows are stored at once."""
