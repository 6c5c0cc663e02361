"""`python -m pqc`: keys, envelopes, signatures and test channels from the command line."""

import sys

try:
    from pqc.cli import main
except ModuleNotFoundError as error:
    sys.exit(f"error: {error}; the command line needs: pip install 'latticework[cli]'")

main()
