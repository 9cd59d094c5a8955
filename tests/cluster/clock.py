"""Time for tests of what waits."""


class Clock:
    """Time that passes only by waiting."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
