"""The same world as the server layer's, for real RADIUS clients."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "server"))

from fixtures import *  # noqa: E402,F401,F403
