"""What people look at: plots and printed findings."""
