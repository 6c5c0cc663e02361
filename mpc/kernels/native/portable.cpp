// One word at a time, on any processor; and which paths this one has.
#include <stdexcept>

#include "tile.h"

namespace latticework::ring {
namespace {

struct Words {
    using V = u64;
    static constexpr size_t lanes = 1, rows = 2, vectors = 4;
    static V zero() { return 0; }
    static V load(const u64* p) { return *p; }
    static void store(u64* p, V v) { *p = v; }
    static V broadcast(const u64* p) { return *p; }
    static V add(V x, V y) { return x + y; }
    static V sub(V x, V y) { return x - y; }
    static V mul(V x, V y) { return x * y; }
};

std::vector<const Path*> all_paths() {
    std::vector<const Path*> out;
    for (const Path* path : {portable_path(), avx2_path(), avx512_path()})
        if (path != nullptr) out.push_back(path);
    return out;
}

}  // namespace

const Path* portable_path() {
    static const Path path = make_path<Words>("portable");
    return &path;
}

std::vector<std::string> supported_paths() {
    std::vector<std::string> out;
    for (const Path* path : all_paths()) out.push_back(path->name);
    return out;
}

const Path& path_by_name(const std::string& name) {
    for (const Path* path : all_paths())
        if (name == path->name) return *path;
    throw std::invalid_argument("path " + name + " is not among those of this CPU");
}

}  // namespace latticework::ring
