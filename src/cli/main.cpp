// probedarts: one sub-command a file; exceptions become exit codes here and nowhere else.

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "core/errors.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/version.hpp"
#include "nets/torch_runtime.hpp"

namespace {

using probedarts::cli::Command;

constexpr Command kCommands[] = {
    {"search", "search a cell on a folder of patches", probedarts::cli::run_search_command},
    {"train", "train a network on a folder of patches", probedarts::cli::run_train_command},
    {"evaluate", "measure a trained network on a data set", probedarts::cli::run_evaluate_command},
    {"predict", "logits, probabilities and labels of image files",
     probedarts::cli::run_predict_command},
    {"derive", "print and draw the cell of a run, a published one, or a random one",
     probedarts::cli::run_derive_command},
    {"count", "count parameters, multiply-accumulates and memory of a network",
     probedarts::cli::run_count_command},
    {"explain", "show where trained networks look on images", probedarts::cli::run_explain_command},
    {"export", "write trained weights for PyTorch and other programs",
     probedarts::cli::run_export_command},
    {"study", "plan and run many searches from one file", probedarts::cli::run_study_command},
    {"report", "write a page about one or several runs", probedarts::cli::run_report_command},
    {"data", "check a data set, or write the embedded one", probedarts::cli::run_data_command},
    {"bench", "measure this machine, the kernels and whole steps",
     probedarts::cli::run_bench_command},
};

enum ExitCode { kDone = 0, kUserError = 2, kDiverged = 3, kBug = 70 };

int print_help() {
  std::printf(
      "probedarts searches and probes compact networks for histology patches.\n\n"
      "Usage: probedarts COMMAND [OPTIONS]\n\nCommands:\n");
  for (const Command& command : kCommands) {
    std::printf("  %-8s %s\n", std::string(command.name).c_str(),
                std::string(command.summary).c_str());
  }
  std::printf(
      "\n`probedarts COMMAND --help` shows every option with its default.\n"
      "Exit codes: 0 done, 2 your input, 3 diverged, 70 our bug, 128 + n stopped by signal n.\n");
  return kDone;
}

int run(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (!probedarts::is_utf8(argument)) {
      throw probedarts::UserError(fmt::format(
          "the argument '{}' is not UTF-8; rename what it names, for example with convmv",
          probedarts::visible_name(argument)));
    }
  }
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    return print_help();
  }
  if (arguments[0] == "--version") {
    std::printf("probedarts %s (%s)\n", probedarts::version(), probedarts::commit());
    return kDone;
  }
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (command.name == arguments[0]) {
      return command.run({arguments.begin() + 1, arguments.end()});
    }
    names.emplace_back(command.name);
  }
  const auto near = probedarts::cli::nearest(arguments[0], names);
  throw probedarts::UserError(
      near ? fmt::format("unknown command '{}'; did you mean '{}'?", arguments[0], *near)
           : fmt::format("unknown command '{}'; see probedarts --help", arguments[0]));
}

/// What was printed may still be in memory, and what it goes to may be full.
void finish_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    probedarts::report_file_failure("write", "standard output", errno);
  }
}

/// LibTorch's allocator throws its own kind of exception, known by its text.
bool is_out_of_memory(const std::exception& error) {
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         std::strstr(error.what(), "DefaultCPUAllocator") != nullptr;
}

int complain(const char* what, int code) {
  std::fprintf(stderr, "probedarts: %s\n", what);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  probedarts::nets::keep_freed_memory();
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes then fails a write, as a full disk does
  try {
    const int code = run({argv + 1, argv + argc});
    finish_output();
    return code;
  } catch (const probedarts::UserError& error) {
    return complain(error.what(), kUserError);
  } catch (const probedarts::Diverged& error) {
    return complain(error.what(), kDiverged);
  } catch (const probedarts::Interrupted& error) {
    return complain(error.what(), 128 + error.signal());
  } catch (const std::filesystem::filesystem_error& error) {
    return complain(fmt::format("'{}': {}; correct the path, or its rights", error.path1().string(),
                                error.code().message())
                        .c_str(),
                    kUserError);
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) {
      return complain(
          "out of memory; ask for less (--batch, --size, --channels, --cells) or use a larger "
          "machine",
          kUserError);
    }
    std::fprintf(stderr, "probedarts: this is a bug, please report it: %s\n", error.what());
    return kBug;
  }
}
