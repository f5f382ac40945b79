#pragma once

#include <string>

/// Everything that differs between LibTorch versions, or that has to be told to LibTorch once a
/// process.
namespace probedarts::nets {

/// Version LibTorch was built as, for example "1.13.1".
std::string libtorch_version();

/// Threads for LibTorch's own loops (Debian's LibTorch starts with one); OpenBLAS beneath it is
/// kept to one. Its threads are not LibTorch's, and both kinds go on spinning after each operation:
/// where small products and loops take turns, they keep the cores from one another.
void set_threads(int threads);

/// Keeps freed blocks in the process: glibc otherwise returns large ones to the kernel after every
/// operation and an eager step spends some of its time in page faults (docs/notes/0002). Once, at
/// the start of the program.
void keep_freed_memory();

}  // namespace probedarts::nets
