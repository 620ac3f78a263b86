"""A JupyterHub for a class, on one machine. `benchmarks/hub.py` runs it; the teaching guide explains it line by line.

    jupyterhub --config benchmarks/jupyterhub_config.py

What begins with HUB_ comes from the environment, so that the same file serves a class and the measurement.
"""

import os
from pathlib import Path

c = get_config()  # noqa: F821  JupyterHub defines it

# One address for everybody. For a real class, put HTTPS in front of it.
c.JupyterHub.bind_url = os.environ.get("HUB_ADDRESS", "http://127.0.0.1:8000")
c.JupyterHub.hub_connect_ip = "127.0.0.1"

# Where the hub keeps what it has to remember.
state = Path(os.environ.get("HUB_STATE", ".")).resolve()
c.JupyterHub.db_url = f"sqlite:///{state}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(state / "proxy.pid")
c.ConfigurableHTTPProxy.command = os.environ.get("HUB_PROXY", "configurable-http-proxy").split()

# Anybody may log in with the class's password: for a rehearsal on your own machine. For a class, choose an
# authenticator from https://jupyterhub.readthedocs.io/en/stable/reference/authenticators.html
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ.get("HUB_PASSWORD", "")
c.Authenticator.allow_all = True

# Each learner gets a process and a folder. With real accounts on the machine: "localprocess"; with containers: "docker".
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(state / "home" / "{username}")
c.Spawner.default_url = "/lab"
if os.geteuid() == 0:  # as in a container; on a machine of your own, run the hub under another account
    c.Spawner.args = ["--allow-root"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 180
c.JupyterHub.concurrent_spawn_limit = 10  # so many servers start at the same time; the others wait

# What a learner gets. JupyterHub passes both on as CPU_LIMIT and MEM_LIMIT, and the course keeps to CPU_LIMIT: without it,
# every learner's PyTorch starts a thread for every core of the machine. (A spawner of containers enforces both.)
if limit := os.environ.get("HUB_CPU_LIMIT", "1"):
    c.Spawner.cpu_limit = float(limit)
c.Spawner.mem_limit = "3G"

# Whoever has this token may start servers and run cells in them: the measurement. Without it there is no such service.
if token := os.environ.get("HUB_TOKEN"):
    c.JupyterHub.services = [{"name": "measurement", "api_token": token}]
    c.JupyterHub.load_roles = [
        {
            "name": "measurement",
            "scopes": ["admin:users", "admin:servers", "access:servers"],
            "services": ["measurement"],
        }
    ]
