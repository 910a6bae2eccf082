"""The version of seedjournal that is installed."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("seedjournal")
except PackageNotFoundError:
    VERSION = "0+checkout"
