// The Python face: places are checked once more, the GIL is released, nothing is computed here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>

#include "product.h"

namespace nb = nanobind;

namespace latticework::ring {
namespace {

template <class T>
using Array = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Places = Array<const i64>;

void expect(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(std::string("size mismatch: ") + what);
}

void check_places(size_t words, const Places& rows, const Places& columns, const char* name) {
    if (rows.size() == 0 || columns.size() == 0) return;
    const auto [top, bottom] = std::minmax_element(rows.data(), rows.data() + rows.size());
    const auto [left, right] = std::minmax_element(columns.data(), columns.data() + columns.size());
    const i64 most = static_cast<i64>(words) - 1;
    expect(*top >= 0 && *left >= 0 && *bottom <= most && *right <= most - *bottom, name);
}

template <class T>
using Plane = nb::ndarray<T, nb::ndim<2>, nb::device::cpu>;

template <class T>
struct Spaced {
    std::vector<i64> rows, columns;
    explicit Spaced(const Plane<T>& x) : rows(x.shape(0)), columns(x.shape(1)) {
        for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<i64>(i) * x.stride(0);
        for (size_t j = 0; j < columns.size(); ++j) columns[j] = static_cast<i64>(j) * x.stride(1);
    }
};

// i64 in Python, and words here: the products are the same.
template <class To, class From>
To* words(From* data) {
    return reinterpret_cast<To*>(data);
}

void matmul(const std::string& path, int threads, const Plane<const i64>& x, const Plane<const i64>& y, const Plane<i64>& out) {
    expect(x.shape(0) == out.shape(0) && x.shape(1) == y.shape(0) && y.shape(1) == out.shape(1), "x, y or out");
    expect(threads >= 1 && x.shape(1) >= 1, "threads or depth");
    const Spaced<const i64> left(x), right(y);
    const Spaced<i64> to(out);
    product({path_by_name(path), threads, false, 1}, {words<const u64>(x.data()), left.rows.data(), left.columns.data()},
            {words<const u64>(y.data()), right.rows.data(), right.columns.data()},
            {words<u64>(out.data()), to.rows.data(), to.columns.data()}, {x.shape(0), x.shape(1), y.shape(1)});
}

void multiply(const std::string& path, int threads, const Array<const i64>& x, const Places& x_rows, const Places& x_columns,
              const Array<const i64>& y, const Places& y_rows, const Places& y_columns, const Array<i64>& out,
              const Places& out_rows, const Places& out_columns, bool add, size_t block) {
    const Sizes sizes{out_rows.size(), x_columns.size(), out_columns.size()};
    expect(x_rows.size() == sizes.height && y_rows.size() == sizes.depth && y_columns.size() == sizes.width, "places");
    check_places(x.size(), x_rows, x_columns, "left");
    check_places(y.size(), y_rows, y_columns, "right");
    check_places(out.size(), out_rows, out_columns, "out");
    expect(threads >= 1 && sizes.depth >= 1 && block >= 1 && (!add || sizes.width % block == 0), "threads, depth or block");
    product({path_by_name(path), threads, add, block},
            {words<const u64>(x.data()), x_rows.data(), x_columns.data()},
            {words<const u64>(y.data()), y_rows.data(), y_columns.data()},
            {words<u64>(out.data()), out_rows.data(), out_columns.data()}, sizes);
}

}  // namespace
}  // namespace latticework::ring

NB_MODULE(_ring, m) {
    m.def("paths", &latticework::ring::supported_paths);
    m.def("matmul", &latticework::ring::matmul, nb::call_guard<nb::gil_scoped_release>());
    m.def("multiply", &latticework::ring::multiply, nb::call_guard<nb::gil_scoped_release>());
}
