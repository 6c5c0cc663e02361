"""`python -m mpc`: identities for a roster, a trial of it, programs and the dealer on real hosts.

A command loads what it needs itself, so that what is wrong with its arguments is told before torch is loaded.
"""

from __future__ import annotations

import hashlib
import runpy
import sys
from pathlib import Path
from typing import Annotated

try:
    import typer
except ModuleNotFoundError as error:
    sys.exit(f"error: {error}; the command line needs: pip install 'latticework[cli]'")

from mpc import INSTALL
from mpc.roster import Member, Roster, parse_address
from mpc.survival import Survival
from pqc import Identity, Listener
from pqc.cli.options import IdentityFile, Secret, load_identity, passphrase

PartiesFile = Annotated[Path, typer.Option("--parties", "-p", help="The roster, a TOML file.")]
CheckpointsFolder = Annotated[
    Path | None, typer.Option("--checkpoints", help="A folder of this party's own, to survive a crash.")
]
Comparison = Annotated[
    str,
    typer.Option(
        "--comparison",
        help="tree (few bytes), dcf (one round, two parties), or LATENCY_S,BYTES_PER_S to choose by cost.",
    ),
]
Sharing = Annotated[
    str, typer.Option("--sharing", help="additive, or replicated: three parties and no dealer.")
]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds to wait for a silent member.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The organisation's name in the roster.")],
    address: Annotated[str, typer.Option("--address", help="HOST:PORT where it will listen.")],
    dealer: Annotated[bool, typer.Option("--dealer", help="It deals randomness and sees no data.")] = False,
    secret: Secret = None,
) -> None:
    """Make NAME.identity, and show the block that goes into everybody's roster file."""
    where = parse_address(address)
    identity = Identity.create(name)
    path = Path(f"{name}.identity")
    identity.save(path, passphrase=passphrase(secret, new=True))
    typer.echo(f"{path} holds the identity; tell the others this by a way on which you recognise each other:")
    typer.echo(Member(name, identity.fingerprint, where).to_toml("dealer" if dealer else "parties"))


@app.command()
def check(
    identity: IdentityFile, parties: PartiesFile, timeout: Timeout = 60.0, secret: Secret = None
) -> None:
    """Connect to all members, who run this too, and compare rosters, versions and clocks."""
    from mpc.check import check as check_roster

    me, roster = load_identity(identity, secret), Roster.load(parties)
    with _listen(me, roster) as listener:
        reports = check_roster(me, listener, roster, timeout)
    for report in reports:
        verdict = "; ".join(report.problems) or "agrees"
        typer.echo(f"{report.name}: {report.round_trip_s * 1e3:.1f} ms, {verdict}")
    if any(report.problems for report in reports):
        raise typer.Exit(1)


@app.command()
def run(
    program: Annotated[Path, typer.Argument(help="A Python file with a function program(party).")],
    identity: IdentityFile,
    parties: PartiesFile,
    timeout: Timeout = 60.0,
    secret: Secret = None,
    checkpoints: CheckpointsFolder = None,
    every: Annotated[int, typer.Option("--every", help="Steps from one checkpoint to the next.")] = 10,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints there.")] = False,
    comparison: Comparison = "tree",
    sharing: Sharing = "additive",
) -> None:
    """Run program(party) from a file, which must be the same at all parties, and show what it returns."""
    me, roster = load_identity(identity, secret), Roster.load(parties)
    source = program.read_bytes()
    function = runpy.run_path(str(program), run_name="mpc_program").get("program")
    if not callable(function):
        raise ValueError(f"{program} defines no function program(party)")
    if resume and checkpoints is None:
        raise ValueError("--resume needs --checkpoints, the folder with the checkpoints to go on from")
    survival = None if checkpoints is None else Survival(checkpoints, every, resume)
    from mpc.choice import Comparing
    from mpc.party import Party
    from mpc.sharing import checked, opening

    parties_opening = opening(checked(sharing, len(roster.parties)), len(roster.parties))
    method = Comparing.from_text(comparison, parties_opening).method
    digest = hashlib.sha256(source).hexdigest()
    with _listen(me, roster) as listener:
        party = Party.join(me, listener, roster, timeout, program=digest, comparison=method, sharing=sharing)
    party.survival = survival
    try:
        result = function(party)
    except BaseException:
        party.abandon()
        raise
    party.leave()
    typer.echo(result)


@app.command()
def dealer(
    identity: IdentityFile, parties: PartiesFile, timeout: Timeout = 60.0, secret: Secret = None
) -> None:
    """Deal randomness for one computation of the roster's parties."""
    from mpc.party import deal

    me, roster = load_identity(identity, secret), Roster.load(parties)
    with _listen(me, roster) as listener:
        deal(me, listener, roster, timeout)


def _listen(identity: Identity, roster: Roster) -> Listener:
    host, port = roster.member(identity.name).address
    return Listener(identity, roster.trust(), host, port)


def main() -> None:
    """Run it; what the user can put right is told in one line, with exit status 1."""
    try:
        app(prog_name="python -m mpc")
    except ModuleNotFoundError as error:
        hint = f"; {INSTALL}" if error.name else ""  # without a name it says already what to install
        sys.exit(f"error: {error}{hint}")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
