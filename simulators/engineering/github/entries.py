"""A pull request as GitHub's API tells it, as an entry of a cache file, and as a fact.

One shape and one set of rules for both sources: what is impossible in a cache file is impossible here. What the API
knows beyond a cache file, ids and names of people, is put into the fact afterwards.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from seedjournal.journal import canonical_bytes

from ..cache.entry import NUL, PullRequestEntry, WrongField, read_entry
from ..cache.facts import pull_request as cached_pull_request
from ..facts import Person, PullRequest, Repository
from ..git.commit import person as git_person
from ..times import ImpossibleTimes

Node = Mapping[str, Any]
Logins = Mapping[int, str]

# Where an address holds a check run's number. The number in /actions/runs/ is the workflow run's, which jobs share.
_RUN = re.compile(r"(?:/job/|check_run_id=|(?<!/actions)/runs/)([1-9][0-9]{0,15})\b")


def entry(whole: Node, repo: Repository, logins: Logins) -> PullRequestEntry:
    """Return the entry of a cache file that says the same; raise WrongField for what is not as GitHub documents it.

    `logins` are the newest ones of accounts that were renamed, by id.
    """
    author = _actor(whole["author"], logins)
    try:
        raw = {
            "github_pr_id": whole["number"],
            "number": whole["number"],
            "github_repo": repo,
            "title": whole["title"],
            "body": whole["body"] or None,
            "state": whole["state"].lower(),
            "is_merged": whole["state"] == "MERGED",
            "is_draft": whole["isDraft"],
            "created_at": whole["createdAt"],
            "updated_at": whole["updatedAt"],
            "merged_at": whole["mergedAt"],
            "closed_at": whole["closedAt"],
            "additions": whole["additions"],
            "deletions": whole["deletions"],
            "changed_files": whole["changedFiles"],
            "commits_count": whole["commits_count"],
            "author_login": author.login if author else None,
            "author_id": (author and author.id) or 0,
            "author_name": author.name if author else None,
            "head_ref": whole["headRefName"],
            "base_ref": whole["baseRefName"],
            "labels": [label["name"] for label in whole["labels"]],
            "commits": [_commit(one["commit"], logins) for one in whole["commits"]],
            "reviews": [_review(one, logins) for one in whole["reviews"]],
            "files": [_file(one) for one in whole["files"]],
            "check_runs": [_check_run(one, number) for one, number in check_runs(whole)],
            "milestone_title": (whole["milestone"] or {}).get("title"),
            "assignees": [one["login"] for one in whole["assignees"]],
            "linked_issues": [_issue(one) for one in whole["linked_issues"]],
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise WrongField("", f"is not as GitHub documents it: {error!r}") from error
    text = msgspec.json.encode(raw)
    if NUL in text:  # no database holds one
        text = msgspec.json.encode(_without_nul(raw))
    return read_entry(msgspec.Raw(text))


def pull_request(whole: Node, repo: Repository, impossible: ImpossibleTimes, logins: Logins) -> PullRequest:
    """Return the fact, with impossible times counted; raise WrongField for the first thing that cannot be right."""
    fact = cached_pull_request(entry(whole, repo, logins), repo, impossible, times_may_lack=True)
    reviewers = {
        int(one["fullDatabaseId"]): _actor(one["author"], logins) for one in whole["reviews"] if one["fullDatabaseId"]
    }
    authors = {one["commit"]["oid"].lower(): _git_actor(one["commit"]["author"], logins) for one in whole["commits"]}
    return msgspec.structs.replace(
        fact,
        commits=tuple(msgspec.structs.replace(one, author=authors[one.sha]) for one in fact.commits),
        reviews=tuple(
            msgspec.structs.replace(one, reviewer=reviewers.get(one.id or 0, one.reviewer)) for one in fact.reviews
        ),
    )


def accounts(whole: Node) -> Iterator[tuple[int, str]]:
    """Yield the accounts that GitHub names in a pull request: id and login."""
    actors = [_actor(whole["author"], {}), *(_actor(one["author"], {}) for one in whole["reviews"])]
    users = [(one["commit"]["author"] or {}).get("user") for one in whole["commits"]]
    yield from ((one.id, one.login) for one in actors if one and one.id and one.login)
    yield from ((user["databaseId"], user["login"]) for user in users if user and user["databaseId"])


def check_runs(whole: Node) -> Iterator[tuple[Node, int]]:
    """Yield the check runs of a pull request, each with its number. Commit statuses are none.

    The number is in a field, or in the address; else it is derived from the head commit, address and name, and from
    which of those that agree in them it is: what stays the same while a check runs.
    """
    alike: Counter[tuple[str, str]] = Counter()
    for node in whole.get("check_runs", ()):
        if node["__typename"] != "CheckRun":
            continue
        number, link = node.get("databaseId"), node.get("permalink") or ""
        if not number:
            found = _RUN.search(link)
            number = found[1] if found else None
        if not number:
            place = (link, node["name"])
            text = canonical_bytes([whole["headRefOid"], *place, alike[place]])
            number = _derived(text)
            alike[place] += 1
        yield node, int(number)


def _derived(text: bytes) -> int:
    return (int.from_bytes(hashlib.sha256(b"seedjournal:check-run:1\n" + text).digest()[:8], "big") >> 11) or 1


def moment(text: str) -> datetime:
    """Return a time as the API writes it."""
    return msgspec.convert(text, datetime)


def _commit(node: Node, logins: Logins) -> Node:
    author = _git_actor(node["author"], logins)
    return {
        "sha": node["oid"],
        "message": node["message"].strip("\n"),
        "author_login": author.login if author else None,
        "author_name": author.name if author else None,
        "committed_at": node["committedDate"],
        "additions": node["additions"],
        "deletions": node["deletions"],
    }


def _review(node: Node, logins: Logins) -> Node:
    reviewer = _actor(node["author"], logins)
    return {
        "github_review_id": int(node["fullDatabaseId"] or 0),
        "reviewer_login": reviewer.login if reviewer else None,
        "state": node["state"].lower(),
        "submitted_at": node["submittedAt"],
        "body": node["body"] or None,
    }


def _file(node: Node) -> Node:
    return {
        "filename": node["path"],
        "status": node["changeType"].lower(),
        "additions": node["additions"],
        "deletions": node["deletions"],
    }


def _check_run(node: Node, number: int) -> Node:
    return {
        "github_id": number,
        "name": node["name"],
        "status": node["status"].lower(),
        "conclusion": node["conclusion"].lower() if node["conclusion"] else None,
        "started_at": node["startedAt"],
        "completed_at": node["completedAt"],
    }


def _issue(node: Node) -> int | str:
    """Return an issue's number, after its repository if that is another one."""
    if "repository" not in node:
        return int(node["number"])
    return f"{node['repository']['nameWithOwner']}#{node['number']}"


def _actor(node: Node | None, logins: Logins) -> Person | None:
    """Return the account, None for a deleted one. A program's login gets the ending that shows what it is."""
    if node is None:
        return None
    login = node["login"]
    if node["__typename"] == "Bot" and not login.endswith("[bot]"):
        login += "[bot]"
    number = node.get("databaseId") or None
    return Person(login=logins.get(number or 0, login), name=_name(node.get("name")), id=number)


def _git_actor(node: Node | None, logins: Logins) -> Person | None:
    """Return a commit's author: the account that GitHub knows, else that of the no-reply address, else the name."""
    if node is None:
        return None
    user = node["user"]
    if user is None:
        found = git_person(node["name"] or "", node["email"] or "")
        newest = logins.get(found.id or 0) if found else None
        return msgspec.structs.replace(found, login=newest) if found and newest else found
    number = user["databaseId"] or None
    return Person(login=logins.get(number or 0, user["login"]), name=_name(node["name"]), id=number)


def _name(text: str | None) -> str | None:
    return text if text and not text.isspace() else None


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {name: _without_nul(part) for name, part in value.items()}
    return [_without_nul(part) for part in value] if isinstance(value, list) else value
