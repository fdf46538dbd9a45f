"""Sessions that only sit there, with everything that a session can have; nothing of it may get lost."""

from wire import codec

from .session import Failed, Session

VAR_STRING = 0xFD


class Idle:
    """A variable, a database and a prepared statement, different for each session; `marked` ones also a user variable."""

    def __init__(self, number, marked, where, stopping):
        self.number, self.session, self.statement = number, Session(where, stopping), None
        self.mark = f"mark {number}" if marked else ""

    def prepare(self):
        """Raises Failed."""
        session = self.session
        session.connect()
        session.execute(f"SET SESSION lock_wait_timeout = {1000 + self.number}")
        session.execute("USE app_idle")
        text = "SELECT CONCAT(?, '|', @@lock_wait_timeout, '|', DATABASE())"
        if self.mark:
            session.execute(f"SET @mark = '{self.mark}'")
            text = "SELECT CONCAT(?, '|', @@lock_wait_timeout, '|', DATABASE(), '|', @mark)"
        packets = session.client.command(b"\x16" + text.encode())
        if packets[0][:1] == b"\xff":
            raise Failed(0, packets[0][3:].decode(errors="replace"))
        self.statement = int.from_bytes(packets[0][1:5], "little")

    def problem(self):
        """What is not as it was, or None."""
        wanted = "|".join(["hello", str(1000 + self.number), "app_idle", *([self.mark] if self.mark else [])])
        values = [codec.lenenc_bytes(b"hello")]
        try:
            packets = self.session.client.command(codec.execute_payload(self.statement, values, [(VAR_STRING, 0)]))
        except (OSError, EOFError, ValueError) as error:
            return repr(error)
        if packets[0][:1] == b"\xff":
            return packets[0][3:].decode(errors="replace")
        # The row: its header and one byte of NULLs, then the one value.
        found = codec.Reader(packets[3][2:]).lenenc_bytes().decode()
        return None if found == wanted else f"{found!r} instead of {wanted!r}"
