"""One file a command: `inconcert/commands/NAME.py` defines `command`; its name is the file's.

Keep module-level imports light (click, `inconcert.*`): `--help` and commands that do not
compute must start in under 0.4 s. Polars and all that computes is imported inside functions.
"""
