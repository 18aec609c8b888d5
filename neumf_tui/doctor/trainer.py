"""Check whether a trainer that is started here continues after the logout."""

import re
from pathlib import Path

from neumf_tui.doctor.check import Finding, Probes, note, ok, problem

_YES = ("1", "yes", "y", "true", "t", "on")
"""Values that systemd reads as yes."""
_SURVIVES = "continues after the screen or the connection closes"


def check_trainer(probes: Probes) -> Finding:
    if job := probes.env.get("SLURM_JOB_ID"):
        return note(f"inside Slurm job {job}: the trainer ends with the job at the latest")
    try:
        cgroup = (probes.root / "proc/self/cgroup").read_text(errors="replace")
    except OSError:
        cgroup = ""
    in_session = re.search(r"/session-[^/\n]+\.scope", cgroup) is not None
    options = _logind_options(probes.root)
    kill = options.get("KillUserProcesses")
    if kill is None:
        if not in_session:
            return ok(_SURVIVES)
        text = f"{_SURVIVES}, unless systemd kills processes at logout (KillUserProcesses is unset)"
        return note(text)
    user = probes.user()
    only = options.get("KillOnlyUsers", "").split()
    excluded = options.get("KillExcludeUsers", "root").split()
    if kill.lower() not in _YES or user in excluded or (only and user not in only):
        return ok(_SURVIVES)
    lingers = (probes.root / "var/lib/systemd/linger" / user).exists()
    if "/user@" in cgroup and not in_session and lingers:
        return ok(f"{_SURVIVES}: this shell belongs to no login session, and {user} lingers")
    # Lingering keeps the user's systemd alive, but the scope of a login session is still killed.
    text = (
        "ends at logout: systemd kills the processes of a login (KillUserProcesses=yes in "
        "logind.conf); start it outside the login's scope"
    )
    fix = ("loginctl enable-linger $USER", "systemd-run --user --scope neumf-tui train")
    return problem(text, *fix)


def _logind_options(root: Path) -> dict[str, str]:
    """Return the options of logind: the main file, then drop-ins in the order of their names.

    A drop-in in /etc replaces one of the same name elsewhere.
    """
    places = [root / place / "systemd" for place in ("etc", "run", "usr/local/lib", "usr/lib")]
    files = [path for place in places if (path := place / "logind.conf").is_file()][:1]
    drop_ins: dict[str, Path] = {}
    for place in reversed(places):
        drop_ins |= {path.name: path for path in (place / "logind.conf.d").glob("*.conf")}
    files += [drop_ins[name] for name in sorted(drop_ins)]
    options: dict[str, str] = {}
    for path in files:
        for line in path.read_text(errors="replace").splitlines():
            if found := re.match(r"\s*(#?)\s*(\w+)\s*=\s*(.*?)\s*$", line):
                comment, name, value = found.groups()
                if comment:  # the default that the distribution has built in
                    options.setdefault(name, value)
                else:
                    options[name] = value
    return options
