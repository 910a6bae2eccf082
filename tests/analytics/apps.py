"""The Django application of the tests."""

from django.apps import AppConfig


class Metrics(AppConfig):
    """Dashboards of engineering metrics."""

    name = "tests.analytics"
    label = "metrics"
    default_auto_field = "django.db.models.BigAutoField"
