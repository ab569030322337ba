"""The socket that a service listens at: replies leave it at once."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from pets.service.http.serving import listening


def test_no_part_of_a_reply_waits_for_an_acknowledgement_of_the_one_before() -> None:
    """A reply goes out in two parts; without TCP_NODELAY the second waits for the other side, some 40 ms."""

    async def at_once() -> bool:
        told: asyncio.Queue[bool] = asyncio.Queue()

        async def serves(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            mine = writer.get_extra_info("socket")
            told.put_nowait(mine.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)
            writer.close()

        with contextlib.closing(listening("127.0.0.1", 0)) as sock:
            async with await asyncio.start_server(serves, sock=sock):
                _, writer = await asyncio.open_connection(*sock.getsockname())
                found = await told.get()
                writer.close()
        return found

    assert asyncio.run(at_once())
