"""The built-in projects: real open-source teams, and the rates that their data is simulated with."""

from __future__ import annotations

from typing import Any

# name: repositories, team, Jira key, AI adoption, survey response, industry
_PROJECTS: dict[str, tuple[tuple[str, ...], str, str, float, float, str]] = {
    "twenty": (("twentyhq/twenty",), "Twenty CRM", "TWENTY", 0.45, 0.55, "crm"),
    "novu": (("novuhq/novu",), "Novu", "NOVU", 0.50, 0.55, "communication"),
    "hoppscotch": (("hoppscotch/hoppscotch",), "Hoppscotch", "HOPP", 0.40, 0.50, "devops"),
    "plane": (("makeplane/plane",), "Plane", "PLANE", 0.45, 0.55, "project_mgmt"),
    "documenso": (("documenso/documenso",), "Documenso", "DOCS", 0.50, 0.55, "scheduling"),
    "coolify": (("coollabsio/coolify",), "Coolify", "COOL", 0.45, 0.55, "devops"),
    "infisical": (("Infisical/infisical",), "Infisical", "INFI", 0.45, 0.55, "identity"),
    "dub": (("dubinc/dub",), "Dub", "DUB", 0.50, 0.55, "devops"),
    "lago": (("getlago/lago",), "Lago", "LAGO", 0.45, 0.55, "billing"),
    "formbricks": (("formbricks/formbricks",), "Formbricks", "FORM", 0.50, 0.60, "forms"),
    "compai": (("trycompai/comp",), "Comp AI", "COMP", 0.70, 0.60, "identity"),
    "antiwork": (
        ("antiwork/gumroad", "antiwork/flexile", "antiwork/helper"),
        "Antiwork",
        "ANTI",
        0.50,
        0.70,
        "ecommerce",
    ),
    "polar": (
        ("polarsource/polar", "polarsource/polar-adapters", "polarsource/polar-python", "polarsource/polar-js"),
        "Polar.sh",
        "POLAR",
        0.45,
        0.60,
        "billing",
    ),
    "posthog": (
        ("PostHog/posthog", "PostHog/posthog.com", "PostHog/posthog-js", "PostHog/posthog-python"),
        "PostHog Analytics",
        "POST",
        0.40,
        0.65,
        "analytics",
    ),
    "fastapi": (("fastapi/fastapi",), "FastAPI Team", "FAST", 0.30, 0.55, "devops"),
    "anthropic": (
        ("anthropics/anthropic-cookbook", "anthropics/anthropic-sdk-python", "anthropics/courses"),
        "Anthropic",
        "ANTH",
        0.80,
        0.50,
        "ai_llm",
    ),
    "langchain": (("langchain-ai/langchain", "langchain-ai/langchainjs"), "LangChain", "LANG", 0.60, 0.50, "ai_llm"),
    "calcom": (("calcom/cal.com",), "Cal.com", "CAL", 0.35, 0.55, "scheduling"),
    "trigger": (("triggerdotdev/trigger.dev",), "Trigger.dev", "TRIG", 0.40, 0.55, "automation"),
    "vercel": (("vercel/ai", "vercel/next.js", "vercel/vercel"), "Vercel", "VERC", 0.45, 0.55, "devops"),
    "supabase": (
        ("supabase/supabase", "supabase/realtime", "supabase/supabase-js"),
        "Supabase",
        "SUPA",
        0.40,
        0.55,
        "baas",
    ),
    "linear": (("linearapp/linear",), "Linear", "LIN", 0.45, 0.60, "project_mgmt"),
    "resend": (("resend/resend-node", "resend/react-email"), "Resend", "RSND", 0.35, 0.55, "communication"),
    "deno": (("denoland/deno", "denoland/fresh"), "Deno", "DENO", 0.30, 0.50, "devops"),
    "neon": (("neondatabase/neon", "neondatabase/serverless"), "Neon", "NEON", 0.35, 0.55, "database"),
}

REGISTRY: dict[str, dict[str, Any]] = {
    name: {
        "repos": list(repos),
        "team_name": team,
        "jira_project_key": jira,
        "ai_base_adoption_rate": adoption,
        "survey_response_rate": response,
        "industry": industry,
    }
    for name, (repos, team, jira, adoption, response, industry) in _PROJECTS.items()
}
