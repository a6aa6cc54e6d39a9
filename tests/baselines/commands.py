# SPDX-License-Identifier: Apache-2.0
"""Ordinary commands in exec sessions of a container whose profile lists nothing: how many answer as
they do in a container that nobody governs. In images of glibc and of musl."""
import os
import shutil
import subprocess

import roots
from private_node import ROOT, WARD

# The same answer each time, whatever the machine does meanwhile. A line is one session.
BOTH = """\
true
id
env
pwd
ls -ln /etc
cat /etc/hosts
cp /etc/hosts /tmp/copied
mv /tmp/copied /tmp/moved
ln -s /tmp/moved /tmp/link
readlink /tmp/link
chmod 600 /tmp/moved
stat -c %s /tmp/moved
touch -d @0 /tmp/moved
rm /tmp/link /tmp/moved
mkdir -p /tmp/a/b
rmdir /tmp/a/b
realpath /etc/hosts
head -n 1 /etc/hosts
tail -n 1 /etc/hosts
grep -c root /etc/passwd
sed -n 1p /etc/passwd
awk -F: NR==1{print$1} /etc/passwd
cut -d: -f1 /etc/passwd
sort -r /etc/passwd
sh -c tr a-z A-Z </etc/hosts
wc -l /etc/passwd
find /etc -name hosts
sh -c xargs echo </etc/hosts
tar -cf /dev/null -C /etc hosts
gzip -c /dev/null
md5sum /etc/hosts
sha256sum /etc/hosts
dd if=/dev/zero of=/dev/null bs=1k count=1 status=none
date -u -d @0
sleep 0.01
timeout 5 true
timeout 0.1 sleep 5
nice true
nohup true
uname -s
hostname
whoami
nproc
df /tmp
du -s /etc/hosts
sh -c ps -o comm | head -n 1
kill -0 1
sh -c echo one | cat | tr o 0
sh -c for i in 1 2 3; do test -d /tmp && echo $i; done
sh -c sleep 9 & kill $!; wait $!; echo $?
sh -c trap 'echo stopped' TERM; kill $$
sh -c echo text >/tmp/file && cat </tmp/file; rm /tmp/file
sh -c cd /etc && ls -d *s | wc -l
sh -c (exit 3); echo $?
sh -c read line </etc/hosts; echo $line
"""
OF_GLIBC = """\
getent hosts localhost
getent passwd root
getent hosts nowhere.test
curl -s http://127.0.0.1:1/
curl -s http://nowhere.test/
diff /etc/hosts /etc/passwd
bash -c time=1; printf '%s\\n' {1..3} | sort
perl -e print 6*7
python3 -c print(6*7)
apt-config shell NAME Dir
dpkg -l base-files
"""
OF_MUSL = """\
wget -T 1 -q -O - http://127.0.0.1:1/
wget -T 1 -q -O - http://nowhere.test/
nslookup nowhere.test
nc -w 1 127.0.0.1 1
diff /etc/hosts /etc/passwd
vi --help
cmp /etc/hosts /etc/passwd
"""


def words(line):
    if line.startswith(("sh -c ", "bash -c ", "perl -e ", "python3 -c ")):
        return line.split(" ", 2)
    return line.split()


def lines(libc):
    return (BOTH + (OF_MUSL if libc == "musl" else OF_GLIBC)).splitlines()


def musl_tree():
    """The smallest root file system with ordinary commands that are linked with musl."""
    busybox = roots.run([os.path.join(ROOT, "scripts", "build-busybox")]).splitlines()[-1]
    path = os.path.join(roots.CACHE, "baselines-busybox")
    roots.remove(path)
    for directory in ("bin", "etc", "tmp", "proc", "sys", "dev"):
        os.makedirs(os.path.join(path, directory))
    shutil.copy(busybox, path + "/bin/busybox")
    for applet in roots.run([busybox, "--list"]).split():
        if applet != "busybox":
            os.symlink("busybox", f"{path}/bin/{applet}")
    for name, text in {
        "hosts": "127.0.0.1 localhost\n",
        "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
        "group": "root:x:0:\n",
        "resolv.conf": "",
    }.items():
        with open(f"{path}/etc/{name}", "w", encoding="ascii") as file:
            file.write(text)
    return path


class Commands:
    def __init__(self, containers):
        self.containers = containers

    def answers(self, prefix, name, root, libc):
        node, container = self.containers.node, f"{prefix}-exec-{name}"
        node.command(self.containers.run(container, root, ["sleep", "600"], WARD, "-d"))
        answers = []
        try:
            for number, line in enumerate(lines(libc)):
                try:
                    done = subprocess.run(
                        node.ctr_command("task", "exec", "--exec-id", f"e{number}", container)
                        + words(line),
                        env=node.environment,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL,
                        timeout=15,
                        check=False,
                    )
                    answers.append((done.returncode, done.stdout.replace(prefix.encode(), b"")))
                except subprocess.TimeoutExpired:
                    answers.append(("hangs", b""))
        finally:
            self.containers.remove(container)
        return answers

    def row(self, name, root, libc):
        listed = lines(libc)
        failed = set(listed)
        # Once more, because a session of `ctr` may lose what a short command says.
        for attempt in ("1", "2"):
            plain = self.answers("off", name + attempt, root, libc)
            governed = self.answers("enforced", name + attempt, root, libc)
            failed &= {c for c, a, b in zip(listed, plain, governed) if a != b}
        failed = [command for command in listed if command in failed]
        return {
            "commands": name,
            "libc": libc,
            "of": len(listed),
            "work": len(listed) - len(failed),
            "failed": failed,
            # A command that fails without Ward proves nothing.
            "wrong_anyway": [c for c, a in zip(listed, plain) if a[0] in (126, 127, "hangs")],
        }
