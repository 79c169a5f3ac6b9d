"""Each fault: what it is called, how often it is made, what it does to a sweep and how a user recovers."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from ..place import results
from ..place.bench import Bench
from ..place.case import Case
from ..place.cluster import Cluster
from ..place.commands import Command
from ..place.sweep import EndedError
from . import finished
from .servers import mlflow_down, postgres_restarted
from .storage_full import storage_full
from .torn import FILES, TEARS, torn

IMPOSSIBLE_K = 10**11


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: as `--only` takes it.
        times: attempts of the complete benchmark.
        what: a line for people.
        act: one attempt, up to where the sweep shall be whole again.
        alone: its attempts share something and do not run beside each other.
    """

    name: str
    times: int
    what: str
    act: Callable[[Case], None]
    alone: bool = False


def kill_worker(case: Case) -> None:
    sweep = case.new_sweep(address=_cluster(case.bench).address)
    command = sweep.run()
    case.wait_for_instant(command, case.bench.reference.trials)
    sweep.wait_for(sweep.unfinished, command, 60.0)
    worker = psutil.Process(case.random.choice(sorted(set(sweep.unfinished().values()))))
    if "ray::" not in " ".join(worker.cmdline()):
        raise EndedError(f"process {worker.pid} is no worker any more")
    case.only_repeated = True
    case.strike(worker.kill)
    case.expect(command, 0)


def kill_driver(case: Case) -> None:
    command = case.new_sweep().run()
    case.wait_for_instant(command, case.bench.reference.whole)
    case.strike(command.kill)
    case.resume()


def kill_raylet(case: Case) -> None:
    cluster = _cluster(case.bench)
    command = case.new_sweep(address=cluster.address).run()
    case.wait_for_instant(command, case.bench.reference.trials)
    index = case.random.randrange(len(cluster.nodes))
    case.only_repeated = True
    case.strike(lambda: cluster.kill_raylet(index))
    time.sleep(1.0)
    cluster.replace(index)
    case.go_on(command)
    cluster.wait_for_nodes(3)


def kill_head(case: Case) -> None:
    cluster = _cluster(case.bench)
    command = case.new_sweep(address=cluster.address).run()
    case.wait_for_instant(command, case.bench.reference.trials)
    # Ray's own code ends a driver whose head is gone, with a stack of C++ that Python cannot catch.
    case.ray_may_abort = True
    case.strike(cluster.kill_head)
    time.sleep(3.0)
    cluster.restart()
    case.go_on(command)


def interrupt(case: Case) -> None:
    command = case.new_sweep().run()
    case.wait_for_instant(command, case.bench.reference.whole)
    case.strike(command.interrupt)
    _stopped(case, command)


def terminate(case: Case) -> None:
    command = case.new_sweep().run()
    case.wait_for_instant(command, case.bench.reference.whole)
    case.strike(command.terminate)
    _stopped(case, command)


def stop_final_evaluation(case: Case) -> None:
    sweep, reference = case.new_sweep(), case.bench.reference
    command = sweep.run()
    trained = f"trials/*/checkpoint-{reference.steps:012d}.zip"
    sweep.wait_for_first_trial(command, command.started)
    sweep.wait_for(lambda: any(sweep.files.glob(trained)), command, 120.0)
    case.wait_for_instant(command, reference.final)
    case.strike(command.terminate)
    _stopped(case, command)


def two_resumes(case: Case) -> None:
    sweep = case.new_sweep()
    command = sweep.run()
    case.wait_for_instant(command, case.bench.reference.trials)
    case.strike(command.kill)
    case.verdict.steps.append("resume, twice at once")
    both = [sweep.resume(), sweep.resume()]
    codes = [one.wait() for one in both]
    sessions = sweep.sessions()
    if codes == [0, 0] and sessions[-2]["ended"] < sessions[-1]["started"]:
        raise EndedError("the first `resume` had ended before the second began")
    if sorted(codes) != [0, 2]:
        said = [" ".join(one.err.read_text().split())[-200:] for one in both]
        case.wrong.append(f"two resumes at once: exits {codes}, not one 0 and one 2: {said}")
    for one in both:
        *before, last = one.err.read_text().splitlines() or [""]
        in_order = last.startswith("error: ") and all(line.startswith("sweep small: ") for line in before)
        if one.process.returncode == 2 and (one.out.read_text() or not in_order):
            case.wrong.append(f"the refused resume says: {one.err.read_text()!r}")


