#pragma once

#include <string>

#include "nets/layout.hpp"

namespace probedarts::nets {

/// Whether the batch norms of a candidate have a scale and a shift, and whether pools have one.
enum class CandidateForm {
  kRelaxed,  ///< in a supernet: none has, pools have
  kDerived,  ///< in a derived network: all have, pools have none
};

/// One candidate by itself, for whoever computes it without a network around it
/// (composed_candidate): appends its tensors to the layout.
/// \param name      what the names of its tensors start with, as "cells.0._ops.3._ops.4" in a
/// network \param channels  of the map it reads and of the one it gives; even for a skip of stride
/// 2
CandidateUnit lay_out_candidate(NetworkLayout& layout, const std::string& name,
                                const space::Candidate& described, int channels, int stride,
                                CandidateForm form);

}  // namespace probedarts::nets
