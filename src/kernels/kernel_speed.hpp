#pragma once

#include <string>
#include <vector>

namespace probedarts::kernels {

/// Speed of one kernel at one shape.
struct KernelSpeed {
  std::string kernel;  ///< for example "block forward"
  std::string shape;   ///< for example "C 16, 32x32, 5x5 dilation 2 stride 1"
  double seconds;      ///< of one image; the fastest of several rounds
  double gflops;       ///< useful multiply-adds, two operations each
  double gbytes;       ///< bytes that a pass over inputs and outputs moves, in a second
};

/// Times every kernel on one thread, image by image, at the shapes of a search and of a derived
/// network with C 36: about three seconds.
std::vector<KernelSpeed> measure_kernels();

}  // namespace probedarts::kernels
