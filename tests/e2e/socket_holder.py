"""Holds a listening socket of the loopback, as a supervisor does, and starts programs that take it over (LISTEN_FDS).

socket_holder.py COMMAND...: says "holds port N" on stderr; for each line on its standard input it starts COMMAND with the
socket as descriptor 3 and says "started PID".
"""
import os
import socket
import sys

held = socket.socket()
held.bind(("127.0.0.1", 0))
held.listen(1024)
print("holds port", held.getsockname()[1], file=sys.stderr, flush=True)
for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        os.dup2(held.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.execv(sys.argv[1], sys.argv[1:])
    print("started", child, file=sys.stderr, flush=True)
