"""What `client_ed25519` proves a password with: Ed25519 of RFC 8032, the password itself being the secret seed.

Slow and plain, on affine coordinates: a test signs once.
"""

import hashlib

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE = -121665 * pow(121666, -1, PRIME) % PRIME
BASE = (15112221349535400772501151409588531511454012693041857206046113283949847762202, 4 * pow(5, -1, PRIME) % PRIME)


def add(a, b):
    (x, y), (u, v) = a, b
    product = CURVE * x * y * u * v
    return (
        (x * v + u * y) * pow(1 + product, -1, PRIME) % PRIME,
        (y * v + x * u) * pow(1 - product, -1, PRIME) % PRIME,
    )


def times(number, point):
    result = (0, 1)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def compressed(point):
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def number_of(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def sign(password, challenge):
    digest = hashlib.sha512(password.encode()).digest()
    secret = int.from_bytes(digest[:32], "little") & ~7 & (1 << 254) - 1 | 1 << 254
    key = compressed(times(secret, BASE))
    nonce = number_of(digest[32:], challenge) % ORDER
    point = compressed(times(nonce, BASE))
    answer = (nonce + number_of(point, key, challenge) * secret) % ORDER
    return point + answer.to_bytes(32, "little")
