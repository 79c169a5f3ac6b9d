"""How many importance samples a likelihood needs before it may rank configurations."""

# Measured on the digits (K = 1, 5, 20, 50; two seeds): at 1 sample K = 1 looked better than K = 50, at 20
# samples K = 20 looked better than K = 50, from 50 on the order stayed and from 100 on all gaps to .05 nats.
FEWEST = 100
TIMES_K = 2


def fewest_final_samples(largest_k: int) -> int:
    """The least ``final_num_samples`` that ranks configurations trained with up to ``largest_k`` samples.

    −L at no more samples than a model was trained with is that model's training bound.
    """
    return max(FEWEST, TIMES_K * largest_k)
