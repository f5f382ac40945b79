#include "core/machine.hpp"

#include <cmath>
#include <ctime>
#include <fstream>

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace probedarts {
namespace {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown";
}

}  // namespace

Machine this_machine() {
  Machine machine;
  machine.cpu = cpu_model();
  cpu_set_t usable;
  machine.cores = sched_getaffinity(0, sizeof(usable), &usable) == 0
                      ? CPU_COUNT(&usable)
                      : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  const double bytes =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  machine.memory_gib = std::round(bytes / 1024 / 1024 / 1024 * 10.0) / 10.0;
  utsname name{};
  if (uname(&name) == 0) {
    machine.os = std::string(name.sysname) + " " + name.release;
  }
  return machine;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace probedarts
