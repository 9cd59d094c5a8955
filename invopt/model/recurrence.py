"""The LSTM of several networks at once: weights of all of them side by side, one launch for all.

torch's own LSTM has the weights of one network. Shape suffixes: M members, B windows, S steps,
I inputs, D units, G gates (4 D).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# What torch's own LSTM cell computes on a GPU; a processor has none of them.
_CELL: Callable[..., tuple[Tensor, ...]] = torch.ops.aten._thnn_fused_lstm_cell
_CELL_BACK: Callable[..., tuple[Tensor, ...]] = torch.ops.aten._thnn_fused_lstm_cell_backward_impl


def lstm_of_members(
    input_MBSI: Tensor,
    input_weight_MGI: Tensor,
    state_weight_MGD: Tensor,
    bias_MG: Tensor,
) -> Tensor:
    """Return the state (M, B, S, D) after every step, from a state of zeros.

    What torch.nn.LSTM of one layer gives (Hochreiter and Schmidhuber, 1997, with forget gates),
    for each member with weights of its own. Computed in float32 whatever autocast says: a sum
    over 52 steps loses too much in bfloat16.

    Args:
        input_MBSI: Inputs.
        input_weight_MGI: weight_ih of each member, gates in torch's order: in, forget, cell, out.
        state_weight_MGD: weight_hh.
        bias_MG: Sum of both biases.
    """
    sequence = _FusedSequence if input_MBSI.is_cuda else _Sequence
    state: Tensor = sequence.apply(input_MBSI, input_weight_MGI, state_weight_MGD, bias_MG)  # type: ignore[no-untyped-call]
    return state


class _Sequence(torch.autograd.Function):
    """The whole sequence as one node: seven operations a step forwards, five backwards.

    What does not depend on the step before is done for all steps at once. Gates are put in the
    order out, in, forget, cell: the first three share a sigmoid, the last three the cell's
    gradient.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        ctx.types = [i.dtype for i in inputs]
        with torch.autocast(inputs[0].device.type, enabled=False):
            x, w, u, b = (i.float() for i in inputs)
            order = _order(u.shape[2], x.device)
            w, u, b = w.index_select(1, order), u.index_select(1, order), b.index_select(1, order)
            gates = torch.baddbmm(b[:, None], x.flatten(1, 2), w.mT).view(*x.shape[:3], -1)
            state, cell, bent = _run(gates, u)
        ctx.save_for_backward(x, w, u, gates, state, cell, bent)
        return state

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        x, w, u, gates, state, cell, bent = ctx.saved_tensors
        with torch.autocast(grad.device.type, enabled=False):
            delta = _run_back(grad.float(), u, gates, cell, bent)
            flat = delta.flatten(1, 2)
            back = _order(u.shape[2], x.device).argsort()
            # The state before the first step is zero and adds nothing.
            before, after = state[:, :, :-1].flatten(1, 2), delta[:, :, 1:].flatten(1, 2)
            found = (
                torch.bmm(flat, w).view_as(x),
                torch.bmm(flat.mT, x.flatten(1, 2)).index_select(1, back),
                torch.bmm(after.mT, before).index_select(1, back),
                flat.sum(dim=1).index_select(1, back),
            )
        return tuple(g.to(t) for g, t in zip(found, ctx.types, strict=True))


