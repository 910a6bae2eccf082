"""Signs in text: AI tools, Jira keys, reverts and hotfixes.

One pattern table each, all of them case-insensitive but for Jira keys, whose shape is upper case. Texts are anybody's:
what repeats is bounded wherever it could be divided in many ways, so that every text ends soon.
"""

from __future__ import annotations

import re
from functools import lru_cache

# What follows a word that is no tool: a family name after a first name, a noun after a cursor of text or of a table.
_NO_FAMILY_NAME = r"(?!\s+(?-i:[A-Z][a-z]))"
_NO_NOUN = (
    r"(?!\s*[:=(]|\s+(?!(?:and|as|assisted|authored|because|but|for|generated|i|in|my|on|or|so|that|the|then|this|to"
    r"|via|when|which|while|with|written)\b)\w)"
)

# Tool -> its name as people write it in prose.
_TOOLS: dict[str, str] = {
    "aider": r"aider",
    "amp": r"amp\s?code|sourcegraph\s+amp",
    "chatgpt": r"chat\s?gpt|gpt-?[345][\w.-]*",
    "claude": r"claude(?:[ -]?(?:code|opus|sonnet|haiku|ai)|(?:[ -]\w{1,30})?[ -]?\d[\d.]{0,9}){1,4}|claude"
    + _NO_FAMILY_NAME,
    "codeium": r"codeium",
    "codex": r"(?:openai\s+)?codex(?:[ -](?:agent|cli))?",
    "cody": r"sourcegraph\s+cody|cody" + _NO_FAMILY_NAME,
    "copilot": r"(?:github\s+)?copilot(?:[ -](?:chat|workspace|(?:swe[ -])?agent))?",
    "cursor": r"cursor[ -]?(?:ai|agent|ide|composer)|cursor" + _NO_NOUN,
    "devin": r"devin[ .-]?ai|devin" + _NO_FAMILY_NAME,
    "gemini": r"(?:google\s+)?gemini(?:[ -](?:cli|code assist|pro|flash|\d[\d.]*))*",
    "jules": r"google\s+jules|jules" + _NO_FAMILY_NAME,
    "openhands": r"open\s?hands",
    "replit": r"replit\s+(?:agent|ai)",
    "tabnine": r"tabnine",
    "windsurf": r"windsurf",
}

# A trailer's name that is a tool, whatever address stands behind it: no person is called so.
_CO_AUTHORS: dict[str, str] = {
    "aider": r"aider(?:\s*\(.*\))?",
    "amp": r"amp",
    "chatgpt": r"chat\s?gpt.*",
    "claude": r"claude(?:[ -](?:code|opus|sonnet|haiku|ai|agent|bot|\(.*\))|(?:[ -]\w{1,30})?[ -]\d[\d.]{0,9}){1,4}"
    r"(?:\[bot\])?|claude\[bot\]",
    "codex": r"(?:openai\s+)?codex(?:[ -](?:agent|cli|bot))?(?:\[bot\])?",
    "coderabbit": r"coderabbit(?:ai)?(?:\[bot\])?",
    "cody": r"sourcegraph\s+cody|cody[ -]ai",
    "copilot": r"(?:github\s+)?copilot(?:[ -](?:chat|workspace|agent|autofix.*|swe-agent))?(?:\[bot\])?",
    "cubic": r"cubic[ -]dev[ -]ai(?:\[bot\])?",
    "cursor": r"cursor(?:[ -]?(?:ai|agent))?(?:\[bot\])?",
    "devin": r"devin[ -]ai.*",
    "gemini": r"(?:google\s+)?gemini(?:[ -](?:cli|code[ -]assist|pro|flash|\d[\d.]*))*(?:\[bot\])?"
    r"|gemini-code-assist.*",
    "jules": r"google[ -]labs[ -]jules(?:\[bot\])?",
    "openhands": r"open\s?hands.*",
    "windsurf": r"windsurf(?:\s.*)?",
}
# A whole trailer that is a tool: an address that only it has, or a first name without the address of a person.
_WHOLE_CO_AUTHORS: dict[str, str] = {
    "aider": r".*<[^>]*@aider\.chat>",
    "amp": r".*<amp@ampcode\.com>",
    "claude": r"claude(?:\s*<(?:\d+\+)?claude@[^>]*>)?|.*<noreply@anthropic\.com>",
    "codex": r".*<[^>]*codex@openai\.com>",
    "cody": r"cody",
    "copilot": r".*<[^>]*\+copilot@users\.noreply\.github\.com>",
    "cursor": r".*<cursoragent@cursor\.com>",
    "devin": r".*devin-ai-integration.*",
}

