// The handles a caller holds: immutable tables for a basis, a base conversion, a division, a gadget, an embedding.
#pragma once

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "api.h"
#include "pool.h"

namespace latticework {

// One modulus with its twiddles, in the form of `path`; shared by all bases selected from one another.
struct ModulusTable {
    ModulusTable(const Path& path, u32 n, u64 q, u64 root);
    NttTable ntt;
    Scratch<u64> w, companion, tail;
    u64 scaled_last;  // psi^(-n/2) / n
    u64 inverse_n;    // 1 / n
};

struct Basis {
    const Path* path;
    u32 n;
    int threads;
    std::vector<std::shared_ptr<const ModulusTable>> tables;

    size_t limbs() const { return tables.size(); }
    const NttTable& ntt(size_t i) const { return tables[i]->ntt; }
    const Modulus& modulus(size_t i) const { return tables[i]->ntt.modulus; }
    u64 q(size_t i) const { return modulus(i).q; }
    Basis select(const std::vector<size_t>& indices) const;
    Factor factor(size_t i, u64 w) const { return path->factor(w, q(i)); }
    // The last factors of an inverse transform that also multiplies by c.
    std::array<Factor, 2> scaled_last(size_t i, u64 c) const;
};

const Path& path_by_name(const std::string& name);
std::vector<std::string> supported_paths();
Basis make_basis(u32 n, const std::vector<u64>& moduli, const std::vector<u64>& roots, const std::string& path, int threads);

// Base conversion (reference/basis.py, convert). prepare[i]: the last factors of an inverse transform that leaves y_i.
struct Converter {
    Basis source, target;
    std::vector<u64> hat_inverse;
    std::vector<Factor> hat_factor;                // hat_inverse, for coefficients
    std::vector<std::array<Factor, 2>> prepare;    // hat_inverse inside the inverse transform, for NTT values
    std::vector<double> inverse;                   // 1 / q_i
    std::vector<std::vector<u64>> factors;         // per target: Q / q_i mod p_j for each i, then -Q mod p_j
};
Converter make_converter(const Basis& source, const Basis& target, std::vector<u64> hat_inverse, std::vector<std::vector<u64>> factors);

// Division by the product of the last moduli (reference/basis.py, mod_down).
struct Divider {
    std::shared_ptr<const Converter> converter;
    std::vector<Factor> inverse;  // P^-1 mod q_i
    const Basis& dropped() const { return converter->source; }
    const Basis& kept() const { return converter->target; }
    size_t limbs() const { return dropped().limbs() + kept().limbs(); }
};

// Key switching at one level (reference/switching.py). Digit d's converter leads from its limbs to all other limbs of `basis`.
struct Gadget {
    Basis basis;
    std::shared_ptr<const Divider> divider;   // by P
    std::shared_ptr<const Divider> rescaler;  // by P and the last modulus of the level; null if that is the only one
    std::vector<std::shared_ptr<const Converter>> digits;
    std::vector<size_t> first;          // first limb of each digit, then the number of limbs of the level
    std::vector<Factor> special_product;  // P mod q_i
    size_t level() const { return divider->kept().limbs(); }
    size_t special() const { return divider->dropped().limbs(); }
};

// A sparse matrix in groups of four rows that share their columns (../matrix.py). Term t of group g, from starts[g] on, multiplies
// column used[places[t]] with the integers weights[4t + k] for the rows rows[4g + k], of which those below 0 do not exist. As the
// weights are lifted in whole vectors, zeros follow the last up to a multiple of 8.
struct IntegerMatrix {
    size_t height, width;
    std::vector<size_t> used, starts;
    std::vector<i64> rows;
    std::vector<u32> places;
    std::vector<i64> weights;
};

struct Embedding {
    const Path* path;
    int threads;
    std::vector<double> root_re, root_im;
    std::vector<u32> order;  // slot j is at leaf order[j]
};

}  // namespace latticework
