#pragma once

#include <string>

#include "space/genotype.hpp"

namespace probedarts::cli {

/// The genotype a user names: a run folder (the cell of `epoch`; -1: its last), a file with a
/// genotype (JSON or Python text), a published name, or the text itself. \param who  what the
/// message about a bad one begins with, for example "derive" or "--genotype".
/// \throws UserError one sentence.
space::Genotype read_genotype(const std::string& source, const std::string& who, int epoch = -1);

}  // namespace probedarts::cli
