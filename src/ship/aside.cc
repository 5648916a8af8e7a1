#include "ship/aside.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

#include "base/fd.h"
#include "json/object.h"

namespace mcptrace::ship {
namespace {

constexpr off_t kMostBytes = 8 << 20;

}  // namespace

Result<> set_aside(const std::string& directory, const Batch& batch, std::string_view why, Nanos wall) {
  std::string line;
  json::Object object(line);
  object.key("time") += '"' + std::to_string(wall.count()) + '"';
  json::append_quoted(object.key("why"), why);
  if (auto written = batch.append_json(object.key("traces")); !written) return written;
  object.end();
  line += '\n';
  const std::string path = directory + "/aside.jsonl";
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && info.st_size >= kMostBytes) {
    ::rename(path.c_str(), (directory + "/aside.1.jsonl").c_str());
  }
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return std::unexpected(errno_error(path, errno));
  return write_all(file.get(), line);
}

}  // namespace mcptrace::ship
