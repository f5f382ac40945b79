#include "cli/genotype_source.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/flags.hpp"
#include "core/errors.hpp"
#include "core/files.hpp"
#include "nets/zoo.hpp"
#include "report/read_run.hpp"
#include "space/published.hpp"

namespace probedarts::cli {
namespace {

space::Genotype from_run(const std::string& who, const std::filesystem::path& path, int epoch) {
  const report::Run run = report::read_run(path);
  if (run.cell() == nullptr) {
    throw UserError(fmt::format(
        "{}: the run '{}' trained a network that is not made of cells; give the run of a search",
        who, path.string()));
  }
  if (!run.is_search()) {
    return *run.cell();
  }
  const int epochs = static_cast<int>(run.epochs.size());
  if (epoch >= epochs) {
    throw UserError(fmt::format("--epoch: the run has no epoch {}; use 0 to {}, or -1 for the last",
                                epoch, epochs - 1));
  }
  return run.epochs[static_cast<std::size_t>(epoch < 0 ? epochs - 1 : epoch)]
      .architecture->genotype;
}

}  // namespace

space::Genotype read_genotype(const std::string& source, const std::string& who, int epoch) {
  const std::filesystem::path path(source);
  std::error_code no_path;  // a genotype's text may be longer than the file system lets a name be
  if (std::filesystem::is_directory(path, no_path)) {
    return from_run(who, path, epoch);
  }
  if (std::filesystem::is_regular_file(path, no_path)) {
    return space::parse_genotype(read_file(path));
  }
  if (const auto published = space::published_genotype(source)) {
    return *published;
  }
  if (source.find_first_of("({") == std::string::npos) {
    throw UserError(
        fmt::format("{}: '{}' is no run folder, file or published name ({}); check its spelling",
                    who, source, fmt::join(space::published_names(), ", ")));
  }
  return space::parse_genotype(source);
}

void refuse_idle_cell_flags(const learn::NetworkOptions& options,
                            const std::vector<std::string>& given) {
  const auto zoo = nets::zoo_names();
  const bool of_zoo = std::find(zoo.begin(), zoo.end(), options.network) != zoo.end();
  if (!options.genotype.empty() || (!options.network.empty() && !of_zoo)) {
    return;  // made of a genotype, or of an unknown name, which is another complaint
  }
  for (const char* flag : {"--channels", "--cells", "--stem"}) {
    if (!raw_value(given, flag)) {
      continue;
    }
    throw UserError(
        options.network.empty()
            ? fmt::format("{}: goes with --genotype; without one the model tells its own", flag)
            : fmt::format("{}: the network '{}' has no such choice; use it with --genotype", flag,
                          options.network));
  }
}

void resolve_genotype(learn::NetworkOptions& options) {
  if (!options.genotype.empty()) {
    options.genotype = space::to_python(read_genotype(options.genotype, "--genotype"));
  }
}

}  // namespace probedarts::cli
