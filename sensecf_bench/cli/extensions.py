"""Command groups that plugins bring: announced from their metadata, imported when somebody asks for one."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from functools import cache
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from sensecf_bench.errors import BenchError, ClaimedNameError, PluginError

ENTRY_POINTS = "sensecf_bench.commands"


class CommandsWithPlugins(TyperGroup):
    """The root command: its own commands, and after them those of plugins. A plugin cannot replace one of ours."""

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *(name for name in _announced() if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command of our own, or the mere announcement of a plugin's: `--help` asks for all of them."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in _announced():
            return own
        return _Announcement(_announced()[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is to run: here a plugin is imported. Raises PluginError when it is broken."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.brought.load() if isinstance(command, _Announcement) else command, rest


@dataclass(frozen=True)
class _Brought:
    """A command group by the entry points that claim its name: one, or rivals."""

    name: str
    claims: tuple[importlib.metadata.EntryPoint, ...]

    @property
    def owners(self) -> list[str]:
        return sorted(f"{e.dist.name} {e.dist.version}" if e.dist else e.value for e in self.claims)

    def load(self) -> Any:
        """Import the plugin and build its commands. Raises PluginError when that fails, ClaimedNameError for rivals."""
        if len(self.claims) > 1:
            raise ClaimedNameError("command", self.name, self.owners)
        (owner,) = self.owners
        try:
            app = self.claims[0].load()
            if not isinstance(app, typer.Typer):
                raise TypeError(f"{self.claims[0].value} is a {type(app).__name__}, not a typer.Typer")
            command = get_group(app)
        except BenchError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 a stranger's import may raise anything; the error names it
            raise PluginError(
                f"the command {self.name!r} of {owner} is broken: {type(error).__name__}: {error}",
                "install what it needs, or report it to the plugin's author",
            ) from None
        command.name = self.name
        return command


class _Announcement(TyperCommand):
    """What the list of commands shows of a group that has not been imported."""

    def __init__(self, brought: _Brought) -> None:
        super().__init__(brought.name, help=f"Brought by {' and '.join(brought.owners)}.")
        self.brought = brought


@cache
def _announced() -> dict[str, _Brought]:
    claims: dict[str, list[importlib.metadata.EntryPoint]] = {}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        claims.setdefault(entry.name, []).append(entry)
    return {name: _Brought(name, tuple(claims[name])) for name in sorted(claims)}
