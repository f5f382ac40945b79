#include <cstdint>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/flags.hpp"
#include "core/errors.hpp"
#include "core/progress.hpp"
#include "exchange/read_checkpoint.hpp"
#include "exchange/write_checkpoint.hpp"
#include "learn/model_card.hpp"

namespace probedarts::cli {
namespace {

struct ExportRequest {
  learn::ModelRequest model;
  std::string out;
  bool force = false;
};

std::unique_ptr<CLI::App> make_export_parser(ExportRequest& request) {
  auto app = make_parser(
      "Writes the weights of a network for other programs, under the names of the original "
      "(docs/checkpoints.md).",
      "probedarts export");
  app->add_option("--run", request.model.run, "run folder of a training: its best weights");
  app->add_option("--checkpoint", request.model.checkpoint,
                  "or a file: .safetensors, .pt or .pth, of ours or of others");
  app->add_option("--out", request.out,
                  "file to write: .safetensors, or .pt or .pth for PyTorch's torch.load");
  app->add_flag("--force", request.force, "replace an existing file");
  return app;
}

/// Without what only going on with a training needs.
void keep_weights(TensorFile& file) {
  const std::size_t all = file.tensors.size();
  std::erase_if(file.tensors, [](const auto& entry) { return entry.first.starts_with("resume."); });
  if (file.tensors.size() < all) {
    std::erase_if(file.metadata, [](const auto& entry) { return entry.first != "model"; });
  }
}

}  // namespace

int run_export_command(std::vector<std::string> arguments) {
  ExportRequest request;
  const auto app = make_export_parser(request);
  if (const auto code = parse(*app, std::move(arguments))) {
    return *code;
  }
  const std::string source = learn::checkpoint_of(request.model);
  if (request.out.empty()) {
    throw UserError("--out: no file given; name one to write, for example weights.pt");
  }
  if (!request.force && std::filesystem::exists(request.out)) {
    throw UserError(fmt::format(
        "'{}' exists; choose another with --out, or replace it with --force", request.out));
  }
  TensorFile file = exchange::read_checkpoint(source);
  keep_weights(file);
  exchange::write_checkpoint(request.out, file);
  print_line(
      fmt::format("export: {} tensors of '{}' in '{}'", file.tensors.size(), source, request.out));
  return 0;
}

}  // namespace probedarts::cli
