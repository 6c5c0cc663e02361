// The Python face of the coarse calls: sizes are checked once more, the GIL is released, nothing is computed here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <complex>
#include <cstring>
#include <optional>

#include "engine.h"
#include "pool.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace latticework {
namespace {

template <class T>
using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
using In = Array<const u64>;
using Out = Array<u64>;

void expect(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(std::string("size mismatch: ") + what);
}

// How many pieces of `unit` numbers an array has.
template <class T>
size_t count_of(const Array<T>& x, size_t unit, const char* name) {
    expect(x.size() % unit == 0, name);
    return x.size() / unit;
}

size_t polys_of(const Basis& b, const In& x, const Out& out) {
    expect(out.size() == x.size(), "out");
    return count_of(x, b.limbs() * b.n, "x");
}

struct Seed {
    u32 words[8];
    explicit Seed(const nb::bytes& seed) {
        expect(seed.size() == sizeof words, "seed");
        std::memcpy(words, seed.c_str(), sizeof words);
    }
};

using Residues = nb::ndarray<nb::c_contig, nb::device::cpu>;  // of eight bytes or of four

bool is_narrow(const Residues& x) {
    expect(x.dtype() == nb::dtype<u64>() || x.dtype() == nb::dtype<u32>(), "type of residues");
    return x.dtype() == nb::dtype<u32>();
}

Key key_of(const Gadget& g, const Residues& key) {
    expect(key.ndim() == 4 && key.shape(0) >= g.digits.size() && key.shape(1) == 2 && key.shape(2) >= g.basis.limbs() &&
               key.shape(3) == g.basis.n,
           "key");
    return {key.data(), key.shape(2), is_narrow(key)};
}

Addend addend_of(const Gadget& g, const std::optional<In>& addend) {
    if (!addend) return {nullptr, 0};
    const size_t components = count_of(*addend, g.level() * g.basis.n, "addend");
    expect(components == 1 || components == 2, "addend");
    return {addend->data(), components};
}

const Divider& divider_of(const Gadget& g, bool rescale) {
    expect(!rescale || g.rescaler != nullptr, "rescale at the lowest level");
    return rescale ? *g.rescaler : *g.divider;
}

nb::object empty(const std::vector<size_t>& shape) {
    struct Owned {
        void* data;
        size_t bytes;
    };
    size_t bytes = sizeof(u64);
    for (const size_t s : shape) bytes *= s;
    auto* owned = new Owned{take_buffer(bytes), bytes};
    const nb::capsule owner(owned, [](void* p) noexcept {
        auto* o = static_cast<Owned*>(p);
        give_buffer(o->data, o->bytes);
        delete o;
    });
    return nb::cast(nb::ndarray<nb::numpy, u64>(owned->data, shape.size(), shape.data(), owner));
}

std::vector<const u64*> pointers(const std::vector<In>& arrays, size_t size, const char* name) {
    std::vector<const u64*> out;
    for (const In& a : arrays) {
        expect(a.size() == size, name);
        out.push_back(a.data());
    }
    return out;
}

using Integers = Array<const i64>;

bool all_in(const Integers& x, i64 low, i64 high) {
    return std::all_of(x.data(), x.data() + x.size(), [=](i64 v) { return low <= v && v < high; });
}

IntegerMatrix make_matrix(size_t height, size_t width, const Integers& used, const Integers& starts, const Integers& rows,
                          const Integers& places, const Integers& weights) {
    const i64 terms = static_cast<i64>(places.size()), bound = i64{1} << 62;
    expect(height > 0 && all_in(used, 0, static_cast<i64>(width)) && all_in(rows, -1, static_cast<i64>(height)), "used or rows");
    expect(starts.size() >= 2 && starts.data()[0] == 0 && starts.data()[starts.size() - 1] == terms &&
               std::is_sorted(starts.data(), starts.data() + starts.size()) && rows.size() == 4 * (starts.size() - 1), "starts");
    expect(all_in(places, 0, static_cast<i64>(used.size())), "places");
    expect(weights.size() == 4 * places.size() && all_in(weights, 1 - bound, bound), "weights");
    IntegerMatrix m{height, width, {used.data(), used.data() + used.size()}, {starts.data(), starts.data() + starts.size()},
                    {rows.data(), rows.data() + rows.size()}, {places.data(), places.data() + places.size()},
                    {weights.data(), weights.data() + weights.size()}};
    m.weights.resize((m.weights.size() + 7) / 8 * 8);
    return m;
}

// A row a modulus, (tiles, terms, chunk) as WeightRow says.
std::vector<WeightRow> weight_rows(const Basis& b, const std::vector<Residues>& rows, u32 log_run) {
    expect(rows.size() == b.limbs() && log_run < 32 && b.n >> log_run > 0, "weights");
    std::vector<WeightRow> out;
    for (const auto& row : rows) {
        expect(row.ndim() == 3, "weights");
        out.push_back({row.data(), row.shape(1), log_run, is_narrow(row)});
        expect(row.shape(2) == out.back().chunk() && row.shape(0) * row.shape(2) == b.n >> log_run, "weights");
        expect(out.back().terms == out.front().terms, "weights");
    }
    return out;
}

void weigh(const Basis& b, const std::vector<Residues>& weights, u32 log_run,
           const std::vector<In>& vectors, const std::vector<size_t>& starts, const std::vector<u32>& places, Out out) {
    const std::vector<WeightRow> rows = weight_rows(b, weights, log_run);
    const size_t terms = rows.front().terms;
    expect(starts.size() >= 2 && starts.front() == 0 && starts.back() == terms && std::is_sorted(starts.begin(), starts.end()), "starts");
    expect(places.size() == terms && std::all_of(places.begin(), places.end(), [&](u32 p) { return p < vectors.size(); }), "places");
    const size_t count = starts.size() - 1, components = count_of(out, count * b.limbs() * b.n, "out");
    const std::vector<const u64*> from = pointers(vectors, out.size() / count, "vector");
    weighted_sums(b, rows, from, {starts, places}, components, out.data());
}

using Unlocked = nb::call_guard<nb::gil_scoped_release>;

void bind_handles(nb::module_& m) {
    m.def("paths", &supported_paths);
    m.def("empty", &empty, "shape"_a);
    nb::class_<Basis>(m, "Basis")
        .def("__init__",
             [](Basis* self, u32 n, const std::vector<u64>& moduli, const std::vector<u64>& roots, const std::string& path,
                int threads) {
                 const nb::gil_scoped_release unlocked;
                 new (self) Basis(make_basis(n, moduli, roots, path, threads));
             })
        .def("select", &Basis::select);
    nb::class_<Converter>(m, "Converter")
        .def("__init__", [](Converter* self, const Basis& source, const Basis& target, std::vector<u64> inverses,
                            std::vector<std::vector<u64>> factors) {
            new (self) Converter(make_converter(source, target, std::move(inverses), std::move(factors)));
        });
    nb::class_<Divider>(m, "Divider").def("__init__", [](Divider* self, const Converter& c, const std::vector<u64>& inverses) {
        expect(inverses.size() == c.target.limbs(), "inverses");
        std::vector<Factor> factors;
        for (size_t i = 0; i < inverses.size(); ++i) factors.push_back(c.target.factor(i, inverses[i]));
        new (self) Divider{std::make_shared<const Converter>(c), std::move(factors)};
    });
    nb::class_<Gadget>(m, "Gadget")
        .def("__init__", [](Gadget* self, const Basis& b, const Divider& d, const Divider* rescaler,
                            const std::vector<const Converter*>& digits, const std::vector<u64>& special_product) {
            Gadget g{b, std::make_shared<const Divider>(d), nullptr, {}, {0}, {}};
            if (rescaler != nullptr) g.rescaler = std::make_shared<const Divider>(*rescaler);
            expect(special_product.size() == g.level(), "special_product");
            for (size_t i = 0; i < g.level(); ++i) g.special_product.push_back(b.factor(i, special_product[i]));
            for (const Converter* c : digits) {
                g.digits.push_back(std::make_shared<const Converter>(*c));
                g.first.push_back(g.first.back() + c->source.limbs());
            }
            expect(g.first.back() == g.level(), "digits");
            new (self) Gadget(std::move(g));
        }, "basis"_a, "divider"_a, "rescaler"_a.none(), "digits"_a, "special_product"_a);
    nb::class_<IntegerMatrix>(m, "IntegerMatrix")
        .def("__init__", [](IntegerMatrix* self, size_t height, size_t width, const Integers& used, const Integers& starts,
                            const Integers& rows, const Integers& places, const Integers& weights) {
            new (self) IntegerMatrix(make_matrix(height, width, used, starts, rows, places, weights));
        });
    nb::class_<Embedding>(m, "Embedding")
        .def("__init__", [](Embedding* self, const Array<const double>& re, const Array<const double>& im,
                            const Array<const u32>& order, const std::string& path, int threads) {
            expect(re.size() == im.size() && re.size() == order.size(), "roots");
            for (size_t i = 0; i < order.size(); ++i) expect(order.data()[i] < order.size(), "order");
            new (self) Embedding{&path_by_name(path), threads, {re.data(), re.data() + re.size()},
                                 {im.data(), im.data() + im.size()}, {order.data(), order.data() + order.size()}};
        });
}

void bind_ring(nb::module_& m) {
    m.def("ntt", [](const Basis& b, In x, Out out) { ntt(b, x.data(), out.data(), polys_of(b, x, out)); }, Unlocked());
    m.def("intt", [](const Basis& b, In x, Out out) { intt(b, x.data(), out.data(), polys_of(b, x, out)); }, Unlocked());
    const auto binary = [&m](const char* name, Op op) {
        m.def(name, [op](const Basis& b, In x, In y, Out out) {
            const size_t y_polys = count_of(y, b.limbs() * b.n, "y");
            elementwise(op, b, x.data(), y.data(), nullptr, out.data(), polys_of(b, x, out), y_polys);
        }, Unlocked());
    };
    binary("add", Op::add);
    binary("sub", Op::sub);
    binary("mul", Op::mul);
    m.def("tensor", [](const Basis& b, In x, In y, Out out) {
        const size_t poly = b.limbs() * b.n;
        expect(x.size() == 2 * poly && y.size() == 2 * poly && out.size() == 3 * poly, "x, y or out");
        tensor(b, x.data(), y.data(), out.data());
    }, Unlocked());
    m.def("neg", [](const Basis& b, In x, Out out) {
        elementwise(Op::neg, b, x.data(), nullptr, nullptr, out.data(), polys_of(b, x, out), 1);
    }, Unlocked());
    m.def("mul_add", [](const Basis& b, In x, In y, In z, Out out) {
        expect(z.size() == x.size(), "z");
        const size_t y_polys = count_of(y, b.limbs() * b.n, "y");
        elementwise(Op::mul_add, b, x.data(), y.data(), z.data(), out.data(), polys_of(b, x, out), y_polys);
    }, Unlocked());
    m.def("add_scalar", [](const Basis& b, In x, const std::vector<u64>& s, Out out) {
        expect(s.size() == b.limbs(), "scalars");
        add_scalar(b, x.data(), s, out.data(), polys_of(b, x, out));
    }, Unlocked());
    m.def("mul_scalar", [](const Basis& b, In x, const std::vector<u64>& s, Out out) {
        expect(s.size() == b.limbs(), "scalars");
        mul_scalar(b, x.data(), s, out.data(), polys_of(b, x, out));
    }, Unlocked());
    m.def("automorphism", [](const Basis& b, In x, u64 k, Out out) {
        automorphism(b, x.data(), k, out.data(), polys_of(b, x, out));
    }, Unlocked());
    m.def("automorphism_ntt", [](const Basis& b, In x, u64 k, Out out) {
        automorphism_ntt(b, x.data(), k, out.data(), polys_of(b, x, out));
    }, Unlocked());
    m.def("weighted_sums", &weigh, Unlocked());
    m.def("matrix_product", [](const Basis& b, const IntegerMatrix& matrix, const std::vector<In>& vectors, Out out) {
        expect(vectors.size() == matrix.width, "vectors");
        const size_t poly = b.limbs() * b.n, each = out.size() / matrix.height;
        expect(each > 0 && each % poly == 0 && each * matrix.height == out.size(), "out");
        matrix_product(b, matrix, pointers(vectors, each, "vector"), each / poly, out.data());
    }, Unlocked());
}

void bind_switching(nb::module_& m) {
    m.def("convert", [](const Converter& c, In x, Out out) {
        const size_t polys = count_of(x, c.source.limbs() * c.source.n, "x");
        expect(out.size() == polys * c.target.limbs() * c.target.n, "out");
        convert(c, x.data(), out.data(), polys);
    }, Unlocked());
    m.def("mod_down", [](const Divider& d, In x, Out out) {
        const size_t n = d.kept().n, polys = count_of(x, d.limbs() * n, "x");
        expect(out.size() == polys * d.kept().limbs() * n, "out");
        mod_down(d, x.data(), out.data(), polys);
    }, Unlocked());
    m.def("decompose", [](const Gadget& g, In x, Out out) {
        expect(x.size() == g.level() * g.basis.n, "x");
        expect(out.size() == g.digits.size() * g.basis.limbs() * g.basis.n, "out");
        decompose(g, x.data(), out.data());
    }, Unlocked());
    m.def("inner_product", [](const Gadget& g, In digits, const Residues& key, u64 galois, std::optional<In> addend, Out out) {
        expect(digits.size() == g.digits.size() * g.basis.limbs() * g.basis.n, "digits");
        expect(out.size() == 2 * g.basis.limbs() * g.basis.n, "out");
        inner_product(g, digits.data(), {key_of(g, key), galois}, addend_of(g, addend), out.data());
    }, "gadget"_a, "digits"_a, "key"_a, "galois"_a, "addend"_a.none(), "out"_a, Unlocked());
    m.def("key_switch", [](const Gadget& g, In x, const Residues& key, u64 galois, std::optional<In> addend, bool rescale, Out out) {
        const Divider& by = divider_of(g, rescale);
        expect(x.size() == g.level() * g.basis.n && out.size() == 2 * by.kept().limbs() * g.basis.n, "x or out");
        key_switch(g, by, x.data(), {key_of(g, key), galois}, addend_of(g, addend), out.data());
    }, "gadget"_a, "x"_a, "key"_a, "galois"_a, "addend"_a.none(), "rescale"_a, "out"_a, Unlocked());
    m.def("key_switch_digits", [](const Gadget& g, In digits, const std::vector<Residues>& keys, const std::vector<u64>& galois,
                                  std::optional<In> addend, bool rescale, Out out) {
        const Divider& by = divider_of(g, rescale);
        const size_t each = 2 * by.kept().limbs() * g.basis.n;
        expect(digits.size() == g.digits.size() * g.basis.limbs() * g.basis.n, "digits");
        expect(keys.size() == galois.size() && out.size() == keys.size() * each, "keys");
        std::vector<Switch> switches;
        for (size_t r = 0; r < keys.size(); ++r) switches.push_back({key_of(g, keys[r]), galois[r]});
        key_switch_digits(g, by, digits.data(), switches, addend_of(g, addend), out.data());
    }, "gadget"_a, "digits"_a, "keys"_a, "galois"_a, "addend"_a.none(), "rescale"_a, "out"_a, Unlocked());
}

void bind_stream(nb::module_& m) {
    m.def("uniform", [](const Basis& b, const nb::bytes& seed, u32 stream, Out out) {
        expect(out.size() == b.limbs() * b.n, "out");
        const Seed key(seed);
        const nb::gil_scoped_release unlocked;
        uniform(b, key.words, stream, out.data());
    });
    m.def("sample", [](const std::string& path, const nb::bytes& seed, u32 stream, In thresholds, i64 offset,
                       Array<i64> out) {
        expect(out.size() % 8 == 0, "out");
        const Seed key(seed);
        const nb::gil_scoped_release unlocked;
        sample(path_by_name(path), key.words, stream, thresholds.data(), thresholds.size(), offset, out.data(), out.size());
    });
    m.def("keystream", [](const std::string& path, const nb::bytes& seed, std::vector<u32> nonce, u32 block, Out out) {
        expect(out.size() % 8 == 0 && nonce.size() == 3, "out");
        path_by_name(path).keystream(Seed(seed).words, nonce.data(), block, out.data(), out.size() / 8);
    });
    m.def("lift", [](const Basis& b, Array<const i64> x, bool values, Out out) {
        const size_t polys = count_of(x, b.n, "x");
        expect(out.size() == polys * b.limbs() * b.n, "out");
        lift(b, x.data(), out.data(), polys, values);
    }, Unlocked());
}

void bind_packing(nb::module_& m) {
    m.def("pack", [](const Basis& b, In x, Array<unsigned char> out) {
        const size_t polys = count_of(x, b.limbs() * b.n, "x");
        expect(out.size() == polys * packed_bytes(b), "out");
        pack(b, x.data(), out.data(), polys);
    }, Unlocked());
    m.def("unpack", [](const Basis& b, Array<const unsigned char> data, Out out) {
        const size_t polys = count_of(out, b.limbs() * b.n, "out");
        expect(data.size() == polys * packed_bytes(b), "data");
        return unpack(b, data.data(), out.data(), polys);
    }, Unlocked());
}

void bind_embedding(nb::module_& m) {
    using Complex = std::complex<double>;
    m.def("embed", [](const Embedding& e, Array<const double> x, Array<Complex> out) {
        expect(x.size() == 2 * out.size(), "out");
        embed(e, x.data(), reinterpret_cast<double*>(out.data()), count_of(x, 2 * e.order.size(), "x"));
    }, Unlocked());
    m.def("unembed", [](const Embedding& e, Array<const Complex> x, Array<double> out) {
        expect(out.size() == 2 * x.size(), "out");
        unembed(e, reinterpret_cast<const double*>(x.data()), out.data(), count_of(x, e.order.size(), "x"));
    }, Unlocked());
    m.def("round_residues", [](const Basis& b, Array<const double> x, double scale, bool values, Out out) {
        const size_t polys = count_of(x, b.n, "x");
        expect(out.size() == polys * b.limbs() * b.n, "out");
        round_residues(b, x.data(), scale, out.data(), polys, values);
    }, Unlocked());
    m.def("compose", [](const Basis& b, In x, double scale, Array<double> out) {
        const size_t polys = count_of(x, b.limbs() * b.n, "x");
        expect(out.size() == polys * b.n, "out");
        compose(b, x.data(), scale, out.data(), polys);
    }, Unlocked());
}

}  // namespace
}  // namespace latticework

NB_MODULE(_native, m) {
    latticework::bind_handles(m);
    latticework::bind_ring(m);
    latticework::bind_switching(m);
    latticework::bind_stream(m);
    latticework::bind_embedding(m);
    latticework::bind_packing(m);
}
