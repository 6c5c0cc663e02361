// Threads and memory: one pool of each for the process, started at first use.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace latticework {

// Runs work(i) for i in [0, count) on up to `threads` threads, the caller among them, and returns when all are done. Any number of
// callers may be at it at once. Which thread takes which i changes nothing but time. What work throws comes out of the call.
void parallel_for(size_t count, int threads, const std::function<void(size_t)>& work);

// 64-byte aligned memory (large pieces in huge pages) that is kept for reuse when given back; throws std::bad_alloc.
void* take_buffer(size_t bytes);
void give_buffer(void* buffer, size_t bytes) noexcept;

// n words that go back to the pool at the end of their scope.
template <class T>
class Scratch {
public:
    explicit Scratch(size_t n) : bytes_(n * sizeof(T)), data_(static_cast<T*>(take_buffer(bytes_))) {}
    ~Scratch() { give_buffer(data_, bytes_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    T* get() const { return data_; }

private:
    size_t bytes_;
    T* data_;
};

}  // namespace latticework
