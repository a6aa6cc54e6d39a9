# SPDX-License-Identifier: Apache-2.0
"""The programs that are evaluated, each with the exercise that is learned and the one that never
is. Every exercise b was written from the program's manual before a recording was looked at."""
import importlib

NAMES = (
    "nginx apache2 haproxy lighttpd redis memcached postgresql mariadb dnsmasq exim4 "
    "python3 nodejs php openjdk ruby perl dash"
).split()


def load(name):
    return importlib.import_module("programs." + name).PROGRAM
