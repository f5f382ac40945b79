#pragma once

#include <string>

namespace probedarts {

/// What a number was measured on; part of its birth certificate.
struct Machine {
  std::string cpu;  ///< model name as the system tells it
  int cores = 0;    ///< that this process may use
  double memory_gib = 0.0;
  std::string os;  ///< kernel name and release
};

Machine this_machine();

/// Now, in UTC: "2026-11-24T08:30:00Z".
std::string utc_now();

}  // namespace probedarts
