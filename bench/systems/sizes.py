"""What the systems must know of the tables: how many accounts there are, the keys that clicked, and many views."""

ACCOUNTS = {"XS": 5_000, "S": 100_000, "M": 1_000_000, "L": 5_000_000}
CLICKS = (100, 1_000, 10_000, 100_000)  # events of one key in the last thirty days, which is the key as well


def scattered(number: int, size: str) -> int:
    """The key of a read: all accounts, in no order."""
    return number * 7_919 % ACCOUNTS[size]


# W6: so many views of so many features each.
MANY = {"W6": (50, 20), "W6-wide": (10, 200)}


def many_columns(view: int, features: int) -> dict[str, tuple[str, int]]:
    """A view's features of the table ``wide``: by name, the column and the sign with which it is taken."""
    return {f"v{view}_{n}": (f"f{(7 * view + n) % 100:02}", -1 if n >= 100 else 1) for n in range(features)}
