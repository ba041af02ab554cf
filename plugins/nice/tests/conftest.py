import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "golden")]  # building.py, and explained.py that NICEx's environment shares
