"""The screens on a pseudo-terminal: signals, colours, bytes, stalled links, redirects, leaving."""

import base64
import collections
import fcntl
import os
import re
import shlex
import shutil
import signal
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyte
import pytest

from benchmarks.growing_run import GrowingRun
from benchmarks.pseudo_terminal import Terminal, colours, differing, refreshes, viewer
from benchmarks.waiting import wait_for
from neumf_tui.runs.reader import is_locked, read_snapshot, read_status
from neumf_tui.runs.writer import RunWriter
from tests.support.commands import run_cli
from tests.support.golden_runs import make_run
from tests.support.processes import LONG, lower_priority

LEFT = {7, 25}
"""Private modes of a terminal that was left in good order: line wrap and the cursor."""
BOTH = [signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def running(own_home: Path) -> Iterator[Path]:
    """Return a golden run whose trainer is alive."""
    folder = make_run(own_home, "running")
    with RunWriter(folder):
        yield folder


# Signals and hang-ups.


@pytest.mark.parametrize("number", [BOTH[0], pytest.param(BOTH[1], marks=pytest.mark.slow)])
def test_a_signal_ends_the_viewer_at_once_and_the_terminal_is_as_before(
    running: Path, number: int
) -> None:
    with viewer("attach") as below_a_shell, viewer("attach", own_session=True) as alone:
        for terminal in (below_a_shell, alone):
            terminal.wait_text("golden", "● running", "q Quit")
            terminal.settle(0.3)
            assert {1000, 1003, 1006, 1049, 2004} <= terminal.modes and 25 not in terminal.modes
            begun = time.monotonic()
            terminal.kill(number)
            assert terminal.wait_exit(2) == 128 + number
            print(f"{signal.Signals(number).name}: {time.monotonic() - begun:.3f} s")
            terminal.caught_up()
            assert terminal.modes == LEFT and not terminal.alternate
            assert terminal.stream.rindex("\x1b[?1049l") > terminal.stream.rindex("\x1b[?1049h")
            # Twice on a busy machine: in good order, and by force if that took too long.
            assert 1 <= terminal.stream.count("\x1b[>") <= terminal.stream.count("\x1b[<u"), (
                "the keyboard protocol is given back"
            )
            assert not fcntl.fcntl(terminal.slave, fcntl.F_GETFL) & os.O_NONBLOCK, (
                "the shell shares it"
            )
            assert not terminal.session() and "Traceback" not in terminal.main_text
        # Where the session has ended with its first process, the kernel has put the modes back.
        assert termios.tcgetattr(below_a_shell.master) == below_a_shell.modes_before
    assert is_locked(running)


def wakings(pid: int) -> int:
    """Return how often the threads of a process have gone to sleep so far."""
    tasks = Path(f"/proc/{pid}/task").glob("*/status")
    found = (
        re.search(r"^voluntary_ctxt_switches:\s+(\d+)", task.read_text(), re.M) for task in tasks
    )
    return sum(int(number[1]) for number in found if number)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.slow
def test_an_idle_viewer_sleeps(own_home: Path) -> None:
    """It wakes each second to measure the link, and each fifth one to look at the run."""
    make_run(own_home, "finished")
    with viewer("attach", own_session=True) as terminal:
        terminal.wait_text("golden", "● finished", "q Quit")
        terminal.settle(1.0)
        before = wakings(terminal.pid)
        time.sleep(3.5)
        assert wakings(terminal.pid) - before < 25, "Textual's input thread alone wakes 35 times"


def fill(terminal: Terminal) -> None:
    """Stop reading, and let the viewer send until the link is full."""
    terminal.stall()

    def full() -> bool:
        if terminal.full:
            return True
        terminal.send("\x0c")  # each a whole screen
        time.sleep(0.02)
        return False

    wait_for(full, "a full line")


def test_a_signal_ends_the_viewer_of_a_stalled_terminal(running: Path) -> None:
    with viewer("attach") as one, viewer("attach") as other:
        for terminal, number in ((one, signal.SIGTERM), (other, signal.SIGHUP)):
            terminal.wait_text("golden", "● running", "q Quit")
            fill(terminal)
            begun = time.monotonic()
            terminal.kill(number)
            assert terminal.wait_exit(2) == 128 + number
            print(f"{number.name}, stalled: {time.monotonic() - begun:.3f} s")
            assert termios.tcgetattr(terminal.master) == terminal.modes_before
            assert not fcntl.fcntl(terminal.slave, fcntl.F_GETFL) & os.O_NONBLOCK, (
                "the shell shares it"
            )
            assert not terminal.session()
    assert is_locked(running)


@pytest.mark.parametrize("stalled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_no_viewer_outlives_its_terminal(running: Path, stalled: bool) -> None:
    with viewer("attach") as below_a_shell, viewer("attach", own_session=True) as alone:
        for terminal in (below_a_shell, alone):
            terminal.wait_text("golden", "● running", "q Quit")
            if stalled:
                fill(terminal)
            begun = time.monotonic()
            terminal.hang_up()
            wait_for(lambda: not terminal.session(), "the viewer to end", 10)  # noqa: B023 - called at once
            print(f"hung up: {time.monotonic() - begun:.3f} s")
    assert is_locked(running)


# Bytes.


@pytest.mark.slow
@pytest.mark.parametrize("validation", [False, True])
def test_a_growing_run_costs_less_than_two_kilobytes_a_second(
    own_home: Path, validation: bool
) -> None:
    with (
        GrowingRun(own_home, "golden", validation),
        viewer("attach", env={"COLORTERM": "truecolor"}) as deep,
        viewer("attach") as shallow,
        viewer("attach", "--low-bandwidth") as low,
        viewer("attach") as lowered,
    ):
        terminals = {
            "truecolor": deep,
            "256 colours": shallow,
            "low bandwidth": low,
            "low bandwidth by key": lowered,
        }
        for terminal in terminals.values():
            terminal.wait_text("golden", "● running", "q Quit")
        lowered.send("\x02")
        time.sleep(7)  # the word on that comes and goes
        since, before = (
            time.monotonic(),
            {name: terminal.count for name, terminal in terminals.items()},
        )
        time.sleep(10)
        rates = {}
        for name, terminal in terminals.items():
            rates[name], sizes = (terminal.count - before[name]) / 10, refreshes(terminal, since)
            count, mean = len(sizes) / 10, sum(sizes) / len(sizes)
            print(f"{name}: {rates[name]:.0f} B/s, {count:.1f} refreshes/s of {mean:.0f} B")
            assert 50 < rates[name] <= 2_000
            assert count <= (1.5 if "low" in name else 2.5), "two refreshes a second, or one"
        assert rates["low bandwidth"] < rates["256 colours"]
        assert rates["low bandwidth by key"] < 1.3 * rates["low bandwidth"], (
            "the same, however it is turned on"
        )


@pytest.mark.slow
def test_nothing_is_sent_where_nothing_changes_and_the_mouse_costs_little(own_home: Path) -> None:
    make_run(own_home, "finished")
    with viewer("attach") as terminal, viewer("runs") as runs:
        terminal.wait_text("golden", "● finished", "q Quit")
        runs.wait_text("golden", "finished", "q Quit")
        for one in (terminal, runs):
            one.settle()
        before = terminal.count, runs.count
        time.sleep(5)
        sent = [one.received[count:] for one, count in zip((terminal, runs), before, strict=True)]
        assert sent == [b"", b""]
        for number in range(200):
            terminal.send(f"\x1b[<35;{1 + number * 7 % 120};{1 + number * 3 % 40}M")
        terminal.settle()
        print(f"200 movements of the mouse: {terminal.count - before[0]} B")
        assert terminal.count - before[0] < 200


# Colours.


def wait_screens(*screens: Terminal) -> None:
    """Wait until train, runs and explore screens are drawn."""
    for screen in screens:
        screen.wait_text("q ")  # quits one screen and leaves another
    for screen in screens:
        screen.settle(0.4)


@pytest.mark.slow
def test_no_color_is_no_colour_on_any_screen(trained: Path) -> None:
    env = {"NO_COLOR": "1", "COLORTERM": "truecolor"}
    with (
        viewer("attach", env=env) as train,
        viewer("runs", env=env) as runs,
        viewer("explore", env=env) as explore,
    ):
        explore.wait_text("held out", "#")
        explore.send("jj2")
        train.send("?")
        wait_screens(train, runs, explore)
        for screen in (train, runs, explore):
            assert screen.alternate and colours(screen.stream) == set()


COLOURS: list[tuple[dict[str, str], tuple[str, ...], int]] = [
    ({"COLORTERM": "truecolor"}, (), 1 << 24),
    ({"TERM": "xterm-256color"}, (), 256),
    ({"TERM": "xterm"}, (), 16),
    ({"COLORTERM": "truecolor"}, ("--low-bandwidth",), 16),
]


@pytest.mark.parametrize("command", [pytest.param("attach", marks=pytest.mark.slow), "runs"])
def test_no_more_colours_than_the_terminal_has(own_home: Path, command: str) -> None:
    make_run(own_home, "finished")
    with ExitStack() as stack:
        screens = [
            stack.enter_context(viewer(command, *options, env=env)) for env, options, _ in COLOURS
        ]
        wait_screens(*screens)
        for screen, (env, options, wanted) in zip(screens, COLOURS, strict=True):
            assert max(colours(screen.stream)) == wanted, (env, colours(screen.stream))
            # At the start; on a busy machine low bandwidth may have turned itself on since.
            assert ("\x1b[?1003h" in screen.stream) != ("--low-bandwidth" in options), (
                "no mouse with low bandwidth"
            )


@pytest.mark.slow
def test_the_theme_follows_the_background(own_home: Path) -> None:
    make_run(own_home, "finished")
    wanted = {"#fdf6e3": "eeeeee", "#002b36": "121212", None: "121212"}
    with ExitStack() as stack:
        env = {"COLORTERM": "truecolor"}
        screens = [
            stack.enter_context(viewer("attach", env=env, background=background))
            for background in wanted
        ]
        wait_screens(*screens)
        for screen in screens:
            grounds = collections.Counter(cell.bg for row in screen.cells for cell in row)
            assert grounds.most_common(1)[0][0] == wanted[screen.background]


# What a full screen leaves behind, and what it says to those who look elsewhere.


@pytest.mark.slow
def test_the_last_word_is_a_card_in_the_scrollback(running: Path) -> None:
    ways = ("d", "ql", "q\r")
    with ExitStack() as stack:
        for keys, terminal in [(keys, stack.enter_context(viewer("attach"))) for keys in ways]:
            terminal.wait_text("● running", "q Quit")
            for key in keys:
                terminal.send(key)
                if keys != "d":
                    terminal.wait_text("The run is still training.")
            assert terminal.wait_exit() == 0
            terminal.caught_up()
            said = terminal.main_text.replace("\n", "")
            assert (
                terminal.modes == LEFT
                and termios.tcgetattr(terminal.master) == terminal.modes_before
            )
            for part in (
                "golden",
                "running",
                "epoch 3 of 4",
                "highest 0.3500",
                str(running),
                "neumf-tui attach golden",
            ):
                assert part in said, said


def bells(text: str) -> int:
    """Return the bells that ring; others end an operating system command."""
    return re.sub(r"\x1b\][^\a\x1b]*\a", "", text).count("\a")


TMUX = {"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "tmux-256color"}


@pytest.mark.slow
def test_the_end_of_a_watched_run_is_told(own_home: Path) -> None:
    envs: list[dict[str, str]] = [{}, {"TERM_PROGRAM": "iTerm.app"}, TMUX]
    with ExitStack() as stack:
        run = stack.enter_context(GrowingRun(own_home, "golden"))
        terminals = [stack.enter_context(viewer("attach", env=env)) for env in envs]
        for terminal in terminals:
            terminal.wait_text("● running", "q Quit")
            assert "golden finished" not in terminal.stream and bells(terminal.stream) == 0
        run.finish()
        for terminal, env in zip(terminals, envs, strict=True):
            terminal.wait_text("● finished", ", Hit@50 0.")
            sent = terminal.stream
            assert sent.count("\x1b]9;golden finished: epoch") == 1 and bells(sent) == 1
            assert ("\x1bPtmux;\x1b\x1b]9;" in sent) == ("TMUX" in env)
            assert ("\x1b]777;notify;golden finished;" in sent) == ("TERM_PROGRAM" not in env)


def test_copied_to_the_clipboard_and_to_a_file(own_home: Path) -> None:
    folder = make_run(own_home, "finished")
    with viewer("attach") as plain, viewer("attach", env=TMUX) as wrapped:
        for terminal in (plain, wrapped):
            terminal.wait_text("● finished", "q Quit")
            terminal.send("Y")
            wait_for((own_home / "clipboard.txt").exists, "a copy")
            wait_for(lambda: "]52;c;" in terminal.stream, "a copy sent")  # noqa: B023
            card = (own_home / "clipboard.txt").read_text().removesuffix("\n")
            assert card.startswith("golden  ml-100k  d2l") and str(folder) in card
            sequence = f"]52;c;{base64.b64encode(card.encode()).decode()}\a"
            assert f"\x1b{sequence}" in terminal.stream
            assert (f"\x1bPtmux;\x1b\x1b{sequence}\x1b\\" in terminal.stream) == (
                terminal is wrapped
            )


# Where there is no terminal, or half of one.


def shell(command: str, **options: object) -> Terminal:
    """Run a shell command in a terminal, with the tested `neumf-tui`."""
    line = command.replace("neumf-tui", f"{shlex.quote(sys.executable)} -m neumf_tui")
    return Terminal(["/bin/sh", "-c", line], **options)  # type: ignore[arg-type]


@pytest.mark.slow
def test_without_a_terminal_train_goes_on_in_plain_lines(with_demo: Path, tmp_path: Path) -> None:
    train = "neumf-tui train --preset d2l --dataset demo --epochs 1 --threads 1 --name"
    out, log = tmp_path / "out", tmp_path / "log"
    with (
        shell(f"{train} a 2>{log}") as no_stderr,
        shell(f"{train} b </dev/null") as no_stdin,
        shell(f"{train} c >{out}") as no_stdout,
        shell(f"{train} d", env={"TERM": "dumb"}) as dumb,
    ):
        for terminal in (no_stderr, no_stdin, no_stdout, dumb):
            assert terminal.wait_exit(120) == 0, terminal.text
            terminal.caught_up()
            assert terminal.modes == LEFT and "\x1b[?" not in terminal.stream
        assert "stderr is not a terminal: continuing as with --plain" in log.read_text()
        assert "epoch 1/1  loss" in log.read_text() and "\x1b" not in log.read_text()
        assert "stdin is not a terminal: continuing as with --plain" in no_stdin.text
        assert "stdout is not a terminal: continuing as with --plain" in no_stdout.text
        assert "popularity" in out.read_text() and "\x1b" not in out.read_text()
        assert (
            "TERM is unset or dumb: continuing as with --plain" in dumb.text
            and "\x1b" not in dumb.stream
        )


def test_without_a_terminal_attach_refuses_in_one_line(own_home: Path, tmp_path: Path) -> None:
    make_run(own_home, "finished")
    log = tmp_path / "log"
    with (
        shell(f"neumf-tui attach 2>{log}") as no_stderr,
        shell("neumf-tui attach </dev/null") as no_stdin,
        shell(f"neumf-tui attach >{tmp_path / 'out'}") as no_stdout,
        shell("neumf-tui attach", env={"TERM": "dumb"}) as dumb,
    ):
        for terminal, why in (
            (no_stdin, "stdin"),
            (no_stdout, "stdout"),
            (dumb, "dumb"),
            (no_stderr, ""),
        ):
            assert terminal.wait_exit() == 2
            terminal.caught_up()
            said = terminal.text.strip() if why else log.read_text().strip()
            assert why in said and "no screen here" in said and len(said.splitlines()) == 1
            assert "\x1b" not in terminal.stream + said
        assert not (tmp_path / "out").read_bytes()


# The layer that sends only what changed.


LINK = re.compile(r" *[\d.]+ KB/s")


def still(terminal: Terminal) -> list[list[pyte.screens.Char]]:
    """Return the cells without the link's rate, which changes at each look."""
    rows = terminal.cells
    if link := LINK.search("".join(cell.data for cell in rows[0])):
        rows[0] = rows[0][: link.start()] + rows[0][link.end() :]
    return rows


def redrawn_alike(terminal: Terminal) -> None:
    """Check that drawing everything again changes nothing."""
    terminal.settle()
    before, count = still(terminal), terminal.count
    terminal.send("\x0c")
    wait_for(lambda: terminal.count > count + 2_000, "a redraw")
    terminal.settle(0.5)
    assert still(terminal) == before, "\n".join(differing(before, still(terminal))[:20])


@pytest.mark.slow
def test_many_small_updates_come_to_what_a_full_redraw_shows(own_home: Path) -> None:
    make_run(own_home, "finished", name="训练-一")
    make_run(own_home, "stopped", name="한글-é")
    with (
        GrowingRun(own_home, "grown") as run,
        viewer("attach", "grown") as train,
        viewer("runs") as runs,
    ):
        train.wait_text("● running", "q Quit")
        runs.wait_text("grown", "训", "q Quit")
        for key, other in zip(
            "3x?t?y", ("jj", " ", "?", "k ", "?", ""), strict=True
        ):  # 3: without the host, which never rests
            train.send(key)
            runs.send(other)
            time.sleep(0.4)
        run.pause()
        train.wait_text("● paused")
        runs.wait_text("paused")
        redrawn_alike(train)
        redrawn_alike(runs)
        train.resize(90, 30)
        train.wait_text("● paused")
        redrawn_alike(train)


# Beside a real trainer, one for all of them: it takes a core for as long as it lives.

ONE_TRAINER = pytest.mark.xdist_group("live")


@pytest.fixture(scope="module")
def live(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the run of a trainer that would go on for hours."""
    home = tmp_path_factory.mktemp("live") / "home"
    shutil.copytree(shared_home, home)
    started = run_cli("train", *LONG, "--eval-every", "20", "--home", str(home))
    assert started.returncode == 0, started.stderr
    try:
        wait_for(
            lambda: bool(read_snapshot(home / "runs" / "live").evaluations),
            "a first evaluation",
            120,
        )
        lower_priority(home / "runs" / "live")
        yield home / "runs" / "live"
    finally:
        run_cli("stop", "live", "--now", "--home", str(home))


def watch(live: Path, *options: str, **more: object) -> Terminal:
    return viewer("attach", "live", "--home", str(live.parents[1]), *options, **more)


def step(live: Path) -> int:
    return int(read_snapshot(live).points.steps[-1])


def goes_on(live: Path) -> None:
    """Check that the run makes progress."""
    before = step(live)
    wait_for(lambda: step(live) > before, "another step")
    assert read_status(live).state == "running"


@ONE_TRAINER
def test_the_trainer_goes_on_however_its_viewer_ends(live: Path) -> None:
    with ExitStack() as stack:
        ends = ("SIGTERM", "SIGHUP", "SIGKILL", "hang-up")
        for end, terminal in [(end, stack.enter_context(watch(live))) for end in ends]:
            terminal.wait_text("● running", "q Quit")
            if end == "hang-up":
                terminal.hang_up()
            else:
                terminal.kill(signal.Signals[end])
            wait_for(lambda: not terminal.session(), f"the viewer to end on {end}", 2)  # noqa: B023 - called at once
            goes_on(live)


@ONE_TRAINER
def test_suspended_it_gives_the_shell_its_terminal_and_comes_back(live: Path) -> None:
    env = {"PS1": "prompt> ", "HISTFILE": None}
    with Terminal(["bash", "--norc", "--noprofile", "-i"], env=env, own_session=True) as terminal:
        terminal.wait_text("prompt>")
        terminal.send(
            f"{shlex.quote(sys.executable)} -m neumf_tui attach live --home {live.parents[1]}\r"
        )
        terminal.wait_text("● running", "q Quit")
        assert terminal.alternate
        terminal.send("\x1a")
        wait_for(lambda: not terminal.alternate and "Stopped" in terminal.main_text, "the shell")
        off = {1000, 1003, 1004, 1006, 1015, 1049}
        assert not off & terminal.modes and terminal.modes >= LEFT
        terminal.send("stty -a\r")
        terminal.wait_text("cooked" if sys.platform == "darwin" else " icanon")
        for mode in (" isig", " icanon", " echo ", " icrnl", " opost"):
            assert mode in terminal.main_text.replace("\n", " ")
        goes_on(live)
        terminal.settle(0.3)
        count = terminal.count
        time.sleep(1)
        assert terminal.count == count, "nothing is drawn over the shell"
        terminal.send("fg\r")
        wait_for(lambda: terminal.alternate, "the full screen")
        terminal.wait_text(
            "neumf-tui ▸ train  live", "● running", "loss", "Hit@50", "AUC", "rank race", "q Quit"
        )
        assert {1000, 1003, 1006, 2004} <= terminal.modes
        terminal.send("d")
        wait_for(lambda: not terminal.alternate, "the shell")
        terminal.wait_text("neumf-tui attach live")


@ONE_TRAINER
@pytest.mark.slow
def test_a_stalled_link_turns_low_bandwidth_on(live: Path) -> None:
    with watch(live) as auto, watch(live, "--no-low-bandwidth") as fixed:
        for terminal in (auto, fixed):
            terminal.wait_text("● running", "q Quit")
            fill(terminal)
        time.sleep(2.5)
        for terminal in (auto, fixed):
            terminal.go_on()
        auto.wait_text("low bandwidth is on")
        assert not {1000, 1003, 1006} & auto.modes
        fixed.settle(0.3)
        assert "low bandwidth" not in fixed.stream and {1000, 1003, 1006} <= fixed.modes
        at = len(auto.stream)
        time.sleep(2)
        assert colours(auto.stream[at:]) <= {16}
        assert colours(fixed.stream) == {256}
        auto.send("d")
        assert auto.wait_exit() == 0
        auto.caught_up()
        assert auto.modes == LEFT


def shown_epoch(terminal: Terminal) -> int:
    line = next(line for line in terminal.text.splitlines() if line.startswith(" epoch "))
    return int(line.split()[1].split("/")[0])


@ONE_TRAINER
@pytest.mark.slow
def test_two_viewers_see_the_same(live: Path) -> None:
    with watch(live) as one, watch(live) as other:
        for terminal in (one, other):
            terminal.wait_text("● running", "q Quit")
        one.send("p")
        for terminal in (one, other):
            terminal.wait_text("● paused", "p Go on")
        first, second = (
            {shown_epoch(terminal), terminal.text.count("request: pause")}
            for terminal in (one, other)
        )
        assert first == second
        other.send("p")
        for terminal in (one, other):
            terminal.wait_text("● running", "p Pause")


@ONE_TRAINER
@pytest.mark.slow
def test_a_stalled_viewer_costs_the_trainer_nothing(live: Path) -> None:
    seconds = 10

    def steps() -> float:
        first, begun = step(live), time.monotonic()
        time.sleep(seconds)
        return (step(live) - first) / (time.monotonic() - begun)

    alone = steps()
    with watch(live) as terminal:
        terminal.wait_text("● running", "q Quit")
        fill(terminal)
        before = terminal.cpu_seconds()
        stalled = steps()
        spent = (terminal.cpu_seconds() - before) / seconds
        ratio = stalled / alone
        print(f"steps/s: {alone:.0f} alone, {stalled:.0f} with a stalled viewer, {ratio:.2f}")
        print(f"the stalled viewer took {spent:.1%} of a core")
        assert stalled / alone >= 0.5 and spent < 0.5
        begun = time.monotonic()
        terminal.go_on()
        wait_for(
            lambda: shown_epoch(terminal) >= read_status(live).epoch - 20, "the current epoch", 10
        )
        print(f"caught up after {time.monotonic() - begun:.1f} s")
        terminal.wait_text("low bandwidth is on")
