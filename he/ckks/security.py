"""How large the modulus may be: the largest log2(QP) for a ring degree and a security level."""

from types import MappingProxyType

LEVELS = (128, 192, 256)

# Bossuat et al., "Security Guidelines for Implementing Homomorphic Encryption", ePrint 2024/463, table 5.2:
# ternary uniform secret, sigma 3.19, classical attacks. log2(N) -> (128, 192, 256 bits); 0: none is safe.
LARGEST_LOG_QP = MappingProxyType(
    {
        10: (26, 0, 0),
        11: (53, 36, 27),
        12: (106, 73, 56),
        13: (214, 147, 114),
        14: (430, 297, 230),
        15: (868, 597, 462),
        16: (1747, 1199, 929),
        17: (3523, 2411, 1866),
    }
)


def largest_log_qp(log_n: int, security: int) -> int:
    """The largest log2(QP), in bits, with which ring degree 2^log_n keeps `security` bits."""
    if security not in LEVELS:
        raise ValueError(f"security is {security}, expected one of {LEVELS}")
    if log_n not in LARGEST_LOG_QP:
        raise ValueError(f"log_n is {log_n}, expected {min(LARGEST_LOG_QP)} to {max(LARGEST_LOG_QP)}")
    return LARGEST_LOG_QP[log_n][LEVELS.index(security)]


def reached(log_n: int, log_qp: float) -> int:
    """The highest security level of the table that (N, QP) reaches: 256, 192, 128, or 0 for less."""
    return max((s for s in LEVELS if log_qp <= largest_log_qp(log_n, s)), default=0)
