"""Policy, cases and the log. Its rules come with the review queue."""
