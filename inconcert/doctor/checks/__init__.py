"""The checks of `inconcert doctor`: one file each, found by being here."""
