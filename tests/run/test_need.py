"""etc/need.sh installs a service for the tests, and the machine boots afterwards as it did before."""

import os
import shutil
import subprocess

import pytest

from conftest import ROOT

pytestmark = [pytest.mark.namespaces,
              pytest.mark.skipif(shutil.which("apt-get") is None, reason="need.sh does nothing without apt-get")]

NAME = "sallyport-need-test"
UNIT = """\
[Unit]
Description=A service of a test
[Service]
ExecStart=/bin/sleep 1
[Install]
WantedBy=multi-user.target
Alias=sallyport-need-alias.service
"""
INIT = """\
#!/bin/sh
### BEGIN INIT INFO
# Provides: sallyport-need-test
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: a service of a test
### END INIT INFO
echo "$1" >>/var/started
"""
# as debhelper writes it for a service
POSTINST = f"""\
#!/bin/sh
set -e
deb-systemd-helper unmask '{NAME}.service' >/dev/null || true
if deb-systemd-helper --quiet was-enabled '{NAME}.service'; then
	deb-systemd-helper enable '{NAME}.service' >/dev/null || true
else
	deb-systemd-helper update-state '{NAME}.service' >/dev/null || true
fi
update-rc.d {NAME} defaults >/dev/null
invoke-rc.d {NAME} start >/dev/null || exit 1
"""

# What a machine is, in a mount namespace of its own: nothing that is installed there outlives it.
MACHINE = """\
set -eu
mount -t tmpfs tmpfs "$1"
for d in etc usr var; do
	mkdir -p "$1/$d.upper" "$1/$d.work"
	mount -t overlay overlay -o "lowerdir=/$d,upperdir=$1/$d.upper,workdir=$1/$d.work" /$d || exit 77
done
mount -t tmpfs tmpfs /run
state() { find /etc/systemd /etc/rc?.d -type l | grep -v '/K[0-9]' | sort; ls /usr/sbin/policy-rc.d 2>&1 || :; find /run; }
state >/var/before
etc/need.sh "$2"
state >/var/after
diff /var/before /var/after
test ! -e /var/started
echo "installed: $(dpkg-query -W -f '${Status}' sallyport-need-test)"
# the next version of the package, by whatever means
sed -i 's/^Version: 1$/Version: 0/' /var/lib/dpkg/status
dpkg -i "$2" >/dev/null 2>&1
find /etc/systemd /etc/rc?.d -type l | grep -v '/K[0-9]' | sort >/var/later
! grep need /var/later
"""


@pytest.fixture
def package(tmp_path):
    tree = tmp_path / "tree"
    for path, text, mode in ((f"usr/lib/systemd/system/{NAME}.service", UNIT, 0o644), (f"etc/init.d/{NAME}", INIT, 0o755),
                             ("DEBIAN/postinst", POSTINST, 0o755),
                             ("DEBIAN/control", f"Package: {NAME}\nVersion: 1\nArchitecture: all\n"
                              "Maintainer: nobody <nobody@example.org>\nDescription: a service of a test\n", 0o644)):
        (tree / path).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        (tree / path).write_text(text)
        (tree / path).chmod(mode)
    deb = tmp_path / f"{NAME}_1_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, deb], check=True, capture_output=True)
    return deb


def test_mend29_what_the_tests_need_is_not_enabled(package, tmp_path):
    machine = tmp_path / "machine"
    machine.mkdir()
    done = subprocess.run(["unshare", "--mount", "sh", "-c", MACHINE, "machine", machine, package], cwd=ROOT,
                          capture_output=True, text=True, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8"})
    if done.returncode == 77:
        pytest.skip("no overlay file systems here")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "packages, with those that they need: 1; to download: " in done.stdout, done.stdout
    assert "downloaded 100 %" in done.stdout and "installed 80 %" in done.stdout, done.stdout
    assert "installed: install ok installed" in done.stdout
