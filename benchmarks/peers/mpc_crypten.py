"""Plain CrypTen's training steps between two local parties; INSECURE: its dealer is party 0 itself."""

from benchmarks.peers import steps
from benchmarks.peers.worker import serve
from benchmarks.plain_crypten import run_plain

if __name__ == "__main__":
    serve(lambda case: steps.set_up(case, run_plain, "INSECURE: party 0 itself, traffic in the clear"))
