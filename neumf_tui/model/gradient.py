"""The gradient of a plain NeuMF on pairs, written out: for layers as small as these autograd takes three times as long.

Plain: both paths, no history, no dropout. tests/test_gradient.py holds it against autograd.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from neumf_tui.model.neumf import NeuMF

ScoreGradient = Callable[[Tensor, slice], tuple[Tensor, Tensor]]
"""Of scores (m, n), the positives' first, of these n pairs of a batch: the summed loss, and its gradient (m, n)."""
CACHE_VALUES = 1 << 18
"""Values of a hidden layer at once on a CPU, so that it stays in the second-level cache: with 64 factors a third of the time."""


class PlainGradient:
    """Adds the gradients of batches to the `grad` of a model's layers, and to that of one table of its vectors.

    Hidden units first and pairs last, as in `NeuMF.parts`: with δ the gradient of the scores, h_k a layer's output and
    z_k = W_k h_{k−1} + b_k what its ReLU gets, ∂z_k = (W_{k+1}ᵀ ∂z_{k+1}) ∘ [h_k > 0] and ∂W_k = ∂z_k h_{k−1}ᵀ. The first layer's
    halves, W·[u; v] = W_u·u + W_v·v, see each user once, with the sum over the user's items.
    """

    def __init__(self, model: NeuMF, table: Tensor, table_gradient: Tensor) -> None:
        """`table`, (users + items, 2d) or (2d, users + items), holds each vector of GMF and MLP side by side; model and table
        must stay where they are."""
        self.d = d = model.config.embedding_size
        self.table, self.table_gradient = table, table_gradient
        self.turned = len(table) == 2 * d
        width = max(layer.out_features for layer in model.hidden_layers())
        self.scores_at_once = CACHE_VALUES // width if table.device.type == "cpu" else 0
        # Views are made once: a step is some seventy small operations, and each view would be one more.
        layers = [(layer.weight.detach(), layer.bias.detach()) for layer in model.hidden_layers()]
        (first, self.first_bias), *rest = layers
        self.first_user, self.first_item, self.first_bias = (
            first[:, :d],
            first[:, d:],
            self.first_bias[:, None],
        )
        self.layers = [(weight, bias[:, None]) for weight, bias in rest]
        gradients = [
            (_gradient(layer.weight), _gradient(layer.bias)) for layer in model.hidden_layers()
        ]
        (first, self.bias_gradient), *self.layer_gradients = gradients
        self.first_user_gradient, self.first_item_gradient = first[:, :d], first[:, d:]
        head, gradient = model.head.weight.detach()[0], _gradient(model.head.weight)[0]
        self.head_gmf, self.head_mlp = head[:d, None], head[d:]
        self.head_gmf_gradient, self.head_mlp_gradient = gradient[:d], gradient[d:]

    def add(self, rows: Tensor, of_scores: ScoreGradient, *, apart: bool = False) -> Tensor:
        """The loss of a batch. `rows`, int64 (1 + m, b): in the table the user of each pair, then the m items scored for them.

        Where GMF and MLP learn `apart`, as two models, the loss is the sum of both models' losses.
        """
        pairs = rows.shape[1]
        size = max(1, self.scores_at_once // (len(rows) - 1)) if self.scores_at_once else pairs
        if pairs <= size:
            return self._add(rows, slice(0, pairs), of_scores, apart)
        parts = [slice(start, min(start + size, pairs)) for start in range(0, pairs, size)]
        return torch.stack(
            [self._add(rows[:, part], part, of_scores, apart) for part in parts]
        ).sum()

    def _add(self, rows: Tensor, part: slice, of_scores: ScoreGradient, apart: bool) -> Tensor:
        d, (m, b) = self.d, rows.shape
        m -= 1
        rows = rows.reshape(-1)
        vectors = (
            self.table.index_select(1, rows) if self.turned else self.table.index_select(0, rows).T
        )
        gmf, mlp = vectors[:d].contiguous(), vectors[d:]
        user_gmf, item_gmf = gmf[:, :b], gmf[:, b:].view(d, m, b)
        user_mlp, item_mlp = mlp[:, :b], mlp[:, b:]

        weighted = user_gmf * self.head_gmf
        scores = (item_gmf * weighted[:, None]).sum(0)
        hidden = self.first_item @ item_mlp
        hidden.view(-1, m, b).add_(torch.addmm(self.first_bias, self.first_user, user_mlp)[:, None])
        outputs = [hidden.relu_()]
        for weight, bias in self.layers:
            outputs.append(torch.addmm(bias, weight, outputs[-1]).relu_())
        of_mlp = (outputs[-1].T @ self.head_mlp).view(m, b)

        if apart:
            loss, delta = of_scores(scores, part)
            more, delta_mlp = of_scores(of_mlp, part)
            loss = loss + more
        else:
            loss, delta = of_scores(scores.add_(of_mlp), part)
            delta_mlp = delta
        flat = delta_mlp.view(-1)
        self.head_mlp_gradient.addmv_(outputs[-1], flat)
        back = self.head_mlp[:, None] * flat
        for number in range(len(self.layers) - 1, -1, -1):
            weight_gradient, bias_gradient = self.layer_gradients[number]
            back = torch.ops.aten.threshold_backward(back, outputs[number + 1], 0)
            weight_gradient.addmm_(back, outputs[number].T)
            bias_gradient.add_(back.sum(1))
            back = self.layers[number][0].T @ back
        back = torch.ops.aten.threshold_backward(back, outputs[0], 0)
        back_user = back.view(-1, m, b).sum(1)
        self.first_item_gradient.addmm_(back, item_mlp.T)
        self.first_user_gradient.addmm_(back_user, user_mlp.T)
        self.bias_gradient.add_(back_user.sum(1))

        gradient = torch.empty_like(vectors)
        torch.mm(self.first_item.T, back, out=gradient[d:, b:])
        torch.mm(self.first_user.T, back_user, out=gradient[d:, :b])
        torch.mul(weighted[:, None], delta, out=gradient[:d, b:].view(d, m, b))
        # Of Σ δ q over a user's items, p∘ gives the head's gradient and head∘ the user's.
        sums = (item_gmf * delta).sum(1)
        self.head_gmf_gradient.add_(torch.linalg.vecdot(sums, user_gmf))
        torch.mul(sums, self.head_gmf, out=gradient[:d, :b])
        if self.turned:
            self.table_gradient.index_add_(1, rows, gradient)
        else:
            self.table_gradient.index_add_(0, rows, gradient.T)
        return loss


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
