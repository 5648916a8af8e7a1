// The tools that servers declared, and how they defined them, in a file that all processes of an installation share: a
// name that one saw in a tools/list, the next may write, and a definition that is new it notices. Only keyed hashes are
// in it. Used by one thread, the observer's.
//
// Every process appends what is not there yet, and reads on when it meets what it does not know. Bounded: a
// process adds and remembers at most 4,096 names of a server and 32 definitions of a tool (one with more has another
// for everybody: none of them is new), and nothing is added to, or read of, a file beyond 1 MiB.
// What goes wrong is said once; then the file is as if it were empty.
//
//   DeclaredFile names(state_directory + "/declared", key, log);
//   std::size_t changed = names.add("command 1f2e3d4c5b6a7988", tools);
//   if (names.contains("command 1f2e3d4c5b6a7988", hash)) …
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/keyed_hash.h"
#include "base/log.h"
#include "observe/declared_names.h"

namespace mcptrace::observe {

class DeclaredFile final : public DeclaredNames {
 public:
  // References must outlive this. Opens nothing yet; the file is made at the first name, its directory never.
  DeclaredFile(std::string path, const HashKey& key, Log& log);

  bool contains(std::string_view server, std::uint64_t name) override;
  std::size_t add(std::string_view server, std::span<const mcp::DeclaredTool> tools) override;

 private:
  enum class Learned : std::uint8_t { kNothing, kMore, kOther };
  using Definitions = std::vector<std::uint64_t>;

  void serve(std::string_view server);
  Learned learn(std::uint64_t print, std::uint64_t definition);
  [[nodiscard]] std::uint64_t print_of(std::uint64_t name) const;
  bool open(int create);
  bool is_ours(int fd);
  void read_on();
  void take_lines(std::string_view bytes);
  bool take_line(std::string_view line);
  void append(const std::string& lines);
  void say(const Error& error);

  std::string path_;
  const HashKey& key_;
  Log& log_;
  UniqueFd fd_;
  std::uint64_t read_to_ = 0;
  // The server asked for last, and its names: most processes have one, so another's are read anew.
  std::string server_;
  std::string server_print_;                              // as its lines begin
  std::unordered_map<std::uint64_t, Definitions> known_;  // by the name's print
};

}  // namespace mcptrace::observe
