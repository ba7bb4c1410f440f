"""The command line: errors without a traceback, commands loaded when called."""

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from eventmill.cli import main
from eventmill.cli.group import COMMANDS
from eventmill.embedded.run_directory import RunDirectory


def eventmill(home: Path, *arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"EVENTMILL_HOME": str(home), **variables})


def test_help_lists_every_command_without_loading_one() -> None:
    program = "import sys; from eventmill.cli import main; main(['--help'], standalone_mode=False)"
    program += "; sys.exit('eventmill.cli.up' in sys.modules or 'nats' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in answer.stdout for name in COMMANDS)


def test_a_wrong_setting_names_the_variable_and_the_rule(tmp_path: Path) -> None:
    answer = eventmill(tmp_path, "status", EVENTMILL_HTTP_PORT="70000")
    assert answer.exit_code == 1
    assert "EVENTMILL_HTTP_PORT: Input should be less than or equal to 65535" in answer.output
    assert "Traceback" not in answer.output


def test_status_of_a_home_that_nobody_runs(tmp_path: Path) -> None:
    answer = eventmill(tmp_path, "status", "--json")
    assert answer.exit_code == 1
    content = json.loads(answer.output)
    assert content == {"running": False, "supervisor_pid": None, "home": str(tmp_path), "processes": [], "today": None}


def test_down_of_a_home_that_nobody_runs(tmp_path: Path) -> None:
    answer = eventmill(tmp_path, "down")
    assert (answer.exit_code, answer.output) == (0, "eventmill is not running.\n")


def test_up_on_a_newer_home_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "version").write_text('{"layout": 1, "eventmill": "99.0.0"}')
    answer = eventmill(tmp_path, "up")
    assert answer.exit_code == 1
    assert "written by eventmill 99.0.0" in answer.output
    assert "Start eventmill 99.0.0 or newer" in answer.output


def test_doctor_tells_every_check_as_json(tmp_path: Path) -> None:
    answer = eventmill(tmp_path, "doctor", "--json")
    checks = {finding["check"] for finding in json.loads(answer.output)}
    assert checks == {"python", "wheels", "home", "disk", "ports", "postgres", "nats"}


def test_doctor_fails_on_a_newer_home(tmp_path: Path) -> None:
    (tmp_path / "version").write_text('{"layout": 99, "eventmill": "0.1.0"}')
    answer = eventmill(tmp_path, "doctor", "--json")
    assert answer.exit_code == 1
    assert next(one for one in json.loads(answer.output) if one["check"] == "home")["ok"] is False


def test_a_home_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = eventmill(tmp_path / "file" / "home", "up")
    assert answer.exit_code == 1
    assert "cannot be written" in answer.output
    assert "Set EVENTMILL_HOME to a directory of yours." in answer.output


def test_a_home_whose_start_has_just_begun_is_not_ready(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "run").locked():
        answer = eventmill(tmp_path, "status", "--json")
    assert (answer.exit_code, json.loads(answer.output)["processes"]) == (1, [])
