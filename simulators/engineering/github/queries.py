"""The queries, and the connections of a pull request that they page through.

Each asks for `rateLimit`, which is null on servers without limits. A page of pull requests brings the first part of
every connection; what does not fit is asked for by itself. Nested connections have no connections in them, so that a
page costs (1 + 8 · pull requests) / 100 points.
"""

from __future__ import annotations

from dataclasses import dataclass

_LIMIT = "rateLimit { cost limit remaining resetAt }"
_PAGES = "totalCount pageInfo { hasNextPage endCursor }"

# GraphQL says of what type an actor is; REST and the web show a Bot's login with [bot] behind it.
_ACTOR = """
fragment Who on Actor {
  __typename
  login
  ... on User { databaseId name }
  ... on Bot { databaseId }
  ... on Mannequin { databaseId }
  ... on Organization { databaseId name }
  ... on EnterpriseUserAccount { name }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection of a pull request.

    `name` is the facts' word and `field` GraphQL's; `nodes` is what is asked of each; `first` is how many come with
    the pull request; `same` are the fields, by their paths, in which two nodes agree that are one.
    """

    name: str
    field: str
    nodes: str
    first: int
    same: tuple[str, ...]
    fragment: str = ""

    @property
    def inside(self) -> str:
        """The connection as part of a page of pull requests."""
        return f"{self.field}(first: {self.first}) @include(if: $parts) {{ {_PAGES} nodes {{ {self.nodes} }} }}"

    @property
    def query(self) -> str:
        """The connection by itself, from `$after` on."""
        return (
            f"query More($owner: String!, $name: String!, $id: ID!, $first: Int!, $after: String) {{ {_LIMIT} "
            f"repository(owner: $owner, name: $name) {{ id }} node(id: $id) {{ ... on PullRequest {{ "
            f"{self.field}(first: $first, after: $after) {{ {_PAGES} nodes {{ {self.nodes} }} }} }} }} }}"
            f"{self.fragment}"
        )


REVIEWS = Connection(
    name="reviews",
    field="reviews",
    nodes="fullDatabaseId state submittedAt body author { ...Who }",
    first=50,
    same=("fullDatabaseId",),
    fragment=_ACTOR,
)
COMMITS = Connection(
    name="commits",
    field="commits",
    nodes=(
        "commit { oid message committedDate additions deletions author { name email user { login databaseId name } } }"
    ),
    first=50,
    same=("commit.oid",),
)
FILES = Connection(name="files", field="files", nodes="path changeType additions deletions", first=100, same=("path",))
LABELS = Connection(name="labels", field="labels", nodes="name", first=20, same=("name",))
ASSIGNEES = Connection(name="assignees", field="assignees", nodes="login", first=20, same=("login",))
ISSUES = Connection(
    name="linked_issues",
    field="closingIssuesReferences",
    nodes="number repository { nameWithOwner }",
    first=20,
    same=("number", "repository.nameWithOwner"),
)

_CONTEXTS = f"""{_PAGES} nodes {{
  __typename
  ... on CheckRun {{ databaseId permalink name status conclusion startedAt completedAt }}
}}"""


@dataclass(frozen=True, slots=True)
class _CheckRuns(Connection):
    """The checks of the head commit: a connection of the commit, not of the pull request."""

    @property
    def inside(self) -> str:
        """The last commit, which mostly is the head, with its checks."""
        return (
            f"head: commits(last: 1) @include(if: $checks) {{ nodes {{ commit {{ oid statusCheckRollup {{ "
            f"contexts(first: {self.first}) {{ {self.nodes} }} }} }} }} }}"
        )

    @property
    def query(self) -> str:
        """The checks of the commit `$oid`, from `$after` on."""
        return (
            "query MoreChecks($owner: String!, $name: String!, $oid: GitObjectID!, $first: Int!, $after: String) { "
            f"{_LIMIT} repository(owner: $owner, name: $name) {{ object(oid: $oid) {{ ... on Commit {{ "
            f"statusCheckRollup {{ contexts(first: $first, after: $after) {{ {self.nodes} }} }} }} }} }} }}"
        )


CHECK_RUNS = _CheckRuns(
    name="check_runs", field="contexts", nodes=_CONTEXTS, first=50, same=("databaseId", "permalink")
)

CONNECTIONS = (REVIEWS, COMMITS, FILES, LABELS, ASSIGNEES, ISSUES, CHECK_RUNS)

_PULL_REQUEST = f"""
id number title body isDraft state createdAt updatedAt mergedAt closedAt additions deletions changedFiles
headRefName headRefOid baseRefName
author {{ ...Who }}
milestone {{ title }}
{" ".join(connection.inside for connection in CONNECTIONS)}
"""


def _pull_requests(name: str, declared: str, given: str) -> str:
    return f"""
query {name}($owner: String!, $name: String!, {declared}, $parts: Boolean!, $checks: Boolean!) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{
    id
    nameWithOwner
    pullRequests({given}, orderBy: {{field: UPDATED_AT, direction: ASC}}) {{
      totalCount
      pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
      edges {{ cursor node {{ {_PULL_REQUEST} }} }}
    }}
  }}
}}
{_ACTOR}"""


FORWARD = _pull_requests("Forward", "$first: Int!, $after: String", "first: $first, after: $after")
BACKWARD = _pull_requests("Backward", "$last: Int!, $before: String", "last: $last, before: $before")


def _bare(name: str, declared: str, given: str) -> str:
    return f"""
query {name}($owner: String!, $name: String!, {declared}) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{
    id
    nameWithOwner
    pullRequests({given}, orderBy: {{field: UPDATED_AT, direction: ASC}}) {{
      totalCount
      pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
      edges {{ cursor node {{ id number updatedAt }} }}
    }}
  }}
}}"""


# Which pull requests there are, and no more: what a server gives even of one that it cannot serve.
FORWARD_BARE = _bare("ForwardBare", "$first: Int!, $after: String", "first: $first, after: $after")
BACKWARD_BARE = _bare("BackwardBare", "$last: Int!, $before: String", "last: $last, before: $before")


def _again(name: str, declared: str, given: str) -> str:
    return f"""
query {name}($owner: String!, $name: String!, {declared}, $parts: Boolean!, $checks: Boolean!) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{ id nameWithOwner }}
  {given} {{ ... on PullRequest {{ {_PULL_REQUEST} }} }}
}}
{_ACTOR}"""


# Pull requests by themselves: those that did not come whole before.
AGAIN = _again("Again", "$id: ID!", "node(id: $id)")
AGAIN_MANY = _again("AgainMany", "$ids: [ID!]!", "nodes(ids: $ids)")

ESTIMATE = f"""
query Estimate($owner: String!, $name: String!, $search: String!) {{
  {_LIMIT}
  repository(owner: $owner, name: $name) {{ nameWithOwner pullRequests {{ totalCount }} }}
  search(query: $search, type: ISSUE, first: 1) {{ issueCount }}
}}"""