_MADE = r"(?:generated|written|authored|created|made|built|coded|drafted|assisted|implemented|produced|refactored)"
_PHRASES = {
    tool: re.compile(
        rf"\b{_MADE}\s+(?:\w+\s+){{0,2}}?(?:with|by|using|via)\s+(?:the\s+)?(?:help\s+(?:of|from)\s+)?[\[@*_`]*(?:{name})(?!-?\w)"
        rf"|\b(?:{name})[ -](?:generated|assisted|written|authored)\b"
        rf"|\bwith\s+(?:the\s+)?(?:help|assistance)\s+(?:of|from)\s+[\[@*_`]*(?:{name})(?!-?\w)"
        rf"|\b(?:used|asked|prompted)\s+[\[@*_`]*(?:{name})\s+(?:to|for)\b",
        re.IGNORECASE,
    )
    for tool, name in _TOOLS.items()
}
_LONGEST_TRAILER = 400  # a name and an address
_TRAILER = re.compile(r"^[ \t]*co-authored-by:(.+)$", re.IGNORECASE | re.MULTILINE)
_CO_AUTHOR_NAMES = {tool: re.compile(name, re.IGNORECASE) for tool, name in _CO_AUTHORS.items()}
_CO_AUTHOR_TRAILERS = {tool: re.compile(trailer, re.IGNORECASE) for tool, trailer in _WHOLE_CO_AUTHORS.items()}
_LONGEST_TEXT = 70_000  # GitHub's own texts end at 65,536
_SENTENCE = re.compile(r"[.!?](?=\s)|\n+")
_NEGATION = re.compile(  # a box of a form that nobody ticked is one too
    r"\b(?:no|not|never|without|neither|nor|none|zero|non|cannot|rather than|instead of|didnt|wasnt|isnt)\b"
    r"|\b\w+n['\u2019]t\b|\[ \]",
    re.IGNORECASE,
)
_ANY_TOOL = re.compile("|".join(_TOOLS.values()), re.IGNORECASE)
# A part of each name in _TOOLS, folded: most texts have none of them, and that is found out much faster so.
_PARTS_OF_NAMES = (
    *("aider", "amp", "claude", "code", "cody", "copilot", "cursor", "devin"),
    *("gemini", "gpt", "hands", "jules", "replit", "tabnine", "windsurf"),
)
_DOTS = str.maketrans("\u0130\u0131", "ii")  # which casefold leaves apart

# Upper-case word, dash, number: also the shape of these, which are nobody's Jira project.
_NOT_JIRA = frozenset(
    """
    AES AGPL ANSI APACHE ARM ASCII ASVS BASE BCP BIP BLAKE BSD CAPEC CIS CLAUDE COVID CP CRC CSS CVE CVSS CWE DDR
    DES DIN DSA ECMA EIP EN ERC ES EUI FIPS GB GEMINI GH GHSA GMT GPL GPT HMAC HTML HTTP HTTPS IEC IEEE IETF INET IP
    IPV ISBN ISO ISSN ITU JEP JIS JLS JSR KOI8 LATIN LGPL LLAMA LTS MD MIME MIPS MIT MP MPL NFC NIST OWASP PEP PKCS
    POSIX PR PS PSR PYSEC RC RFC RIPEMD RS RSA RUSTSEC SHA SHA1 SHA2 SHA3 SOC SSL STD TLS UAX UCS USB USN UTC UTF
    UTS VT WCAG WIN WINDOWS WPA WTF X509 XML XXH
    """.split()
)
_JIRA_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?<![A-Z0-9][_-])([A-Z][A-Z0-9]{1,99})-([0-9]{1,9})(?![A-Za-z0-9]|-[0-9]|\.[0-9])"
)
_REVERT = re.compile(r"\s*revert(?:s|ed|ing)?\b|.*\brevert\s+[\"“']|.*\brevert(?:\([^)]{0,100}\))?!?:", re.IGNORECASE)
_HOTFIX = re.compile(r"(?<![a-z0-9])hotfix(?![a-z0-9])", re.IGNORECASE)


def ai_co_authors(message: str) -> list[str]:
    r"""Return the AI tools that a commit message's Co-authored-by trailers name, sorted.

    >>> ai_co_authors("Add x\n\nCo-Authored-By: Claude <noreply@anthropic.com>")
    ['claude']
    """
    found: set[str] = set()
    for trailer in _TRAILER.findall(message):
        found.update(_tools_of(trailer.strip()[:_LONGEST_TRAILER]))
    return sorted(found)


@lru_cache(maxsize=4096)
def _tools_of(trailer: str) -> tuple[str, ...]:
    name = trailer.partition("<")[0].strip()
    return (
        *(tool for tool, pattern in _CO_AUTHOR_NAMES.items() if pattern.fullmatch(name)),
        *(tool for tool, pattern in _CO_AUTHOR_TRAILERS.items() if pattern.fullmatch(trailer)),
    )


def ai_tools(text: str) -> list[str]:
    """Return the AI tools that prose says were used, sorted; skip a sentence that denies it.

    >>> ai_tools("Written with Copilot"), ai_tools("Not written with Copilot")
    (['copilot'], [])
    """
    text = text[:_LONGEST_TEXT]
    folded = _folded(text)
    if not any(part in folded for part in _PARTS_OF_NAMES) or not _ANY_TOOL.search(text):
        return []
    found: set[str] = set()
    for sentence in _SENTENCE.split(text):
        if _ANY_TOOL.search(sentence) and not _NEGATION.search(sentence):
            found.update(tool for tool, phrase in _PHRASES.items() if phrase.search(sentence))
    return sorted(found)


def jira_key(*texts: str | None) -> str | None:
    """Return the first Jira key in the first text that has one.

    >>> jira_key("Use UTF-8 [DOC-296]", None)
    'DOC-296'
    """
    for text in texts:
        for match in _JIRA_KEY.finditer(text or ""):
            if match[1] not in _NOT_JIRA:
                return match[0]
    return None


def is_revert(title: str) -> bool:
    """Return whether a title says that it reverts something."""
    return "revert" in _folded(title) and _REVERT.match(title) is not None


def is_hotfix(title: str, branch: str | None) -> bool:
    """Return whether title or branch has hotfix as a word."""
    return any("hotfix" in _folded(text) and _HOTFIX.search(text) for text in (title, branch or ""))


def _folded(text: str) -> str:
    """Return the text in lower case, so that a plain search finds each word that a search without case would find."""
    return text.lower() if text.isascii() else text.translate(_DOTS).casefold()