class _FusedSequence(torch.autograd.Function):
    """The whole sequence as one node, for a GPU: two launches a step forwards and backwards.

    One is the product with the weights of each member, the other the cell of all members, whose
    windows lie one after another (M B). Gates stay in torch's order, steps come first.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        ctx.types = [i.dtype for i in inputs]
        with torch.autocast(inputs[0].device.type, enabled=False):
            x, w, u, b = (i.float() for i in inputs)
            x = x.transpose(1, 2).contiguous()  # (M, S, B, I)
            gates = torch.baddbmm(b[:, None], x.flatten(1, 2), w.mT).view(*x.shape[:3], -1)
            states, cells, works = _run_fused(gates.transpose(0, 1).contiguous(), u)
            state = torch.stack(states).view(x.shape[1], len(w), x.shape[2], -1)
        ctx.save_for_backward(x, w, u, state, *cells, *works)
        return state.permute(1, 2, 0, 3)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        x, w, u, state, *kept = ctx.saved_tensors
        steps = len(state)
        with torch.autocast(grad.device.type, enabled=False):
            delta = _run_fused_back(
                grad.float().permute(2, 0, 1, 3).contiguous(), u, kept[:steps], kept[steps:]
            )
            # (S, M, B, G) to (M, S B, G), and what of it follows the state of the step before.
            flat = delta.transpose(0, 1).flatten(1, 2)
            after = delta[1:].transpose(0, 1).flatten(1, 2)
            before = state[:-1].transpose(0, 1).flatten(1, 2)
            found = (
                torch.bmm(flat, w).view_as(x).transpose(1, 2),
                torch.bmm(flat.mT, x.flatten(1, 2)),
                torch.bmm(after.mT, before),
                flat.sum(dim=1),
            )
        return tuple(g.to(t) for g, t in zip(found, ctx.types, strict=True))


def _run_fused(gates: Tensor, u: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Return states, cells (M B, D) and what the cell's backward wants (M B, G), of each step.

    Args:
        gates: (S, M, B, G) the inputs' part.
        u: (M, G, D).
    """
    ut = u.mT.contiguous()
    members, windows, width = gates.shape[1:]
    cell = gates.new_zeros(members * windows, width // 4)
    state = cell.view(members, windows, -1)
    states, cells, works = [], [], []
    for of_inputs in gates.unbind(0):
        of_state = torch.bmm(state, ut)
        now, cell, work = _CELL(of_inputs.flatten(0, 1), of_state.flatten(0, 1), cell, None, None)
        state = now.view(members, windows, -1)
        states.append(now)
        cells.append(cell)
        works.append(work)
    return states, cells, works


def _run_fused_back(grad: Tensor, u: Tensor, cells: list[Tensor], works: list[Tensor]) -> Tensor:
    """Return the gradient of the gates before their sigmoid and tanh, (S, M, B, G).

    Args:
        grad: (S, M, B, D) of the states.
        u: (M, G, D).
        cells: Of each step, (M B, D).
        works: See _run_fused.
    """
    steps, members, windows, _ = grad.shape
    of_cell = torch.zeros_like(cells[0])
    first = torch.zeros_like(cells[0])
    deltas: list[Tensor] = []
    for step in reversed(range(steps)):
        of_state = grad[step]
        if deltas:
            of_state = torch.baddbmm(of_state, deltas[-1].view(members, windows, -1), u)
        before = cells[step - 1] if step else first
        delta, of_cell, _ = _CELL_BACK(
            of_state.flatten(0, 1), of_cell, before, cells[step], works[step], False
        )
        deltas.append(delta)
    return torch.stack(deltas[::-1]).view(steps, members, windows, -1)


def _order(units: int, device: torch.device) -> Tensor:
    """Return where the gates out, in, forget, cell stand among torch's in, forget, cell, out."""
    return torch.arange(4 * units, device=device).roll(units)


def _run(gates: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Turn gates, which hold the inputs' part, into gates at work; return states and cells.

    Returns:
        State, cell and tanh of the cell after each step, (M, B, S, D) each.
    """
    units, ut = u.shape[2], u.mT
    state = gates.new_empty((*gates.shape[:3], units))
    cell, bent = torch.empty_like(state), torch.empty_like(state)
    for step in range(gates.shape[2]):
        now = gates[:, :, step]
        if step:
            now.baddbmm_(state[:, :, step - 1], ut)
        now[..., : 3 * units].sigmoid_()
        now[..., 3 * units :].tanh_()
        out, into, forget, new = torch.split(now, units, dim=2)
        torch.mul(into, new, out=cell[:, :, step])
        if step:
            cell[:, :, step].addcmul_(forget, cell[:, :, step - 1])
        torch.tanh(cell[:, :, step], out=bent[:, :, step])
        torch.mul(out, bent[:, :, step], out=state[:, :, step])
    return state, cell, bent


def _run_back(grad: Tensor, u: Tensor, gates: Tensor, cell: Tensor, bent: Tensor) -> Tensor:
    """Return the gradient of the gates before their sigmoid and tanh, (M, B, S, G)."""
    units = u.shape[2]
    out, into, forget, new = torch.split(gates, units, dim=3)
    # What one unit of the state's (out) or the cell's gradient (the others) does to each gate.
    delta = torch.empty_like(gates)
    three = gates[..., : 3 * units]
    torch.addcmul(three, three, three, value=-1, out=delta[..., : 3 * units])
    to_out, to_in, to_forget, to_new = torch.split(delta, units, dim=3)
    to_out.mul_(bent)
    to_in.mul_(new)
    to_forget[:, :, 1:].mul_(cell[:, :, :-1])
    to_forget[:, :, 0].zero_()
    torch.addcmul(into, into * new, new, value=-1, out=to_new)
    to_cell = torch.addcmul(out, out * bent, bent, value=-1)
    grad = grad.clone()
    of_cell = grad.new_zeros((*grad.shape[:2], units))
    rest = delta[..., units:].view(*delta.shape[:3], 3, units)
    for step in reversed(range(grad.shape[2])):
        of_state = grad[:, :, step]
        if step + 1 < grad.shape[2]:
            of_state.baddbmm_(delta[:, :, step + 1], u)
        of_cell.addcmul_(of_state, to_cell[:, :, step])
        to_out[:, :, step].mul_(of_state)
        rest[:, :, step].mul_(of_cell[:, :, None])
        of_cell.mul_(forget[:, :, step])
    return delta
