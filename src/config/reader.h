// A tree of YAML against the table (options.h): its values, and all that is wrong with it. Pure.
#pragma once

#include <string>
#include <vector>

#include "config/setting.h"
#include "config/yaml.h"

namespace mcptrace::config {

struct Problem {
  Place place;
  std::string key;  // empty: the file's
  std::string message;
};
// "mcptrace.yaml:3:5: naming: wants guide, semconv or both, got 'x'"
std::string text_of(const std::string& file, const Problem& problem);

struct Reading {
  std::vector<Setting> settings;  // in the order of the file
  std::vector<Problem> problems;  // the same
};
Reading read_settings(const Node& root);

}  // namespace mcptrace::config
