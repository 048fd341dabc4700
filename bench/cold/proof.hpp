// That a subject does what its rows say, looked at once before and once after measuring.
#pragma once

#include "bench/cold/subject.hpp"

namespace wrun::cold {

/// A fresh instance is pristine, its answer is right, it wrote as many pages as it says, and after
/// it the next one is pristine again. Ends the program when it is not so.
void prove(Worker& worker, const Handler& handler);

}  // namespace wrun::cold
