// A disk that becomes full, for the processes that load this library before all others (LD_PRELOAD).
//
// TELETRAIN_FULL_DISK_FOLDER  files below this folder are on that disk
// TELETRAIN_FULL_DISK_ROOM    a file of 8 bytes, shared by all processes: how many more bytes fit, as a
//                             little-endian int64; a negative number: no limit
//
// As on a real disk, what still fits of a write is written and told, the next write fails with ENOSPC,
// and so does making a file or a folder; renaming, removing and overwriting nothing new do not. Unlike a
// real one, room that is freed by removing files does not come back by itself, and overwritten bytes
// count as new ones.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace {

struct Disk {
  const char* folder = nullptr;
  size_t length = 0;
  std::atomic<int64_t>* room = nullptr;
};

const Disk& disk() {
  static const Disk found = [] {
    Disk disk;
    const char* folder = getenv("TELETRAIN_FULL_DISK_FOLDER");
    const char* path = getenv("TELETRAIN_FULL_DISK_ROOM");
    if (folder == nullptr || path == nullptr) return disk;
    const int file = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC));
    if (file < 0) return disk;
    void* shared = mmap(nullptr, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED) return disk;
    disk.folder = folder;
    disk.length = strlen(folder);
    disk.room = static_cast<std::atomic<int64_t>*>(shared);
    return disk;
  }();
  return found;
}

bool isBelow(const char* path) {
  const Disk& there = disk();
  return there.room != nullptr && strncmp(path, there.folder, there.length) == 0 &&
         (path[there.length] == '/' || path[there.length] == '\0');
}

bool isOnDisk(int file) {
  if (disk().room == nullptr) return false;
  char link[64];
  char path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return false;
  path[length] = '\0';
  return isBelow(path);
}

// How many of so many bytes fit; they are taken.
size_t take(size_t wanted) {
  int64_t room = disk().room->load();
  for (;;) {
    if (room < 0) return wanted;
    const auto fits = std::min<int64_t>(room, static_cast<int64_t>(wanted));
    if (disk().room->compare_exchange_weak(room, room - fits)) return static_cast<size_t>(fits);
  }
}

ssize_t full() {
  errno = ENOSPC;
  return -1;
}

// Whether a file or folder that is not there yet cannot be made.
bool refuses(const char* path) {
  if (!isBelow(path) || disk().room->load() != 0) return false;
  struct stat status;
  return lstat(path, &status) != 0;
}

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// Writes the buffers one by one, as much as fits; no caller of ours needs them to be one call.
template <typename Write>
ssize_t writeEach(const iovec* buffers, int count, Write write) {
  ssize_t done = 0;
  for (int at = 0; at < count; ++at) {
    const ssize_t written = write(buffers[at].iov_base, buffers[at].iov_len, done);
    if (written < 0) return done > 0 ? done : -1;
    done += written;
    if (static_cast<size_t>(written) < buffers[at].iov_len) break;
  }
  return done;
}

}  // namespace

extern "C" {

ssize_t write(int file, const void* bytes, size_t count) {
  static const auto next = real<ssize_t (*)(int, const void*, size_t)>("write");
  if (count == 0 || !isOnDisk(file)) return next(file, bytes, count);
  const size_t fits = take(count);
  return fits == 0 ? full() : next(file, bytes, fits);
}

ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t offset) {
  static const auto next = real<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  if (count == 0 || !isOnDisk(file)) return next(file, bytes, count, offset);
  const size_t fits = take(count);
  return fits == 0 ? full() : next(file, bytes, fits, offset);
}

ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) {
  return pwrite64(file, bytes, count, offset);
}

ssize_t writev(int file, const iovec* buffers, int count) {
  static const auto next = real<ssize_t (*)(int, const iovec*, int)>("writev");
  if (!isOnDisk(file)) return next(file, buffers, count);
  return writeEach(buffers, count, [&](const void* bytes, size_t length, ssize_t) {
    return write(file, bytes, length);
  });
}

ssize_t pwritev64(int file, const iovec* buffers, int count, off64_t offset) {
  static const auto next = real<ssize_t (*)(int, const iovec*, int, off64_t)>("pwritev64");
  if (!isOnDisk(file)) return next(file, buffers, count, offset);
  return writeEach(buffers, count, [&](const void* bytes, size_t length, ssize_t done) {
    return pwrite64(file, bytes, length, offset + done);
  });
}

ssize_t pwritev(int file, const iovec* buffers, int count, off_t offset) {
  return pwritev64(file, buffers, count, offset);
}

int open64(const char* path, int flags, ...) {
  static const auto next = real<int (*)(const char*, int, ...)>("open64");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if ((flags & O_CREAT) != 0 && refuses(path)) return static_cast<int>(full());
  return next(path, flags, mode);
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open64(path, flags, mode);
}

int mkdir(const char* path, mode_t mode) {
  static const auto next = real<int (*)(const char*, mode_t)>("mkdir");
  if (refuses(path)) return static_cast<int>(full());
  return next(path, mode);
}

}  // extern "C"
