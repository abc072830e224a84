"""Statistics of stored rows: means over seeds, paired comparisons, leaderboards, costs."""
