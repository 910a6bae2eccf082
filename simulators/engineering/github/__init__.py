"""The source `github`: fetching over GitHub's GraphQL API, and facts from what was fetched.

Fetching only adds raw pages to a store; facts are a function of the store alone. `api` is the one module that meets
the network.
"""

from .api import Api
from .estimate import Estimate, estimate
from .export import export
from .fetch import fetch, fetched
from .places import delete, place, stores
from .server import VARIABLE, Server
from .source import GitHubSource
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
