// render_report OUT.html RUN...: the report without the command line, for the browser test.

#include <cstdio>
#include <filesystem>
#include <vector>

#include "core/errors.hpp"
#include "core/files.hpp"
#include "report/report.hpp"

int main(int count, char** arguments) {
  if (count < 3) {
    std::fputs("usage: render_report OUT.html RUN...\n", stderr);
    return 2;
  }
  try {
    const std::vector<std::filesystem::path> runs(arguments + 2, arguments + count);
    probedarts::write_file_atomically(arguments[1], probedarts::report::render_report(runs));
  } catch (const probedarts::UserError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
