"""A real middle box on the loopback interface, as a child process: nginx, haproxy, or none at all."""

import socket
import subprocess
import time

LIMIT = 10.0

NGINX = """\
daemon off;
master_process off;
pid {place}/nginx.pid;
error_log {place}/nginx.log info;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "Upgrade";
            proxy_read_timeout 60s;
            proxy_send_timeout 60s;
        }}
    }}
}}
"""

HAPROXY = """\
global
    maxconn 64
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    server one 127.0.0.1:{upstream}
"""

KINDS = {
    "nginx": (NGINX, lambda program, place, config: [program, "-p", place, "-e", place / "nginx.log", "-c", config]),
    "haproxy": (HAPROXY, lambda program, place, config: [program, "-db", "-q", "-f", config]),
}


class BoxFailed(Exception):
    pass


def free_port():
    """One that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), LIMIT).close()
    except OSError:
        return False
    return True


class Box:
    """`port` leads to the upstream port. Ends its child when it is left as a context, by the child's own id."""

    def __init__(self, kind, program, place, upstream, environment):
        self.process = None
        self.port = upstream
        if kind == "none":
            return
        text, command = KINDS[kind]
        place.mkdir(parents=True, exist_ok=True)
        config = place / f"{kind}.conf"
        for _ in range(3):  # another program may take the port meanwhile
            self.port = free_port()
            config.write_text(text.format(place=place, port=self.port, upstream=upstream), encoding="utf-8")
            self.process = subprocess.Popen(
                list(map(str, command(program, place, config))),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
            end = time.monotonic() + LIMIT
            while self.process.poll() is None and time.monotonic() < end:
                if accepts(self.port):
                    return
                time.sleep(0.01)
            said = self._end()
        raise BoxFailed(f"{kind} does not start: {said}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self._end()

    def _end(self):
        self.process.kill()
        return self.process.communicate()[1].strip()
