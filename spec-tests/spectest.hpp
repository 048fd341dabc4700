// The host module `spectest` that official scripts import from: print functions that print nothing,
// globals of 666, tables of 10 to 20 elements and a memory of 1 to 2 pages, all owned by the store.
#pragma once

#include "base/result.hpp"

namespace wrun::engine {
class Linker;
class Store;
}  // namespace wrun::engine

namespace wrun::spec {

Result<void> define_spectest(engine::Store& store, engine::Linker& linker);

}  // namespace wrun::spec
