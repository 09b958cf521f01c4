"""Evolution's mail library as a client: it counts an EXPUNGE only in IDLE, and otherwise believes EXISTS."""

import os
import pathlib
import shutil
import subprocess
import time

import pytest
from conftest import until

HERE = pathlib.Path(__file__).parent
# etc/need.sh desktop unpacks it there.
UNPACKED = pathlib.Path("/var/cache/sallyport-test/evolution-data-server/usr")
PROVIDERS = UNPACKED / "lib/evolution-data-server/camel-providers"
CAMEL = subprocess.run(["pkg-config", "--cflags", "--libs", "camel-1.2"], capture_output=True, text=True) \
    if shutil.which("pkg-config") else None

pytestmark = pytest.mark.skipif(CAMEL is None or CAMEL.returncode != 0 or not PROVIDERS.is_dir(),
                                reason="needs Evolution's mail library: etc/need.sh desktop")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("camel") / "camel"
    subprocess.run(["cc", "-Wall", "-o", path, HERE / "camel.c", *CAMEL.stdout.split()], check=True)
    subprocess.run(["glib-compile-schemas", f"--targetdir={path.parent}", UNPACKED / "share/glib-2.0/schemas"],
                   check=True)
    return path


class Camel:
    def __init__(self, program, server, directory, qresync):
        self.server, self.log = server, directory / "log"
        environment = {**os.environ, "EDS_CAMEL_PROVIDER_DIR": str(PROVIDERS), "HOME": str(directory),
                       "CAMEL_DEBUG": "imapx:io", "GSETTINGS_SCHEMA_DIR": str(program.parent),
                       "GIO_USE_VFS": "local", "GSETTINGS_BACKEND": "memory"}
        self.process = subprocess.Popen(
            [program, str(server.imap), "anna", server.accounts["anna"].password, directory, str(int(qresync))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.log, "wb"), text=True, env=environment)
        self.said = []
        self.count = self.line("ready ")

    def line(self, word):
        while True:
            line = self.process.stdout.readline()
            assert line and not line.startswith("failed"), (line, self.said[-30:])
            if line.startswith(word):
                return int(line.split()[1])
            self.said.append(line)

    def __call__(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        self.count = self.line("count ")
        return self.count

    def idles(self):
        """Whether an IDLE has begun after the EXPUNGE."""
        said = "".join(self.said)
        return "idling" in said[said.rindex(" EXPUNGE'"):]

    def end(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait(10)


@pytest.mark.parametrize("qresync", [False, True])
def test_mend22_evolution_sees_what_comes_after_an_expunge(serve, program, tmp_path, qresync):
    server = serve({"login_in_clear": "loopback"})
    anna = server.accounts["anna"]
    anna.make_folder("Box")
    for n in range(5):
        anna.deliver(f"Subject: {n}\n\nx\n")
    camel = Camel(program, server, tmp_path, qresync)
    try:
        assert camel.count == 5
        assert camel("expunge") == 4
        until(lambda: camel("count") == 4 and camel.idles(), 10, "IDLE")
        anna.deliver("Subject: new\n\nx\n")
        assert camel("wait 5") == 5, camel.said[-30:]
        assert camel("move Box") == 4
        time.sleep(1.5)
        anna.deliver("Subject: newer\n\nx\n")
        assert camel("wait 5") == 5, camel.said[-30:]
        assert any("ENABLE CONDSTORE QRESYNC" in line for line in camel.said) == qresync
    finally:
        camel.end()
