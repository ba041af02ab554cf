"""Paying from the run's purse without asking it about every call.

The purse is shared by all processes, and each visit costs it a transaction on disk. So money is put aside for several calls
at once, what a call did not need serves the next, and the purse hears what was spent when a block is used up.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sensecf_bench.errors import OverBudgetError

if TYPE_CHECKING:
    from sensecf_bench.contracts import Purse


@dataclass(eq=False)
class Block:
    """Money put aside under one ticket."""

    ticket: int
    free: float
    spent: float = 0.0
    open: int = 0


@dataclass(eq=False)
class Hold:
    """What one call may cost at most."""

    block: Block | None
    usd: float


@dataclass(eq=False)
class Till:
    """One for each call of `generate`. `close` it, or what it holds counts as spent."""

    purse: Purse | None
    bulk: int = 1  # calls to put money aside for at once
    _blocks: list[Block] = field(default_factory=list)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, usd: float) -> Hold:
        """Put aside what a call may cost at most. Raises OverBudgetError when that is left nowhere, not even after the
        calls that are under way."""
        if self.purse is None or usd == 0:
            return Hold(None, usd)
        async with self._lock:
            while (block := await self._with_room_for(usd)) is None:
                self._change.clear()
                await self._change.wait()
            block.free -= usd
            block.open += 1
            return Hold(block, usd)

    def settle(self, hold: Hold, usd: float | None) -> None:
        """Say what the call did cost; None where nobody knows, and it may have cost all that was put aside."""
        block = hold.block
        if block is not None:
            cost = hold.usd if usd is None else usd
            block.open -= 1
            block.spent += cost
            block.free += hold.usd - cost
            self._change.set()

    async def close(self) -> None:
        """Tell the purse what was spent."""
        await self._hand_back([block for block in self._blocks if not block.open])

    async def _with_room_for(self, usd: float) -> Block | None:
        """A block with room, or None where it may come from a call that is under way. Raises OverBudgetError."""
        for block in self._blocks:
            if block.free >= usd:
                return block
        await self._hand_back([block for block in self._blocks if not block.open])
        try:
            return await self._reserve(usd * self.bulk)
        except OverBudgetError:
            if any(block.open for block in self._blocks):
                return None
        return await self._reserve(usd)

    async def _reserve(self, usd: float) -> Block:
        assert self.purse is not None
        self._blocks.append(Block(await asyncio.to_thread(self.purse.reserve, usd), usd))
        return self._blocks[-1]

    async def _hand_back(self, blocks: list[Block]) -> None:
        for block in blocks:
            assert self.purse is not None
            self._blocks.remove(block)
            await asyncio.to_thread(self.purse.settle, block.ticket, block.spent)
