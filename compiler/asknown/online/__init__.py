"""The online table answers, for now, what the training query answers for then. No module here but ``backend`` knows
how the table is kept.

``reader`` is what users open; ``request`` resolves what they ask for, ``keys`` reads their keys, ``windows`` computes
trailing windows, ``answer`` gives values, statuses and event times.
"""
