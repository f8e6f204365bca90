"""The application: commands, composition of settings, demo, simulation, bench."""

__version__ = "0.1.0"
