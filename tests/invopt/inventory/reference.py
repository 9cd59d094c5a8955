"""A slow, obvious simulator of one series: the oracle of the fast one."""


def simulate_one(demand, levels, lead_time, review, on_hand, arrivals, lost_sales, pack, least):
    """Return a list of (received, sold, missing, stock, ordered) by period."""
    due = dict(enumerate(arrivals))
    stock, waiting, history = on_hand, 0.0, []
    for t, asked in enumerate(demand):
        received = due.pop(t, 0.0)
        stock += received
        wanted = asked + waiting
        sold = min(stock, wanted)
        stock -= sold
        missing = wanted - sold
        waiting = 0.0 if lost_sales else missing
        ordered = 0.0
        if t % review == 0:
            position = stock + sum(due.values()) - waiting
            need = max(0.0, levels[t] - position)
            if need > 1e-9:
                ordered = max(-(-need // pack) * pack, -(-least // pack) * pack)
                due[t + lead_time + 1] = due.get(t + lead_time + 1, 0.0) + ordered
        history.append((received, sold, missing, stock, ordered))
    return history
