"""The source `github`: fetching over GitHub's GraphQL API, and facts from what was fetched.

Fetching only adds raw pages to a store; facts are a function of the store alone. `api` is the one module that meets
the network.
"""

from .api import Api
from .estimate import Estimate, estimate
from .fetch import fetch, fetched
from .server import VARIABLE, Server, delete, place, stores
from .source import GitHubSource, export
from .store import Store
from .tokens import Pool, Token, ask_gh, find_tokens

__all__ = [
    "VARIABLE",
    "Api",
    "Estimate",
    "GitHubSource",
    "Pool",
    "Server",
    "Store",
    "Token",
    "ask_gh",
    "delete",
    "estimate",
    "export",
    "fetch",
    "fetched",
    "find_tokens",
    "place",
    "stores",
]
