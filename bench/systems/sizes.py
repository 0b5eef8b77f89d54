"""What the systems must know of the tables: how many accounts there are, and the keys that clicked."""

ACCOUNTS = {"XS": 5_000, "S": 100_000, "M": 1_000_000, "L": 5_000_000}
CLICKS = (100, 1_000, 10_000, 100_000)  # events of one key in the last thirty days, which is the key as well


def scattered(number: int, size: str) -> int:
    """The key of a read: all accounts, in no order."""
    return number * 7_919 % ACCOUNTS[size]