def nan(case: Case) -> None:
    space = "objective.num_samples: {grid: [20]}\n    optimizer.lr: {grid: [1e-3, 1e30]}"
    _fails_alone(case, space, ("NonFiniteError", "epoch "))


def out_of_memory(case: Case) -> None:
    space = f"objective.num_samples: {{grid: [20, {IMPOSSIBLE_K}]}}"
    _fails_alone(case, space, ("memory",))


def _cluster(bench: Bench) -> Cluster:
    def make() -> Cluster:
        cluster = Cluster()
        bench.closing.append(cluster.stop)
        cluster.start()
        return cluster

    return bench.once("cluster", make)


def _stopped(case: Case, command: Command) -> None:
    """After a signal: exit code 130 and the way to go on, or 0 where the sweep had ended."""
    code = case.expect(command, 130, 0)
    if code != 0:
        if "sweeps resume" not in command.err.read_text() + command.out.read_text():
            case.wrong.append(f"`{command}` does not say how to go on: {command.err.read_text()[-200:]!r}")
        case.resume()


def _fails_alone(case: Case, space: str, words: tuple[str, ...]) -> None:
    """Half of the trials fail with a cause that holds these words; the others are as in the reference."""
    sweep = case.new_sweep(space=space)
    case.expect(sweep.run(), 1)
    found = results.table(sweep.files)
    case.expected = {key: row for key, row in case.expected.items() if key in found}
    others = [row for key, row in found.items() if key not in case.expected]
    if (len(case.expected), len(others)) != (2, 2):
        case.wrong.append(f"{len(case.expected)} trials should be complete and {len(others)} should fail")
    for row in others:
        if row.state != "FAILED" or not all(word in (row.error or "") for word in words):
            case.wrong.append(f"a trial is {row.state} with the cause {row.error!r}: must name {words}")


FAULTS = (
    Fault("worker", 20, "kill -9 of a worker", kill_worker, alone=True),
    Fault("driver", 20, "kill -9 of the driver", kill_driver),
    Fault("raylet", 5, "kill -9 of a raylet, a new one joins", kill_raylet, alone=True),
    Fault("head", 3, "kill -9 of the head, the cluster comes back", kill_head, alone=True),
    Fault("sigint", 5, "SIGINT to the process group", interrupt),
    Fault("sigterm", 5, "SIGTERM to the driver", terminate),
    Fault("final", 3, "SIGTERM in a final evaluation", stop_final_evaluation),
    Fault("mlflow", 3, "MLflow down for 60 s", mlflow_down),
    Fault("postgres", 3, "PostgreSQL behind MLflow restarted", postgres_restarted),
    Fault("full", 2, "storage full, then freed", storage_full),
    *(
        Fault(f"torn:{kind}", len(TEARS), f"torn {pattern.removeprefix('trials/*/')}", torn(kind), alone=True)
        for kind, pattern in FILES.items()
    ),
    Fault("resumes", 3, "two resumes at once", two_resumes),
    Fault("extend", 3, "kill -9 of extend", finished.extend),
    Fault("report", 3, "kill -9 of report", finished.report),
    Fault("repair", 3, "kill -9 of verify --repair", finished.repair),
    Fault("delete", 3, "kill -9 of delete", finished.delete),
    Fault("nan", 1, "a trial with NaN", nan),
    Fault("memory", 1, "a trial out of memory", out_of_memory),
)
