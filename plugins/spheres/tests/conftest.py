import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # spheres_tasks.py
