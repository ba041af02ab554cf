import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "golden")]  # nice_tasks.py, and nice_tables.py that NICEx's environment shares
