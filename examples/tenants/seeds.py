"""An application of several tenants, who share users and plans. `seedjournal record --project acme`, or `--all`."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from seedjournal import All, Domain, Draw, Its, Kind, Places, Run, Size, by, csv


class Plan(Kind, key="code"):  # shared by all tenants, as its key does not begin with one
    code: str
    price: Annotated[Decimal, Places(2)]


class User(Kind, key="email"):
    email: str
    name: str


class Tenant(Kind, key="slug"):  # the root: a project is one tenant
    slug: str
    name: str
    plan: Plan


class Member(Kind, key=("tenant", "user")):  # many to many
    tenant: Tenant
    user: User
    role: Literal["owner", "editor", "viewer"]


class Folder(Kind, key=("tenant", "code")):  # a tree
    tenant: Tenant
    code: str
    name: Annotated[str, Size(80)]
    inside: "Folder | None"


class Task(Kind, key=("tenant", "number")):
    tenant: Tenant
    number: int
    folder: Folder
    assignee: Member | None
    title: str
    opened_at: datetime


class Label(Kind, key=("tenant", "name")):
    tenant: Tenant
    name: str


class TaskLabel(Kind, key=("task", "label")):  # many to many within a tenant
    task: Task
    label: Label


class Comment(Kind, key=("tenant", "code")):
    tenant: Tenant
    code: str
    author: Member
    target: Task | Folder  # a generic reference
    text: str
    at: datetime


class TaskTotal(Kind, key="task", part_of=Task):  # more columns of the task's own row
    task: Task
    comments: int = 0
    labels: int = 0
    last_comment: Comment | None = None


class FolderTotal(Kind, key="folder", part_of=Folder):
    folder: Folder
    tasks: int = 0
    folders: int = 0


tenants = Domain(
    "tenants",
    root=Tenant,
    kinds=(Plan, User, Tenant, Member, Folder, Task, Label, TaskLabel, Comment, TaskTotal, FolderTotal),
    settings={"members": 6, "folders": 8, "tasks": 30, "comments": 3},
    today=date(2026, 1, 5),
)
tenants.facts(Plan, [Plan(code="free", price=Decimal(0)), Plan(code="team", price=Decimal(49))])
tenants.facts(User, csv("users.csv"))
tenants.facts(Tenant, csv("tenants.csv"))


@tenants.simulate()
def users(draw: Draw) -> Iterator[User]:
    for one in draw.many("users", 40):
        yield User(email=one.email("email"), name=one.name("name"))


@tenants.simulate(each=Tenant)
def members(tenant: Tenant, users: All[User], draw: Draw, settings: dict[str, int]) -> Iterator[Member]:
    for user in draw.sample("members", users, settings["members"]):
        yield Member(
            tenant=tenant,
            user=user,
            role=draw.of(tenant, user).choose("role", {"owner": 1, "editor": 3, "viewer": 2}),
        )


@tenants.simulate(each=Tenant)
def folders(tenant: Tenant, draw: Draw, settings: dict[str, int]) -> Iterator[Folder]:
    made: list[Folder] = []
    for one in draw.many("folders", settings["folders"]):
        inside = one.pick("inside", made) if made and one.chance("is_inside", 0.7) else None
        made.append(Folder(tenant=tenant, code=one.code("code", 6), name=one.word("name"), inside=inside))
        yield made[-1]


@tenants.simulate(each=Tenant)
def labels(tenant: Tenant) -> Iterator[Label]:
    for name in ("bug", "idea", "later"):
        yield Label(tenant=tenant, name=name)


@tenants.simulate(each=Tenant)
def tasks(
    tenant: Tenant, folders: All[Folder], members: All[Member], draw: Draw, settings: dict[str, int], run: Run
) -> Iterator[Task]:
    for number, one in enumerate(draw.many("tasks", settings["tasks"]), 1):
        yield Task(
            tenant=tenant,
            number=number,
            folder=one.pick("folder", folders),
            assignee=one.pick("assignee", members) if one.chance("is_assigned", 0.8) else None,
            title=one.sentence("title"),
            opened_at=one.instant("opened_at", date(2025, 1, 1), run.today, working_hours=True),
        )


@tenants.simulate(each=Task)
def task_labels(task: Task, labels: All[Label], draw: Draw) -> Iterator[TaskLabel]:
    for label in draw.sample("labels", labels, draw.integer("how many", 0, 2)):
        yield TaskLabel(task=task, label=label)


@tenants.simulate(each=Task)
def comments_on_tasks(
    task: Task, members: All[Member], draw: Draw, settings: dict[str, int], run: Run
) -> Iterator[Comment]:
    for one in draw.many("comments", 0, settings["comments"]):
        yield Comment(
            tenant=task.tenant,
            code=one.code("code", 10),
            author=one.pick("author", members),
            target=task,
            text=one.sentence("text"),
            at=one.instant("at", task.opened_at, run.today),
        )


@tenants.simulate(each=Folder)
def comments_on_folders(folder: Folder, members: All[Member], draw: Draw, run: Run) -> Iterator[Comment]:
    if draw.chance("is_commented", 0.3):
        yield Comment(
            tenant=folder.tenant,
            code=draw.code("code", 10),
            author=draw.pick("author", members),
            target=folder,
            text=draw.sentence("text"),
            at=draw.instant("at", date(2025, 1, 1), run.today),
        )


@tenants.simulate(each=Task)
def task_totals(task: Task, labels: Its[TaskLabel], comments: Its[Comment] = by("at")) -> Iterator[TaskTotal]:
    if labels or comments:
        last = comments[-1] if comments else None
        yield TaskTotal(task=task, comments=len(comments), labels=len(labels), last_comment=last)


@tenants.simulate(each=Folder)
def folder_totals(folder: Folder, tasks: Its[Task], inside: Its[Folder] = by(of="inside")) -> Iterator[FolderTotal]:
    yield FolderTotal(folder=folder, tasks=len(tasks), folders=len(inside))
