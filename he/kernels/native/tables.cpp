// Building the handles: see tables.h.
#include "tables.h"

namespace latticework {
namespace {

__extension__ typedef unsigned __int128 u128;

u64 mul_mod(u64 a, u64 b, u64 q) { return static_cast<u64>(static_cast<u128>(a) * b % q); }

u64 pow_mod(u64 base, u64 exponent, u64 q) {
    u64 out = 1;
    for (; exponent != 0; exponent /= 2, base = mul_mod(base, base, q))
        if (exponent % 2 == 1) out = mul_mod(out, base, q);
    return out;
}

Modulus make_modulus(u64 q) {
    Modulus m{};
    m.q = q;
    m.ratio52 = (u64{1} << 52) / q;
    m.ratio64 = static_cast<u64>((static_cast<u128>(1) << 64) / q);
    m.pow52 = (u64{1} << 52) % q;
    m.pow52_companion = static_cast<u64>((static_cast<u128>(m.pow52) << 52) / q);
    m.pow32 = (u64{1} << 32) % q;
    m.lift_offset = ((u64{1} << 62) + q - 1) / q * q;
    m.qd = static_cast<double>(q);
    m.inverse = 1.0 / m.qd;
    return m;
}

}  // namespace

const Path& path_by_name(const std::string& name) {
    for (const Path* path : {&portable_path(), &avx2_path(), &avx512_path()})
        if (name == path->name && path->supported()) return *path;
    throw std::invalid_argument("no such path on this machine: " + name);
}

std::vector<std::string> supported_paths() {
    std::vector<std::string> names;
    for (const Path* path : {&portable_path(), &avx2_path(), &avx512_path()})
        if (path->supported()) names.emplace_back(path->name);
    return names;
}

ModulusTable::ModulusTable(const Path& path, u32 n, u64 q, u64 root)
    : w(n >> path.tail_levels), companion(n >> path.tail_levels), tail(size_t{n} / 16 * path.tail_words) {
    std::vector<u64> powers(n);
    powers[0] = 1;
    for (u32 i = 1; i < n; ++i) powers[i] = mul_mod(powers[i - 1], root, q);
    std::vector<Factor> factors(n);
    for (u32 i = 0, reversed = 0; i < n; ++i) {
        factors[i] = path.factor(powers[reversed], q);
        u32 bit = n / 2;  // count up from the top bit: bit reversal
        while (reversed & bit) reversed ^= bit, bit /= 2;
        reversed |= bit;
    }
    for (u32 i = 0; i < n >> path.tail_levels; ++i) w.get()[i] = factors[i].w, companion.get()[i] = factors[i].companion;
    if (path.tail_levels != 0) path.make_tail(factors.data(), n, tail.get());
    inverse_n = pow_mod(n, q - 2, q);
    scaled_last = mul_mod(inverse_n, pow_mod(powers[n / 2], q - 2, q), q);
    ntt = {make_modulus(q), n, w.get(), companion.get(), tail.get(), {path.factor(inverse_n, q), path.factor(scaled_last, q)}};
}

Basis make_basis(u32 n, const std::vector<u64>& moduli, const std::vector<u64>& roots, const std::string& name, int threads) {
    const Path* path = &path_by_name(name);
    if (n < path->min_n) path = &portable_path();
    Basis basis{path, n, threads, {}};
    basis.tables.resize(moduli.size());
    for (size_t i = 0; i < moduli.size(); ++i)
        basis.tables[i] = std::make_shared<const ModulusTable>(*path, n, moduli[i], roots[i]);
    return basis;
}

Basis Basis::select(const std::vector<size_t>& indices) const {
    Basis part{path, n, threads, {}};
    for (const size_t i : indices) part.tables.push_back(tables.at(i));
    return part;
}

std::array<Factor, 2> Basis::scaled_last(size_t i, u64 c) const {
    return {factor(i, mul_mod(tables[i]->inverse_n, c, q(i))), factor(i, mul_mod(tables[i]->scaled_last, c, q(i)))};
}

Converter make_converter(const Basis& source, const Basis& target, std::vector<u64> hat_inverse,
                         std::vector<std::vector<u64>> factors) {
    Converter c{source, target, std::move(hat_inverse), {}, {}, {}, std::move(factors)};
    for (size_t i = 0; i < source.limbs(); ++i) {
        c.hat_factor.push_back(source.factor(i, c.hat_inverse[i]));
        c.prepare.push_back(source.scaled_last(i, c.hat_inverse[i]));
        c.inverse.push_back(source.modulus(i).inverse);
    }
    return c;
}

}  // namespace latticework
