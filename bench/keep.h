// Keeps a value that nothing else uses from being optimised away. Google Benchmark deprecates its own function for
// constants and for values without a name.
#pragma once

#include <benchmark/benchmark.h>

#include <type_traits>

namespace mcptrace {

template <typename T>
void keep(T&& value) {
  benchmark::DoNotOptimize(const_cast<std::remove_cvref_t<T>&>(value));
}

}  // namespace mcptrace
