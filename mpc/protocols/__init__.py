"""Protocols on shares: pure functions of one party's shares, its dealt randomness and a way to open.

What each operation on secret tensors runs on, and why it is secure against all parties but one (semi-honest)
and, apart from them, against the dealer, who sees no message of theirs. The proof stands in the file named.

    operation                     protocol                                  source
    sums, public factors          linear maps of shares; nothing is sent    -
    x y, matmul, convolutions     CrypTen's, with dealt products            Beaver, Crypto 1991
      three parties, no helper    replicated shares, if agreed:             Araki and others,
                                  replicated, mpc.helperless                ePrint 2016/768
      CrypTen's replicated        mpc.rerandomise, three parties            Mohassel, Rindal, ePrint 2018/403
    division by public numbers,   truncate: opened under a dealt mask;      Escudero and others,
      rescaling of products       those of layers wait: mpc.waiting         ePrint 2020/338, section 5
    x < y, x = y, ReLU, abs       compare: x + r opened, then a tree of     Damgard and others, TCC 2006;
                                  conjunctions of up to four bits;          Ohata, Nuida, ePrint 2019/1020
                                  divides on the way what waits for it
      two parties, if asked for   compare_dcf: x + r opened, then a         Boyle and others,
      or by cost: mpc.choice      distributed comparison function           ePrint 2020/1392
    gradients of ReLU, max-pool   gate: a product with a test's result,     as for products and division
                                  divided on the way
    max, argmax                   leagues: all pairs compared, wins looked  Ishai and others, TCC 2013,
                                  up in a dealt table: mpc.maximum, lookup  for the table
      two numbers, max-pool,      knockout of comparisons: mpc.maximum,     -
      and where bytes matter      mpc.pooling
      more than rounds
    sigmoid, tanh                 two comparisons, harmonics: mpc.smooth    Kei, Chow, "SHAFT", NDSS 2025
    softmax                       max, comparison, harmonics twice,         as above
                                  one product: mpc.smooth
    SGD of CrypTen                one division for all parameters:          -
                                  mpc.updates
    GELU, SiLU                    two comparisons, harmonics:               as above
                                  mpc.activations
    reciprocal, sqrt, inv_sqrt,   comparisons with powers, harmonics,       as above, for the mantissa;
      log, exp                    one product: mpc.scaled                   powers: see the file
    cross entropies               sigmoid or softmax; log when the value    -
                                  is read: mpc.losses
    random bits, dropout          CrypTen's, with dealt bits                Knott and others, NeurIPS 2021
    cos, sin, erf, x^p            CrypTen's formulas on the above           Knott and others, NeurIPS 2021

    With replicated shares all else is run by two parties, with tuples of the third (mpc.third), and there
    "the dealer" below is the third party.

    By the tree a test takes 4 rounds and 24.5 bytes, sent and received by one of two parties; by keys 1
    round and 16 bytes, and a ReLU no more. For a key the dealer sends one party 2048 bytes, the other 2032.

Every value opened is the sum, or the exclusive or, of a secret and a dealt mask that is uniform, independent
of all else and used once: a simulator draws it at random; keys it makes up as well, if AES is an ideal cipher
(mpc.protocols.dcf). So protocols may follow one another or run side by side, as long as no mask is used
twice: the numbers of tuples only count up, which every party checks at each tuple (mpc.dealer.client), and a
stock marks tuples as used before they are (mpc.stock).
"""
