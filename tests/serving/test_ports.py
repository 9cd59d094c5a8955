"""Ports and addresses are looked at before anything is loaded for them."""

import socket

import pytest

from invopt.errors import InvalidInputError
from serving.ports import check_free, url_of
from serving.settings import ServerSettings


def test_a_port_in_use_is_told_with_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInputError, match=f"port {port} .*choose another with --port"):
            check_free(ServerSettings(port=port))
    check_free(ServerSettings(port=port))


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1"])  # none, and another's
def test_an_address_that_is_not_this_machine_s_is_told_as_such(host):
    with pytest.raises(InvalidInputError, match=f"--host {host} is no address of this machine"):
        check_free(ServerSettings(host=host, port=18399))


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_address_of_ipv6_is_looked_at_as_one():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            port = probe.getsockname()[1]
    except OSError:
        pytest.skip("this machine has no ::1")
    check_free(ServerSettings(host="::1", port=port))
    assert url_of("::1", port) == f"http://[::1]:{port}"
    assert url_of("127.0.0.1", 80) == "http://127.0.0.1:80"
