"""For all tests: no time limit on one example, which measures the machine and not the code."""

from hypothesis import settings

settings.register_profile("project", deadline=None)
settings.load_profile("project")
