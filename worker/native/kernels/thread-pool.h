#ifndef TELETRAIN_KERNELS_THREAD_POOL_H_
#define TELETRAIN_KERNELS_THREAD_POOL_H_

namespace teletrain {

// Calls body(closure, part) for every part in 0..parts-1 on the caller and the kernels' threads, which
// are started once, and returns when all are done. Their number is TF_NUM_INTRAOP_THREADS, else that
// of the processors. Which thread takes a part is not determined; one call runs at a time.
void runInParallel(int parts, void (*body)(void* closure, int part), void* closure);

}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_THREAD_POOL_H_
