#pragma once

#include <vector>

#include "exchange/allowance.hpp"
#include "exchange/pickle.hpp"

namespace probedarts::exchange {

/// A storage from its persistent id ('storage', class, key, device, elements[, view]). The device
/// is ignored: everything is read into main memory. Appends to `pickle.storages`.
/// \throws UserError for any other id.
PickleValue pickled_storage(Pickle& pickle, PickleRef id, const Allowance& allowance);

/// A tensor from the arguments of its rebuilder (storage, offset, size, stride, ...). Appends to
/// `pickle.tensors`.
/// \throws UserError when an argument is of the wrong kind or an element lies outside the storage.
PickleValue pickled_tensor(Pickle& pickle, const std::vector<PickleRef>& arguments, PickleRole role,
                           Allowance& allowance);

}  // namespace probedarts::exchange
