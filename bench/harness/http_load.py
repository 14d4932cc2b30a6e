"""Requests of people and of strangers, for the memory that they leave behind. Each function gives a note for the table."""

import http.client
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

from processes import Failed


def sign_ins(address, count):
    """Tries to sign in, each by another handle from another address: each costs the hash of a password."""
    statuses = _in_parallel(count, lambda number: _sign_in(address, f"somebody{number}", _source(number)))
    return _expect(statuses, {401, 422}, "tries to sign in")


def throttled(address, count):
    """Tries to sign in from one address until, and long after, it is told to wait."""
    statuses = _in_parallel(count, lambda number: _sign_in(address, f"stranger{number % 7}", "127.200.0.9"))
    if 429 not in statuses:
        raise Failed(f"none of {count} tries to sign in from one address was answered with 429")
    return f"{statuses.count(429):,} of them answered with 429"


def refused_bodies(address, megabytes):
    """Bodies of 1 MB, half of them of a length that is not said before."""
    statuses = _in_parallel(megabytes, lambda number: _large_body(address, number % 2 == 0, _source(number)))
    return f"{statuses.count(413) + statuses.count(None)} of {megabytes} refused"


def _sign_in(address, handle, source):
    body = urlencode({"handle": handle, "password": "not the password"})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return _post(address, body, headers, source)


def _large_body(address, has_length, source):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if has_length:
        return _post(address, b"x" * 1_000_000, headers, source)
    return _post(address, iter([b"x" * 10_000] * 100), headers, source)


def _post(address, body, headers, source):
    """The status of the answer; None if the server cut the connection while the body was on its way."""
    headers = headers | {"Origin": f"http://{address}"}
    connection = http.client.HTTPConnection(address, timeout=60, source_address=(source, 0))
    try:
        connection.request("POST", "/sign-in", body, headers)
        return connection.getresponse().status
    except (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected):
        return None
    except (OSError, socket.timeout, http.client.HTTPException) as error:
        raise Failed(f"POST /sign-in: {error}") from error
    finally:
        connection.close()


def _source(number):
    return f"127.201.{number // 250}.{number % 250 + 2}"


def _in_parallel(count, act):
    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(act, range(count)))


def _expect(statuses, wanted, what):
    others = [status for status in statuses if status not in wanted]
    return f"{len(others)} of {len(statuses)} {what} answered with {others[0]}" if others else ""
