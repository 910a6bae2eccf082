"""Who somebody is: the key that a person goes by, and whether it is a person at all."""

from __future__ import annotations

from .facts import Person, key_text

# Automation that runs under plain logins. Compared in lower case.
_KNOWN_BOTS = frozenset(
    """
    actions-user allcontributors autofix-ci bors claude codecov codecov-commenter codecov-io copilot coveralls
    crowdin cla-assistant cursor-agent cursoragent dependabot dependabot-preview deepsource-autofix fossabot
    github-action github-actions googlebot gitguardian gitlocalize-app graphite-app greenkeeper imgbot imgbotapp
    k8s-ci-robot kodiakhq linear lgtm-com mergify mintlify netlify percy pre-commit-ci pre-commit-ci-lite pyup-bot
    renovate restyled-io sentry-io snyk sonarcloud stale sweep-ai transifex-integration vercel web-flow weblate
    whitesource-renovate
    """.split()
)

# Review services: login in lower case, without its bot ending where no person could bear the name, to the type that is
# recorded.
_AI_REVIEWERS = {
    "chatgpt-codex-connector": "codex",
    "claude[bot]": "claude",
    "codeant-ai": "codeant",
    "coderabbit": "coderabbit",
    "coderabbitai": "coderabbit",
    "codium-pr-agent": "qodo",
    "codiumai-pr-agent": "qodo",
    "copilot": "copilot",
    "copilot-pull-request-reviewer": "copilot",
    "cubic-dev-ai": "cubic",
    "cursor[bot]": "cursor",
    "devin-ai-integration": "devin",
    "ellipsis-dev": "ellipsis",
    "gemini-code-assist": "gemini",
    "greptile-apps": "greptile",
    "korbit-ai": "korbit",
    "qodo-merge-pro": "qodo",
    "sourcery-ai": "sourcery",
    "sweep-ai": "sweep",
}


def key_of(person: Person | None) -> str | None:
    """Return a person's key: the login in lower case, else `name:` and the name in lower case; None for nobody.

    It depends on nothing but the one record: what a later record knows, an id say, never moves it.
    """
    if person is None:
        return None
    if person.login:
        return key_text(person.login.lower())
    return key_text(f"name:{person.name.strip().lower()}") if person.name and person.name.strip() else None


def are_one(one: Person | None, other: Person | None) -> bool:
    """Return whether both are known to be the same account or person, under two logins too."""
    if one is None or other is None:
        return False
    return key_of(one) == key_of(other) or (one.id is not None and one.id == other.id)


def is_bot(key: str) -> bool:
    """Return whether a login belongs to a program.

    >>> is_bot("dependabot[bot]"), is_bot("elia-bottos")
    (True, False)
    """
    return key.endswith(("[bot]", "-bot")) or key in _KNOWN_BOTS or key in _AI_REVIEWERS


def ai_reviewer(key: str) -> str | None:
    """Return the type of an AI review service, None for people and other programs.

    >>> ai_reviewer("coderabbitai[bot]")
    'coderabbit'
    """
    return _AI_REVIEWERS.get(key) or _AI_REVIEWERS.get(key.removesuffix("[bot]").removesuffix("-bot"))
