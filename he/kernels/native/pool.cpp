// Threads and memory: see pool.h.
#include "pool.h"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sys/mman.h>
#endif

namespace latticework {
namespace {

// One parallel_for: the helpers and the caller draw indices from `next` until they run out.
struct Job {
    const std::function<void(size_t)>& work;
    size_t count;
    int wanted;       // helpers that may still join; guarded by the pool's mutex
    int helping = 0;  // helpers at work; guarded by the pool's mutex
    std::atomic<size_t> next{0};

    std::mutex failure_mutex;
    std::exception_ptr failure;

    void draw() {
        try {
            for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) work(i);
        } catch (...) {
            const std::lock_guard<std::mutex> lock(failure_mutex);
            failure = std::current_exception();
            next = count;
        }
    }
};

class ThreadPool {
public:
    void run(size_t count, int threads, const std::function<void(size_t)>& work) {
        Job job{work, count, static_cast<int>(count < static_cast<size_t>(threads) ? count : threads) - 1};
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            while (started_ < job.wanted && start_one()) {}
            jobs_.push_back(&job);
        }
        wake_.notify_all();
        job.draw();
        std::unique_lock<std::mutex> lock(mutex_);
        job.wanted = 0;
        for (auto it = jobs_.begin(); it != jobs_.end(); ++it)
            if (*it == &job) {
                jobs_.erase(it);
                break;
            }
        done_.wait(lock, [&] { return job.helping == 0; });
        if (job.failure) std::rethrow_exception(job.failure);
    }

    std::mutex& mutex() { return mutex_; }

    // In the child of a fork, which has none of the threads. Its condition variables still count them as waiting, and a
    // notification could wait for ever for one of them to leave: they begin anew, without a destruction that would wait as well.
    void forget_threads() {
        started_ = 0, jobs_.clear();
        new (&wake_) std::condition_variable, new (&done_) std::condition_variable;
    }

private:
    bool start_one() {
        try {
            std::thread([this] { help(); }).detach();
        } catch (const std::system_error&) {
            return false;  // no more threads to be had: the caller does what the helpers do not
        }
        ++started_;
        return true;
    }

    Job* open_job() {
        for (Job* job : jobs_)
            if (job->wanted > 0) return job;
        return nullptr;
    }

    [[noreturn]] void help() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            Job* job = nullptr;
            wake_.wait(lock, [&] { return (job = open_job()) != nullptr; });
            --job->wanted, ++job->helping;
            lock.unlock();
            job->draw();
            lock.lock();
            if (--job->helping == 0) done_.notify_all();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::deque<Job*> jobs_;
    int started_ = 0;
};

// Free buffers by size. Rows and tables lie in huge pages: with small ones their place in the second-level cache is a matter of luck,
// and a transform takes up to twice as long. Pieces below a huge page are cut from slabs and kept for ever, larger ones up to a bound.
class BufferPool {
public:
    void* take(size_t bytes) {
        bytes = rounded(bytes);
        const std::lock_guard<std::mutex> lock(mutex_);
        std::vector<void*>& free = free_[bytes];
        if (free.empty()) return bytes >= smallest_cut && bytes < huge ? cut(bytes) : fresh(bytes);
        void* buffer = free.back();
        free.pop_back();
        if (bytes >= huge) held_ -= bytes;
        return buffer;
    }

    void give(void* buffer, size_t bytes) {
        bytes = rounded(bytes);
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (bytes < huge || held_ + bytes <= most_held) {
                free_[bytes].push_back(buffer);
                if (bytes >= huge) held_ += bytes;
                return;
            }
        }
        std::free(buffer);
    }

    std::mutex& mutex() { return mutex_; }

private:
    static constexpr size_t huge = size_t{2} << 20, slab_bytes = size_t{8} << 20, smallest_cut = size_t{16} << 10;
    static constexpr size_t most_held = size_t{512} << 20;

    // Whole cache lines, pages or huge pages, so that few sizes serve many.
    static size_t rounded(size_t bytes) {
        const size_t unit = bytes >= huge ? huge : bytes >= smallest_cut ? 4096 : 64;
        return (bytes + unit - 1) / unit * unit;
    }

    static void* fresh(size_t bytes) {
        void* buffer = std::aligned_alloc(bytes >= huge ? huge : 64, bytes);
        if (buffer == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
        if (bytes >= huge) madvise(buffer, bytes, MADV_HUGEPAGE);
#endif
        return buffer;
    }

    void* cut(size_t bytes) {
        if (left_ < bytes) slab_ = static_cast<char*>(fresh(slab_bytes)), left_ = slab_bytes;
        void* piece = slab_;
        slab_ += bytes, left_ -= bytes;
        return piece;
    }

    std::mutex mutex_;
    std::map<size_t, std::vector<void*>> free_;
    size_t held_ = 0;
    char* slab_ = nullptr;
    size_t left_ = 0;
};

// Both live as long as the process: helpers and arrays may outlive any orderly destruction.
ThreadPool& threads();
BufferPool& buffers();

void before_fork() { threads().mutex().lock(), buffers().mutex().lock(); }
void after_fork_parent() { buffers().mutex().unlock(), threads().mutex().unlock(); }
void after_fork_child() {
    threads().forget_threads();
    buffers().mutex().unlock(), threads().mutex().unlock();
}

ThreadPool& threads() {
    static ThreadPool* pool = [] {
        auto* made = new ThreadPool;
#if defined(__unix__) || defined(__APPLE__)
        pthread_atfork(before_fork, after_fork_parent, after_fork_child);
#endif
        return made;
    }();
    return *pool;
}

BufferPool& buffers() {
    static BufferPool* pool = new BufferPool;
    return *pool;
}

}  // namespace

void parallel_for(size_t count, int thread_count, const std::function<void(size_t)>& work) {
    if (thread_count <= 1 || count <= 1) {
        for (size_t i = 0; i < count; ++i) work(i);
        return;
    }
    threads().run(count, thread_count, work);
}

void* take_buffer(size_t bytes) { return buffers().take(bytes == 0 ? 64 : bytes); }
void give_buffer(void* buffer, size_t bytes) noexcept { buffers().give(buffer, bytes == 0 ? 64 : bytes); }

}  // namespace latticework
