#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace probedarts::cli {

/// A sub-command: `probedarts NAME ...`. One file each, listed in main.cpp.
struct Command {
  std::string_view name;
  std::string_view summary;  ///< one line for `probedarts --help`
  int (*run)(
      std::vector<std::string> arguments);  ///< the arguments after the name; returns the exit code
};

int run_bench_command(std::vector<std::string> arguments);
int run_count_command(std::vector<std::string> arguments);
int run_search_command(std::vector<std::string> arguments);
int run_evaluate_command(std::vector<std::string> arguments);
int run_predict_command(std::vector<std::string> arguments);
int run_train_command(std::vector<std::string> arguments);
int run_derive_command(std::vector<std::string> arguments);
int run_explain_command(std::vector<std::string> arguments);
int run_export_command(std::vector<std::string> arguments);
int run_report_command(std::vector<std::string> arguments);
int run_study_command(std::vector<std::string> arguments);
int run_data_command(std::vector<std::string> arguments);

/// Reads flags as `search`, `train` and `explain` would, and looks at no file.
/// \throws UserError  one sentence for a value that is wrong by itself or beside others.
void check_search_flags(std::vector<std::string> flags);
void check_train_flags(std::vector<std::string> flags);
void check_explain_flags(std::vector<std::string> flags);

}  // namespace probedarts::cli
