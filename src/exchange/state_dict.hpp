#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor_file.hpp"
#include "exchange/allowance.hpp"
#include "exchange/pickle.hpp"

namespace probedarts::exchange {

/// The named tensors of a checkpoint, as indices into Pickle::tensors.
///
/// They lie at the top, or below one of the keys under which training scripts keep them
/// (`state_dict`, `model`, ...), at most four levels deep. What lies beside them and is no tensor
/// (epochs, options, the optimiser's state) is ignored.
/// \throws UserError when there are none, naming the keys that are there, or when the name of one
///                   is no UTF-8 or longer than 4096 bytes.
std::map<std::string, std::size_t> find_state_dict(const Pickle& pickle, const std::string& name);

/// A tensor's elements in row-major order, copied out of its storage in the file.
/// \param storage  exactly PickledStorage::bytes long.
StoredTensor gather(const PickledTensor& tensor, std::string_view storage, Allowance& allowance);

/// Removes what wrappers put before every name: `module.` (DataParallel), `_orig_mod.`
/// (torch.compile). Only when all names begin with it.
void strip_wrapper_prefixes(std::map<std::string, StoredTensor>& tensors);

}  // namespace probedarts::exchange
