"""The online table, which answers for now what the training query answers for the past. Only ``backend`` knows how the
table is stored.

Users open ``reader``. ``request`` reads their request, ``keys`` their keys; ``windows`` computes trailing windows, and
``answer`` gives values, statuses and event times.
"""
