"""Makes the paper authors' code importable: FROG_DIR is a checkout of github.com/Helmholtz-AI-Energy/frog.

Modules that it imports and a training step never calls are replaced by empty ones where they are not installed.
"""
import importlib.machinery
import importlib.util
import os
import sys
import types
from unittest.mock import MagicMock

unused = ("einops", "einops.layers", "einops.layers.torch", "pandas", "prefixed", "tqdm")
for name in [name for name in unused if importlib.util.find_spec(name.split(".")[0]) is None]:
    module = types.ModuleType(name)
    module.__getattr__ = lambda attribute: MagicMock()
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    sys.modules[name] = module
sys.path.insert(0, os.environ["FROG_DIR"])
