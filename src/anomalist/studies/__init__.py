"""Studies: many trials, run in any order, anywhere, resumable; the rows are all there is."""
