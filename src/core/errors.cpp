#include "core/errors.hpp"

namespace probedarts {

void report_bug(const char* what, const char* file, int line) {
  throw Bug(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

}  // namespace probedarts
