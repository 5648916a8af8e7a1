// The names of tools that servers declared, in a file that all processes of an installation share: what one saw in a
// tools/list, the next may write. Only keyed hashes are in it. Used by one thread, the observer's.
//
// Every process appends what is not there yet, and reads on when it meets a name that it does not know. Bounded: a
// process adds and remembers at most 4,096 names of a server, and nothing is added to, or read of, a file beyond 1 MiB.
// What goes wrong is said once; then the file is as if it were empty.
//
//   DeclaredFile names(state_directory + "/declared", key, log);
//   names.add("command 1f2e3d4c5b6a7988", hashes);
//   if (names.contains("command 1f2e3d4c5b6a7988", hash)) …
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>

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
  void add(std::string_view server, std::span<const std::uint64_t> names) override;

 private:
  void serve(std::string_view server);
  [[nodiscard]] std::uint64_t print_of(std::uint64_t name) const;
  bool open(int create);
  bool is_ours(int fd);
  void read_on();
  void take_lines(std::string_view bytes);
  void append(const std::string& lines);
  void say(const Error& error);

  std::string path_;
  const HashKey& key_;
  Log& log_;
  UniqueFd fd_;
  std::uint64_t read_to_ = 0;
  // The server asked for last, and its names: most processes have one, so another's are read anew.
  std::string server_;
  std::string server_print_;                 // as its lines begin
  std::unordered_set<std::uint64_t> known_;  // prints
};

}  // namespace mcptrace::observe
