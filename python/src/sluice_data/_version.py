"""The version of the package: that of the Cargo workspace, which a test compares."""

__version__ = "0.1.0"
