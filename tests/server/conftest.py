"""The fixtures are in fixtures.py, since the layer clients has the same."""
from fixtures import *  # noqa: F401,F403
