#pragma once

#include <string>
#include <vector>

#include "learn/network.hpp"
#include "space/genotype.hpp"

namespace probedarts::cli {

/// The genotype a user names: a run folder (of a search: the cell of `epoch`; -1: its
/// last; of a training: its cell), a file with a
/// genotype (JSON or Python text), a published name, or the text itself. \param who  what the
/// message about a bad one begins with, for example "derive" or "--genotype".
/// \throws UserError one sentence.
space::Genotype read_genotype(const std::string& source, const std::string& who, int epoch = -1);

/// Refuses --channels, --cells and --stem where they would change nothing: for networks that are
/// not made from a genotype, and where a model tells its own. \param given  the flags as written.
void refuse_idle_cell_flags(const learn::NetworkOptions& options,
                            const std::vector<std::string>& given);

/// Turns the genotype that --genotype names into text, so that a run depends on no other file.
void resolve_genotype(learn::NetworkOptions& options);

}  // namespace probedarts::cli
