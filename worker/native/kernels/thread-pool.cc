#include "thread-pool.h"

#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

namespace teletrain {
namespace {

int threadCount() {
  const char* wanted = getenv("TF_NUM_INTRAOP_THREADS");
  const int asked = wanted == nullptr ? 0 : atoi(wanted);
  if (asked > 0) return asked;
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  return processors > 0 ? processors : 1;
}

// Threads begin with the floating-point environment, denormals flushed or kept, of the thread that makes
// them: C++ has it so for every std::thread. That is the engine's one thread of JavaScript, which is also
// the one that TensorFlow runs every kernel on, so a part's result does not depend on who takes it.
class ThreadPool {
 public:
  ThreadPool() {
    const int others = threadCount() - 1;
    for (int i = 0; i < others; i++) {
      try {
        std::thread([this] { serve(); }).detach();
        threads_++;
      } catch (const std::system_error&) {
        return;  // The system allows no more; those there are do the work.
      }
    }
  }

  void run(int parts, void (*body)(void*, int), void* closure) {
    std::lock_guard<std::mutex> oneAtATime(calls_);
    if (threads_ == 0 || parts == 1) {
      for (int part = 0; part < parts; part++) body(closure, part);
      return;
    }
    std::unique_lock<std::mutex> lock(mutex_);
    body_ = body;
    closure_ = closure;
    parts_ = parts;
    next_ = 0;
    unfinished_ = parts;
    generation_++;
    wake_.notify_all();
    work(lock);
    done_.wait(lock, [this] { return unfinished_ == 0; });
  }

 private:
  // Takes parts until none is left; the lock is held but while a part is computed.
  void work(std::unique_lock<std::mutex>& lock) {
    while (next_ < parts_) {
      const int part = next_++;
      void (*const body)(void*, int) = body_;
      void* const closure = closure_;
      lock.unlock();
      body(closure, part);
      lock.lock();
      if (--unfinished_ == 0) done_.notify_all();
    }
  }

  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    unsigned long seen = 0;
    while (true) {
      wake_.wait(lock, [&] { return generation_ != seen; });
      seen = generation_;
      work(lock);
    }
  }

  std::mutex calls_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  unsigned long generation_ = 0;
  int threads_ = 0;
  int parts_ = 0, next_ = 0, unfinished_ = 0;
  void (*body_)(void*, int) = nullptr;
  void* closure_ = nullptr;
};

}  // namespace

void runInParallel(int parts, void (*body)(void*, int), void* closure) {
  // Never destroyed: its threads may outlive static destructors.
  static ThreadPool* const pool = new ThreadPool();
  pool->run(parts, body, closure);
}

}  // namespace teletrain
