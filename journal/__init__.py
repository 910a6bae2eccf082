"""The append-only store of seed events. Knows no domain, no Faker, no command line.

The names below are the room's front door; everything else is its own business.
"""

from .batches import batched
from .changes import Change, changes, event_texts, key_of
from .diff import CHANGES, EntityChange, compare, last_different
from .errors import (
    BadInput,
    Busy,
    ChangedByUpgrade,
    Damaged,
    Misuse,
    NotCanonical,
    SeedJournalError,
    TwoEventsOneKey,
    Unavailable,
    WrongSchema,
)
from .event import (
    Canonical,
    Data,
    Event,
    Json,
    Key,
    KeyBytes,
    canonical_bytes,
    canonical_key,
    decode,
    encode,
    hash_event,
)
from .fold import Policy
from .forget import Forgettable, forget, measure, runs_before_newest
from .forgotten import Forgetting, forgettings, forgotten_runs
from .history import Stated, history
from .manifest import NodeHash, Root, Subtree
from .runs import (
    Inputs,
    Run,
    RunNumber,
    all_runs,
    before,
    changed_inputs,
    find_run,
    newest,
    newest_of_each,
    numbered,
    stored_seals,
)
from .sealing import Sealed, last_run, record, reuse, would_change
from .spool import Spool, room_in_the_temporary_folder
from .store.contents import Content, contents, journal_id, provenance, read_manifest
from .store.database import DEFAULT_WAIT, Database, open_database
from .store.dialects import verbs
from .store.schema import JOURNAL as JOURNAL_HISTORY
from .store.schema import History, ensure, is_present, is_ready, migrate, run_migrations
from .verify import Finding, count_events, verify
from .vocabulary import (
    ENGINEERING,
    Field,
    Kind,
    Reference,
    Type,
    Vocabulary,
    referred_key,
)

__all__ = [
    "CHANGES",
    "DEFAULT_WAIT",
    "ENGINEERING",
    "JOURNAL_HISTORY",
    "BadInput",
    "Busy",
    "Canonical",
    "Change",
    "ChangedByUpgrade",
    "Content",
    "Damaged",
    "Data",
    "Database",
    "EntityChange",
    "Event",
    "Field",
    "Finding",
    "Forgettable",
    "Forgetting",
    "History",
    "Inputs",
    "Json",
    "Key",
    "KeyBytes",
    "Kind",
    "Misuse",
    "NodeHash",
    "NotCanonical",
    "Policy",
    "Reference",
    "Root",
    "Run",
    "RunNumber",
    "Sealed",
    "SeedJournalError",
    "Spool",
    "Stated",
    "Subtree",
    "TwoEventsOneKey",
    "Type",
    "Unavailable",
    "Vocabulary",
    "WrongSchema",
    "all_runs",
    "batched",
    "before",
    "canonical_bytes",
    "canonical_key",
    "changed_inputs",
    "changes",
    "compare",
    "contents",
    "count_events",
    "decode",
    "encode",
    "ensure",
    "event_texts",
    "find_run",
    "forget",
    "forgettings",
    "forgotten_runs",
    "hash_event",
    "history",
    "is_present",
    "is_ready",
    "journal_id",
    "key_of",
    "last_different",
    "last_run",
    "measure",
    "migrate",
    "newest",
    "newest_of_each",
    "numbered",
    "open_database",
    "provenance",
    "read_manifest",
    "record",
    "referred_key",
    "reuse",
    "room_in_the_temporary_folder",
    "run_migrations",
    "runs_before_newest",
    "stored_seals",
    "verbs",
    "verify",
    "would_change",
]
