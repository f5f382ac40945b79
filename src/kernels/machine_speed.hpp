#pragma once

/// What this machine can do at most: the yardstick of every speed in `probedarts bench`.
namespace probedarts::kernels {

struct MachineSpeed {
  int threads;
  double fma_gflops;  ///< multiply-adds on registers, two operations each, all threads together
  double bandwidth_gbytes;  ///< a = b + s c on arrays beyond every cache (STREAM's triad): bytes
                            ///< read and written in a second, 1e9
};

/// Measures with the SIMD target in use: the best of several short runs. About a second.
MachineSpeed measure_machine(int threads);

}  // namespace probedarts::kernels
